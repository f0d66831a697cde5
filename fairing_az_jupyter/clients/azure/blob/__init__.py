"""Azure Blob Storage: the account, build contexts, files by URL, and transfers in blocks."""
