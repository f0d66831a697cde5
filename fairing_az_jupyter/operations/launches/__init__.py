"""What is launched, and what was: train, deploy, status, logs, predict, delete, cleanup."""
