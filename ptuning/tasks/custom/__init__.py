"""Tasks that YAML alone declares (`task.kind`, docs/own_data.md): one file a kind, found by its name."""
