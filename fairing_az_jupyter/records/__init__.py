"""Records of notebook runs: a folder each, of plain files, safe on network shares and with several processes."""

from __future__ import annotations

from fairing_az_jupyter.records.recorder import Recorder
from fairing_az_jupyter.records.store import RunStore

__all__ = ["Recorder", "RunStore"]
