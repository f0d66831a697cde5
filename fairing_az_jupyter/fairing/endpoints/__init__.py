"""Endpoints in the cluster: a Deployment with a Service, or a KServe InferenceService."""
