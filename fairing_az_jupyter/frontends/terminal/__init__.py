"""The terminal: output, progress, questions."""
