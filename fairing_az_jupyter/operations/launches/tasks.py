"""What is launched of a class or a function: what `train` and `deploy` have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import field_validator

from fairing_az_jupyter.operations.declaration import ALL, Request, Sources
from fairing_az_jupyter.operations.words import option

__all__ = ["SOURCES", "TaskRequest"]

SOURCES = Sources(settings=ALL, notebook="option")


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

    @field_validator("output_map", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:  # noqa: ANN401 - as it was given
        return [_pair(each) if isinstance(each, str) else each for each in value]


def _pair(text: str) -> tuple[str, str]:
    source, equals, target = text.partition("=")
    if not equals or not source or not target:
        msg = "it is not of the form SRC=DST"
        raise ValueError(msg)
    return source, target
