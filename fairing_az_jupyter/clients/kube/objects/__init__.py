"""Kubernetes objects and answers as plain data: their kinds, their facts, what an API server rejects."""
