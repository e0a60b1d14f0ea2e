"""What a log may not hold."""

import re

CODE = re.compile(r"/(t|sound)/[\w-]+/")


class WithoutCodes:
    """Leave out the part of an address that opens a participant's session or a trial's sound."""

    def filter(self, record):
        record.msg, record.args = CODE.sub(r"/\1/.../", record.getMessage()), ()
        return True
