"""The tool itself: the panel, the example, Kubeflow Fairing, help, and completion by Tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fairing_az_jupyter.operations.declaration import Example, Operation, Request
from fairing_az_jupyter.operations.words import argument, flag

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.services.example import Copied

__all__ = ["COMPLETION", "EXAMPLE", "HELP", "INSTALL_FAIRING", "PANEL"]


class Panel(Request):
    """Whether it is opened or closed."""

    close: Annotated[bool, flag("--close", about="close all panels of this notebook; nothing of them stays")] = False


class CopyExample(Request):
    """Where to."""

    folder: Annotated[
        str, argument("FOLDER", "the folder, which is made if it is not there (default: .)", completes="folder")
    ] = "."


class Help(Request):
    """Of what."""

    command: Annotated[
        tuple[str, ...], argument("COMMAND", "the command (default: all of them)", completes="command")
    ] = ()


class InstallFairing(Request):
    """What is done."""

    dry_run: Annotated[bool, flag("-n", "--dry-run", about="show what would be done, change nothing")] = False
    remove: Annotated[
        bool,
        flag("--remove", about="remove the start-up file from site-packages; Fairing itself stays installed"),
    ] = False


class Completion(Request):
    """For which shell."""

    shell: Annotated[Literal["bash", "zsh", "fish"], argument("SHELL", "bash, zsh or fish")]


def _example(call: Call[CopyExample]) -> tuple[Copied, ...]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    return tuple(services.copy_example(call.request.folder))


PANEL = Operation(
    "panel",
    "Show the panel of widgets in a notebook: settings, checks, launches.",
    Panel,
    places=frozenset({"magic"}),
    exit_codes=(3,),
    examples=(Example("panel", "cell"), Example("panel --close", "cell")),
)
EXAMPLE = Operation(
    "example",
    "Copy the example, with its data and requirements, into a folder; files that are there stay.",
    CopyExample,
    _example,
    exit_codes=(3,),
    examples=(Example("example"), Example("example housing")),
)
HELP = Operation(
    "help",
    "Show the help of a command, with examples.",
    Help,
    exit_codes=(),
    examples=(Example("help train"),),
)
INSTALL_FAIRING = Operation(
    "install-fairing",
    "Install Kubeflow Fairing 1.0.2 beside today's Jupyter.",
    InstallFairing,
    exit_codes=(3, 5),
    examples=(Example("install-fairing --dry-run"), Example("install-fairing --remove")),
)
COMPLETION = Operation(
    "completion",
    "Print a script that lets a shell complete commands by Tab.",
    Completion,
    places=frozenset({"terminal"}),
    exit_codes=(),
    examples=(Example("completion bash", "terminal"),),
)
