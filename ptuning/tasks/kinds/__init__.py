"""What tasks of one kind share: named entities, semantic roles, extractive questions."""
