"""An importer that some file brings down, as a fault in a library that is not written in Python would.

A module of its own, for the processes that import files must find it.
"""

import os

from training.importing import Imported

FATAL = "fatal.mid"


def work(file):
    if file == FATAL:
        os._exit(11)
    return Imported(file, reason="read")
