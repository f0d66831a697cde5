"""The values of a run's parameters: where they come from, and their types."""
