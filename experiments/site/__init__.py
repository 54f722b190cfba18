"""The report: one page of all results, `python -m experiments.site`."""
