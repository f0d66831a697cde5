"""What all pods of a launch have in common: the connection, manifests, security, resources, ownership."""
