"""Train and serve a model from a notebook on Kubeflow on Azure."""

from __future__ import annotations

__version__ = "0.1.0"
