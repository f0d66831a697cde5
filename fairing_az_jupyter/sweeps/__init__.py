"""Sweeps: one notebook, many points; each point is a run with a record of its own."""

from __future__ import annotations
