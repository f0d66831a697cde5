"""Launches and runs that continue without the process that has started them."""
