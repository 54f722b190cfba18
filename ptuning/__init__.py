"""P-Tuning v2 and its family: learn a prompt for a frozen backbone, record what came out, make the papers' tables."""

import os

# Before torch loads OpenMP: threads that wait do not spin. On a machine with other work on it, spinning threads made a
# step ten times slower; on an idle one the difference is small.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
