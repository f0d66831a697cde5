"""What is typed in a terminal or in a cell: understood, explained and completed, all of it from the operations."""
