"""What a log may not hold."""

import logging
import re

LONGEST_MESSAGE = 500
CODE = re.compile(r"/(t|sound|invitation|forgotten/[\w-]+)/[\w-]+/")
PERSON = re.compile(r"\b(PROLIFIC_PID|participant)=[^&\s\"']*")


class WithoutCodes:
    """Leave out what opens a session, a sound or an account, and what a recruiter's link says of a person."""

    def filter(self, record):
        said = CODE.sub(r"/\1/.../", record.getMessage())
        record.msg, record.args = in_one_line(PERSON.sub(r"\1=...", said), LONGEST_MESSAGE), ()
        return True


class OneLine(logging.Formatter):
    """One event is one line, its traceback included: sed 's/\\\\n/\\n/g' brings that back."""

    def format(self, record):
        return in_one_line(super().format(record))


def in_one_line(text, longest=None):
    """Return text in which nothing begins a line, moves the cursor or colours what follows."""
    if longest and len(text) > longest:
        text = text[: longest - 3] + "..."
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
