"""What a launch needs, and the tool itself: checks, Secrets, settings, profiles, installation, help."""
