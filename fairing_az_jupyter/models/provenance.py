"""What a run or a launch was made of, and where: enough to tell two of them apart, and to repeat one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

_LISTS = ("command", "mutators")


@dataclasses.dataclass(frozen=True)
class GitState:
    """What git says of the folder that a launch was made in.

    Args:
        commit: The commit that is checked out.
        dirty: Whether a file that git knows has been changed since.

    """

    commit: str
    dirty: bool

    def __str__(self) -> str:
        """Return it as people read it."""
        return f"{self.commit[:12]}{' with changes' if self.dirty else ''}"


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A file that a launch was given.

    Args:
        path: Its path as it was named, with `/`; of a folder that was named, of each file in it.
        size: Its bytes.
        sha256: The SHA-256 of its content, as 64 hexadecimal digits.

    """

    path: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What a run or a launch was made of. What could not be found out is empty.

    Args:
        code: The SHA-256 of the code: of the pickled class or function, of the file, or of the notebook.
        context: The SHA-256 of the build context's archive, which holds the code and the input files.
        git: What git says of its folder; None where there is no repository.
        image: The image that it ran in, by its tag.
        image_digest: The digest of that image's manifest.
        inputs: The input files.
        python: The version of the Python that launched.
        packages: The SHA-256 of the record's packages.json.
        settings: The settings in force, by field. No secret is a setting.
        parameters: The notebook's parameters, by name.
        user: Who has launched it.
        machine: Where: the host's name, of a pod its namespace too.
        backend: The backend.
        namespace: The namespace in the cluster.
        job: The Job's name; on this machine that of its folder.
        endpoint: The endpoint's name.
        server: The cluster's address.
        from_job: The launch whose files an endpoint was deployed with; empty for none.
        from_files: These files.
        command: What the image's container runs.
        mutators: The names of the user's functions that have changed the pod's specification; they are kept nowhere.

    """

    code: str = ""
    context: str = ""
    git: GitState | None = None
    image: str = ""
    image_digest: str = ""
    inputs: tuple[InputFile, ...] = ()
    python: str = ""
    packages: str = ""
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, object] = dataclasses.field(default_factory=dict)
    user: str = ""
    machine: str = ""
    backend: str = ""
    namespace: str = ""
    job: str = ""
    endpoint: str = ""
    server: str = ""
    from_job: str = ""
    from_files: tuple[InputFile, ...] = ()
    command: tuple[str, ...] = ()
    mutators: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that any JSON parser reads, without what says nothing."""
        found = dataclasses.asdict(self)
        return {name: value for name, value in found.items() if value not in (None, "", (), {})}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Provenance:
        """Return what `to_dict` has given; what is of another form, as in a file that was edited, is left out.

        Args:
            found: The values.

        """
        names = {field.name for field in dataclasses.fields(cls)} - {"git", "inputs", "from_files", *_LISTS}
        plain: dict[str, Any] = {}
        for name in names & found.keys():
            kind: type = Mapping if name in {"settings", "parameters"} else str
            if isinstance(found[name], kind):
                plain[name] = found[name]
        plain |= {name: _texts(found.get(name)) for name in _LISTS}
        inputs, from_files = (tuple(_inputs(found.get(name))) for name in ("inputs", "from_files"))
        return cls(**plain, git=_git(found.get("git")), inputs=inputs, from_files=from_files)


def _texts(found: object) -> tuple[str, ...]:
    texts = found if isinstance(found, (list, tuple)) else ()
    return tuple(each for each in texts if isinstance(each, str))


def _git(found: object) -> GitState | None:
    if not isinstance(found, Mapping) or not isinstance(found.get("commit"), str):
        return None
    return GitState(found["commit"], bool(found.get("dirty")))


def _inputs(found: object) -> list[InputFile]:
    return [
        InputFile(each["path"], each["size"], each["sha256"])
        for each in (found if isinstance(found, (list, tuple)) else ())
        if isinstance(each, Mapping)
        and isinstance(each.get("path"), str)
        and isinstance(each.get("size"), int)
        and isinstance(each.get("sha256"), str)
    ]
