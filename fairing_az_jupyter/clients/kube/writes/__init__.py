"""What is written in a namespace, so that it can be repeated."""
