"""Notebook runs that are jobs in the cluster."""
