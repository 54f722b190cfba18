"""Entry points: `run` trains; one small file a table or figure (papers/, ablations/) makes it from records."""
