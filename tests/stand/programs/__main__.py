"""Makes ahead of the tests what the test stand needs and does not find: `python -m programs`, in the folder above."""

from __future__ import annotations

import os
import sys
import time

from . import binaries
from .base_image import base_image


def main() -> None:
    """Make what is missing and say where it is; end with the way to get it where that can't be done."""
    try:
        of_a_node = (binaries.scheduler, base_image, binaries.kaniko, binaries.kwok, binaries.kserve)
        node = of_a_node if sys.platform == "linux" and os.geteuid() == 0 else ()
        for find in (binaries.control_plane, binaries.azurite, binaries.registry, *node):
            began = time.monotonic()
            sys.stdout.write(f"{find.__name__}: {find()} ({time.monotonic() - began:.0f} s)\n")
    except binaries.MissingError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
