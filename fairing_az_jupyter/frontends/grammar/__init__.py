"""The words of terminal and magics: one parser, its parts, and its errors."""
