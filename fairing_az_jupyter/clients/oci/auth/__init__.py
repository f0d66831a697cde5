"""Who asks a registry: challenges, logins, and the docker configuration that keeps them."""
