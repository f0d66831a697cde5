"""What checks have found, for a terminal and for a notebook."""
