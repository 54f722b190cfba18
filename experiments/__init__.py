"""Entry points: `run` trains, and one small file a table or figure makes it from records."""
