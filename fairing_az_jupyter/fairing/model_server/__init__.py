"""The server of an endpoint; these files run in containers that have nothing else of this package."""
