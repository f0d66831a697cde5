"""The front ends: each parses, calls the manager, and renders."""
