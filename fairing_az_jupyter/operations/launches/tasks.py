"""What is launched of a class or a function: what `train` and `deploy` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import field_validator

from fairing_az_jupyter.operations.declaration import ALL, Request, Sources
from fairing_az_jupyter.operations.words import Name, option

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["SOURCES", "TaskRequest", "arguments_of"]

SOURCES = Sources(settings=ALL, notebook="option", records=True)


class TaskRequest(Request):
    """A class or function, and the files that it needs."""

    input_files: Annotated[
        tuple[str, ...],
        option(
            "--input-files",
            "--input",
            metavar="FILE",
            about="files and folders that it needs, below the working directory, such as requirements.txt",
            completes="file",
            words="several",
        ),
    ] = ()
    output_map: Annotated[
        tuple[tuple[str, str], ...],
        option(
            "--output-map",
            metavar="SRC=DST",
            about="a further file, and where it goes in the image; may be given several times",
            takes="SRC=DST: a file and its place in the image",
        ),
    ] = ()

    name: Name = ""

    @field_validator("output_map", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:  # noqa: ANN401 - as it was given
        return [_pair(each) if isinstance(each, str) else each for each in value]


def arguments_of(call: Call[Any]) -> dict[str, Any]:
    """Return what `services.train` and `services.deploy` both take of a command.

    Args:
        call: The command; its request is a `TaskRequest`.

    """
    asked = call.request
    return {
        "names": call.caller.names,
        "input_files": asked.input_files,
        "output_map": dict(asked.output_map),
        "name": asked.name,
    }


def _pair(text: str) -> tuple[str, str]:
    source, equals, target = text.partition("=")
    if not equals or not source or not target:
        msg = "it is not of the form SRC=DST"
        raise ValueError(msg)
    return source, target
