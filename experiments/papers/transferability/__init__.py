"""On Transferability of Prompt Tuning for Natural Language Processing (Su et al., 2022, arXiv:2111.06719)."""
