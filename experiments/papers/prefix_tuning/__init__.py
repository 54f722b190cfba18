"""Prefix-Tuning (Li and Liang, 2021, arXiv:2101.00190)."""
