"""LocalBackend: the same context, command and result on this machine."""
