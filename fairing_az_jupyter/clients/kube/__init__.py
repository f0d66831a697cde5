"""The Kubernetes API below `cluster`: connections, calls, rejections, and what objects say."""
