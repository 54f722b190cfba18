"""What goes to others: folders and cards of trained prompts, and where they get the backbone."""
