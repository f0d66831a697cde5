"""The test stand: real Kubernetes, Azurite and registry, doubles for Entra ID and Resource Manager, faults on demand.

tests/stand/ holds the servers; tests/cluster/ what they are built from, the tests that use them, and a README.md.
"""

from __future__ import annotations

from .faults import Call, Fault
from .processes import StartError
from .programs.binaries import MissingError
from .stand import Setup, Stand, close_shared, shared

__all__ = ["Call", "Fault", "MissingError", "Setup", "Stand", "StartError", "close_shared", "shared"]
