"""From a table of ratings to numbers and figures."""

import os

# Before numpy starts: on matrices as small as ours two threads only wait for each other (27 s instead of 0.5 under load).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
