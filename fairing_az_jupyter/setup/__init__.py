"""Prepares what a launch needs in the cluster: both Secrets, and the service account that names one of them."""
