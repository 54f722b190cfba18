"""P-Tuning v2 and its family: learn a prompt for a frozen backbone, record what came out, make the papers' tables."""

import os

# Before torch loads OpenMP: its waiting threads give the core back after a short spin. With the default, a machine
# with other work on it took ten times as long for a step; on an idle one this costs nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
