"""Become another program that dies with the process which asked for it: python confine.py PARENT_PID PROGRAM ARGUMENT...

Started as a file, by itself: it needs nothing but the standard library.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid):
    """Ask Linux to kill this process when its parent dies; elsewhere the parent's own clean-up has to do."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent_pid:
        sys.exit("the process that asked for this one is gone")


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
