"""Azure below `credentials`, `storage` and `resources`: calls, tokens, error codes, clouds."""
