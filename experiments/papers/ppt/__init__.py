"""PPT (Gu et al., 2022, arXiv:2109.04332)."""
