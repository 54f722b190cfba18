"""P-Tuning v2 and its family: learn a prompt for a frozen backbone, record what came out, make the papers' tables."""
