"""SPoT (Vu et al., 2022, arXiv:2110.07904)."""
