"""The pieces of the page that `experiments.report` writes, and its templates."""
