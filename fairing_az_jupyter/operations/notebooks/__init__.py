"""Notebooks that are run, here or in the cluster, once or at many points, and the records of their runs."""
