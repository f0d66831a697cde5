"""What the commands of terminal and magics do."""
