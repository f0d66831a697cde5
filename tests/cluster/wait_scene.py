"""Waiting for something that the stand's controllers do."""

from __future__ import annotations

import time


def wait_for(found, seconds=20):
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"nothing came within {seconds} s"
        time.sleep(0.1)
    return value
