"""Where notebooks and parameters files are read and written."""
