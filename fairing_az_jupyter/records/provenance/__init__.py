"""What a run was made of: found out where it is launched, kept in its record, and read for a comparison."""
