"""What jobs have written: its manifest, where it lies, and getting at it."""
