"""The checks that tell before a launch what would make it fail."""
