"""Become another program within limits that it cannot lift: python confine.py PARENT_PID LIMITS PROGRAM ARGUMENT...

LIMITS is one JSON object: the names of resource limits ("AS", "CPU", "FSIZE", "NOFILE") with their values, and
"network": false where the program is to have none. Whatever the limits, the program dies with the process that asked for
it, gains no privilege by what it starts, and leaves no core dump. Started as a file, by itself: it needs nothing but the
standard library. What this system cannot do is said on stderr, which becomes the program's log.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
NO_NAMESPACE = "This system has no network namespace to give: the process keeps its network."


def confine(parent_pid, limits):
    # In this order: a new user namespace forgets the signal, and no new privileges would forbid the namespace.
    if not limits.pop("network", True):
        _leave_the_network()
    for name, most in {"CORE": 0, **limits}.items():
        _limit(getattr(resource, f"RLIMIT_{name}"), most)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _die_with(parent_pid)


def _leave_the_network():
    """Move into a network namespace of its own, in which there is not even a loopback that is up."""
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    try:
        left = ctypes.CDLL(None).unshare(flags) == 0
    except (OSError, AttributeError):
        left = False
    if not left:
        print(NO_NAMESPACE, file=sys.stderr, flush=True)  # noqa: T201


def _limit(kind, most):
    """Lower a limit; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def _die_with(parent_pid):
    """Ask Linux to kill this process when its parent dies; elsewhere the parent's own clean-up has to do."""
    if _prctl(PR_SET_PDEATHSIG, signal.SIGKILL) and os.getppid() != parent_pid:
        sys.exit("the process that asked for this one is gone")


def _prctl(option, value):
    try:
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0
    except (OSError, AttributeError):
        return False


if __name__ == "__main__":
    confine(int(sys.argv[1]), json.loads(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])
