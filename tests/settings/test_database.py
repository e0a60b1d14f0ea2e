"""What the database promises of a rating that was acknowledged, and of writers that meet."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor != "sqlite", reason="of SQLite alone: PostgreSQL is durable by itself")
def test_sqlite_logs_ahead_waits_for_the_disk_and_begins_as_a_writer():
    with connection.cursor() as cursor:
        said = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
        patience_ms = cursor.execute("PRAGMA busy_timeout").fetchone()[0]

    assert said == {"journal_mode": "wal", "synchronous": 2}  # 2: FULL
    assert connection.transaction_mode == "IMMEDIATE"
    assert patience_ms == 20_000
