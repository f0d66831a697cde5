"""Every command, declared once: what it takes, what it gives back, where it exists; front ends are derived from it."""
