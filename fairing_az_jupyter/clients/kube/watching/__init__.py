"""What happens to a Job, a Deployment or a build, as events: watched, timed and distinguished."""
