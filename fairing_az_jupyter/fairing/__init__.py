"""The bridge to Kubeflow Fairing 1.0.2."""
