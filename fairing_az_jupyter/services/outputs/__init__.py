"""The files that launches have written: found by the launch's name, listed, fetched, opened."""
