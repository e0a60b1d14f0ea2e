"""Whose fault it is: a full disk or a lost database passes, and the same job may succeed; a bad file stays bad."""

import errno

from django.db import OperationalError

from generation import child

DISK_FULL = "The disk is full: there is no room for what was to be stored."
# EFBIG is what a limit on the size of files gives, as some hosts set it.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def of_machine(failure):
    """Return the sentence for a fault of this machine, which may pass; the empty string for any other failure."""
    if is_disk_full(failure):
        return DISK_FULL
    if isinstance(failure, OperationalError):
        return "The database could not be reached."
    if isinstance(failure, OSError) and not isinstance(failure, FileNotFoundError):
        return f"The disk could not be read or written ({failure.strerror or type(failure).__name__})."
    return ""


def is_disk_full(failure):
    """Did the disk, or what this site may use of it, have no room? Also where that is only what led to the failure."""
    if isinstance(failure, child.ChildFailed) and failure.problem == child.DISK_FULL:
        return True
    if isinstance(failure, OSError) and failure.errno in FULL:
        return True
    if isinstance(failure, OperationalError) and "full" in str(failure):
        return True  # SQLite: "database or disk is full"
    return failure.__cause__ is not None and is_disk_full(failure.__cause__)
