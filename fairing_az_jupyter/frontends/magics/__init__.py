"""The `%fairing_azure` magics."""
