"""What runs in a job's pod around the user's program; these files run where nothing else of this package is."""
