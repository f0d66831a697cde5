"""Images for jobs and endpoints: three builders, and the Jobs that build."""
