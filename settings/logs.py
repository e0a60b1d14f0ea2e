"""What a log may not hold."""

import re

CODE = re.compile(r"/(t|sound|invitation|forgotten/[\w-]+)/[\w-]+/")
PERSON = re.compile(r"\b(PROLIFIC_PID|participant)=[^&\s\"']*")


class WithoutCodes:
    """Leave out what opens a session, a sound or an account, and what a recruiter's link says of a person."""

    def filter(self, record):
        said = CODE.sub(r"/\1/.../", record.getMessage())
        record.msg, record.args = PERSON.sub(r"\1=...", said), ()
        return True
