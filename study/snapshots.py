"""The database of one moment as a file, and back: SQLite by its online backup, PostgreSQL by pg_dump and pg_restore."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager

from django.db import DatabaseError, connection, transaction
from psycopg.conninfo import make_conninfo

OF_LIBPQ = ("host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "service", "options")


class SnapshotError(Exception):
    """The database cannot be written to a file, or not be read from it; the message says why."""


@contextmanager
def taken(path):
    """Write the database as of now to this file; yield ask(sql), which answers as of that same moment."""
    with KINDS[connection.vendor].taken(path) as ask:
        yield ask


def put_back(path, rows):
    """Have the database be what it was when this file was taken, or leave it as it is.

    rows: how many each table had then, {table: count}
    """
    KINDS[connection.vendor].put_back(path, rows)


def rows_of(ask):
    """Return {table: count} of what `ask` asks."""
    with connection.cursor() as cursor:
        tables = sorted(connection.introspection.table_names(cursor))
    return {table: ask(f'SELECT count(*) FROM "{table}"')[0][0] for table in tables}


class _SQLite:
    @staticmethod
    @contextmanager
    def taken(path):
        connection.ensure_connection()
        with closing(sqlite3.connect(path)) as copy:
            # In one step: a writer beside it neither waits nor makes it begin again (WAL).
            connection.connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, whole without the -wal beside it
            yield lambda sql: copy.execute(sql).fetchall()

    @staticmethod
    def put_back(path, rows):
        with closing(sqlite3.connect(path)) as copy:
            _see_that_it_is_whole(copy, rows)
            connection.ensure_connection()
            # Into the database as it lies there, under its lock: a file put in its place would meet the old one's -wal.
            copy.backup(connection.connection)
        connection.close()


def _see_that_it_is_whole(copy, rows):
    try:
        found = [copy.execute("PRAGMA integrity_check").fetchone()[0]]
        found += [copy.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in rows]
    except sqlite3.Error as error:
        raise SnapshotError(f"Its database is damaged: {error}.") from error
    if found != ["ok", *rows.values()]:
        raise SnapshotError("Its database does not hold the rows that its manifest lists.")


class _PostgreSQL:
    BEFORE = "before_restore"

    @staticmethod
    @contextmanager
    def taken(path):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT pg_export_snapshot()")
            (moment,) = cursor.fetchone()
            _run("pg_dump", "--format=custom", *NOBODYS, f"--snapshot={moment}", f"--file={path}")

            def ask(sql):
                cursor.execute(sql)
                return cursor.fetchall()

            yield ask

    @classmethod
    def put_back(cls, path, rows):
        """The tables that are there stand aside until the others are in, and come back if they cannot be read."""
        _do(f"DROP SCHEMA IF EXISTS {cls.BEFORE} CASCADE", f"ALTER SCHEMA public RENAME TO {cls.BEFORE}")
        try:
            _do("CREATE SCHEMA public")
            _run("pg_restore", *NOBODYS, "--schema=public", "--exit-on-error", "--single-transaction", str(path))
            if rows_of(ask_now) != rows:
                raise SnapshotError("Its database does not hold the rows that its manifest lists.")
        except BaseException:
            _do("DROP SCHEMA IF EXISTS public CASCADE", f"ALTER SCHEMA {cls.BEFORE} RENAME TO public")
            raise
        _do(f"DROP SCHEMA {cls.BEFORE} CASCADE")


KINDS = {"sqlite": _SQLite, "postgresql": _PostgreSQL}
NOBODYS = ("--no-owner", "--no-privileges")  # the restored tables are whose the restoring site's user is


def _do(*statements):
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError as error:
        raise SnapshotError(f"The database's user may not put tables aside: {str(error).splitlines()[0]}.") from error


def ask_now(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _run(program, *arguments):
    """Run a program of PostgreSQL on this site's database."""
    if shutil.which(program) is None:
        raise SnapshotError(f"{program} is not here: install PostgreSQL's client programs (postgresql-client).")
    parameters = connection.get_connection_params()
    where = {name: str(parameters[name]) for name in OF_LIBPQ if parameters.get(name)}
    # Not among the arguments, which every user of the machine can list.
    environment = os.environ | {"PGPASSWORD": str(parameters.get("password") or "")}
    command = [program, f"--dbname={make_conninfo(**where)}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise SnapshotError(f"{program} failed: {last}.")
