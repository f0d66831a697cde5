"""The front ends: each parses, calls the services, and renders."""
