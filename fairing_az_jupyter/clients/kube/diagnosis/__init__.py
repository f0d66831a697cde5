"""What a cluster says of a problem: read from objects and events, with how long it may last."""
