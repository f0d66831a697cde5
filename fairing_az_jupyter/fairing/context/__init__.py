"""The build context: which files, in an archive that is the same for the same files."""
