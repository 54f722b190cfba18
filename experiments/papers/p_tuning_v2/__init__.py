"""P-Tuning v2 (Liu et al., 2022, arXiv:2110.07602)."""
