"""Container registries below `registry`: login, transport, errors, and docker configs."""
