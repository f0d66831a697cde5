"""The bridge to Kubeflow Fairing 1.0.2: importing this package makes the upstream names work."""

from __future__ import annotations

from fairing_az_jupyter.fairing.hook import install

install()
