"""What can be wrong with a set-up, one fault at a time.

The README's troubleshooting table is made of these rows: `python -m tests.preflight.readme_table`.
"""

from __future__ import annotations

from . import admission, azure, cluster, credentials, images, registry, settings
from .fault import Fault

__all__ = ["FAULTS", "Fault"]

FAULTS = [
    *settings.FAULTS,
    *cluster.FAULTS,
    *admission.FAULTS,
    *credentials.FAULTS,
    *azure.FAULTS,
    *registry.FAULTS,
    *images.FAULTS,
]
