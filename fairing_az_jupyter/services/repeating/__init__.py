"""Runs that are repeated as they were: what is needed for that, and whether it is still there."""
