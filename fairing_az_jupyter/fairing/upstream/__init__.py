"""What Kubeflow Fairing 1.0.2 expects to find: stand-ins, names, pickles, its installation."""
