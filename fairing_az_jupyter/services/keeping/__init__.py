"""Keeping house: what nothing names any more, in Blob Storage, in the registry, and on this machine."""
