"""The records of launches: each leaves one, whichever way it was made."""
