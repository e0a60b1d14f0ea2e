from datetime import timedelta

import pytest
from django.utils import timezone

from tests.listeners import listener_of, make_study
from tests.small_disk import small_disk
from tests.studies import draft, make_draft, paper_study

__all__ = ["draft", "listener_of", "make_draft", "make_study", "paper_study", "small_disk"]


@pytest.fixture
def clock(monkeypatch):
    """The server's clock, which clock.forward(seconds) moves."""

    class Clock:
        now = timezone.now()

        def forward(self, seconds):
            self.now += timedelta(seconds=seconds)

    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock
