"""P-Tuning (Liu et al., 2021, arXiv:2103.10385)."""
