"""Prompt Tuning (Lester et al., 2021, arXiv:2104.08691)."""
