"""One notebook, executed: its kernel, its events, its output."""
