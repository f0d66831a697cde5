"""`python -m fairing_az_jupyter` is `fairing-azure`."""

from __future__ import annotations

import sys

from fairing_az_jupyter.frontends.cli import main

if __name__ == "__main__":
    sys.exit(main())
