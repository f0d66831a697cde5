"""Jobs in the cluster: trainings, and notebooks."""
