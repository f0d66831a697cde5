"""`python -m fairing_az_jupyter` is `fairing-azure`."""

from __future__ import annotations

import sys


def entry() -> int:
    """Run the command line; Ctrl-C is an answer also while it is still being loaded.

    Returns:
        The exit code.

    """
    try:
        from fairing_az_jupyter.frontends.cli import main  # noqa: PLC0415 - loading it takes longest

        return main()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("fairing-azure: cancelled\n")
        return 130


if __name__ == "__main__":
    sys.exit(entry())
