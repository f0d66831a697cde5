"""The Kubernetes API below `cluster`: connections, calls, refusals, and what objects say."""
