"""What the builders of images for a cluster have in common: the task's files, the base image, names by digest."""

from __future__ import annotations

import abc
import contextlib
import hashlib
import logging
import posixpath
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.builders.base_builder import BaseBuilder

from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.exceptions import ContextError, CredentialError, NotAllowedError, UnreachableError
from fairing_az_jupyter.fairing.cluster.outputs_pod import JOB
from fairing_az_jupyter.fairing.cluster.pod_spec import plain_spec
from fairing_az_jupyter.fairing.context.archive import ArchiveEntry, write_archive
from fairing_az_jupyter.fairing.context.job_files import check_apart, provenance_of
from fairing_az_jupyter.fairing.context.requirements import (
    asks_for_something,
    needs_files,
    requirements_shown,
    requirements_text,
)
from fairing_az_jupyter.fairing.context.task_files import code_digest, entries_of, forgetting, names_of, scratch_file
from fairing_az_jupyter.fairing.images.build_pods import longest_seconds
from fairing_az_jupyter.fairing.images.dockerfiles import BESIDE
from fairing_az_jupyter.fairing.images.dockerfiles import FILE_NAME as DOCKERFILE
from fairing_az_jupyter.fairing.images.job_files import JobFiles, tag_with
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.launch_events import Phases, Progress, watcher
from fairing_az_jupyter.machine import image_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fairing_az_jupyter.clients.azure.blob.contexts import StoredContext
    from fairing_az_jupyter.clients.oci.images import ImageStore
    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.context.archive import Archive
    from fairing_az_jupyter.outputs.sources import FileSource

__all__ = ["ImageBuilder", "Requirements", "combined", "megabytes", "progress", "without_base_folders"]

logger = logging.getLogger(LOGGER_NAME)

_TAG_LENGTH = 32
# From the making of the link to the build's start, and for a clock that goes before.
_LINK_MARGIN_SECONDS = 900
# https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas: seven days, and clocks may differ.
_LONGEST_LINK_SECONDS = 7 * 24 * 3600 - 3600
_PLACEMENT = ("affinity", "imagePullSecrets", "nodeSelector", "priorityClassName", "schedulerName", "tolerations")


class ImageBuilder(BaseBuilder, abc.ABC):  # type: ignore[misc] # Fairing is untyped
    """Makes a task's image and pushes it; its tag is the digest of what is in it, so that none is made twice.

    Args:
        launcher: Registry, Storage account and cluster.
        preprocessor: Fairing's preprocessor, which knows the files and the command.
        base_image: The image to start from.
        pod_spec_mutators: Functions that change a pod's specification; where they put a job's pod, builds run, too.

    Attributes:
        source: The files of an earlier job that go into the application's folder; None for none.

    """

    kind = ""

    def __init__(
        self,
        launcher: Launcher,
        preprocessor: Any,  # noqa: ANN401 - Fairing is untyped
        base_image: str,
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
    ) -> None:
        host, _, path = str(launcher.settings.docker_registry).partition("/")
        super().__init__(
            registry=str(launcher.settings.docker_registry),
            image_name="fairing-job",
            base_image=base_image,
            push=True,
            preprocessor=preprocessor,
        )
        self._launcher = launcher
        self._mutators = tuple(pod_spec_mutators or ())
        self._host, self._path = host, path
        self.phases = Phases()
        self.source: FileSource | None = None
        self.context_digest = self.image_digest = ""
        weakref.finalize(self, forgetting(preprocessor))

    def build(self) -> None:
        """Have the image in the registry; nothing is built or sent if it is there.

        Raises:
            ContextError: The task's files can't be packed.
            BuildFailedError: It was built in the cluster or by Azure, and that failed.
            ServiceError: Registry, Storage account or cluster do not do what is asked.

        """
        with self.phases as phases:
            phases.begin("context")
            entries = entries_of(self.preprocessor)
            if self.source is not None:
                check_apart(self.source, entries, self.prefix)
            name = self._make(entries)
            self.image_tag = name if self.source is None else self._with_files(name, self.source)

    def generate_pod_spec(self, image: str | None = None) -> Any:  # noqa: ANN401 - Fairing is untyped
        """Return Fairing's pod specification, to be run by nodes that can run the image; it knows our own program."""
        pod_spec = super().generate_pod_spec(image)
        pod_spec.node_selector = {"kubernetes.io/arch": self.platform.partition("/")[2]}
        pod_spec.job_program = f"/{self.prefix}/{JOB}" if self.prefix else f"/{JOB}"
        return pod_spec

    def provenance(self) -> dict[str, Any]:
        """Return what a record tells of the launch, by the names of `Provenance`; no connection is opened for it."""
        settings, launcher = self._launcher.settings, self._launcher
        found: dict[str, Any] = {
            "backend": settings.backend,
            "settings": settings.model_dump(mode="json", exclude_defaults=True),
            "code": code_digest(self.preprocessor),
            "context": self.context_digest,
            "image": self.image_tag or "",
            "image_digest": self.image_digest,
            "command": tuple(map(str, self.preprocessor.get_command())),
            "mutators": names_of(self._mutators),
            **provenance_of(self.source),
        }
        if "cluster" in vars(launcher):
            cluster = launcher.cluster
            found |= {"namespace": cluster.namespace, "server": cluster.connection.address}
        return found

    @property
    def images(self) -> ImageStore:
        """The registry that images are pushed to."""
        return self._launcher.images(self._host)

    @property
    def platform(self) -> str:
        """What images are made for, such as `linux/amd64`: this machine's kind where it is one of the cluster's."""
        return image_platform(of_this_machine=self._launcher.in_cluster)

    @property
    def prefix(self) -> str:
        """The application's folder in the image, without slashes around it."""
        return str(self.preprocessor.path_prefix).strip("/")

    def _with_files(self, name: str, source: FileSource) -> str:
        """Have an image in the registry that is another one with the files of a job; return its whole name."""
        name, _, tag = name.rpartition(":")
        repository = self.repository(self.image_name)
        self.phases.begin("push")
        files = JobFiles(self.images, repository, self.platform)
        tag, self.image_digest = files.added(tag, source, self.prefix, progress("files of the job"))
        size = megabytes(sum(file.size for file in source.files))
        sent = f"{megabytes(files.sent)} sent" if files.sent else "nothing sent"
        self.phases.say(f"Image {name}:{tag}: {len(source.files)} files of '{source.name}' ({size}), {sent}.")
        logger.info("Image %s:%s has the files of '%s' (%s): %s.", name, tag, source.name, size, sent)
        return f"{name}:{tag}"

    @abc.abstractmethod
    def _make(self, entries: Sequence[ArchiveEntry]) -> str:
        """Have the image in the registry and return its whole name."""

    def repository(self, name: str) -> str:
        """Return a repository of the registry, below the path that its setting has.

        Args:
            name: Its last part.

        """
        return f"{self._path}/{name}" if self._path else name

    def requirements(self, entries: Iterable[ArchiveEntry]) -> Requirements | None:
        """Return what the task asks for; None where it has no requirements file, or one that asks for nothing.

        Args:
            entries: The task's files.

        """
        wanted = posixpath.join(self.prefix, "requirements.txt")
        found = next((entry for entry in entries if entry.destination == wanted and entry.kind != "folder"), None)
        if found is None or found.source is None:
            return None
        asked = Requirements(found)
        return asked if asked.any else None

    def exists(self, repository: str, tag: str) -> bool:
        """Tell whether an image, or the one with the files of `source`, is there; if so the user hears of it.

        Args:
            repository: Its repository.
            tag: Its tag.

        """
        found, digest = tag, None
        if self.source is not None:
            # Whoever prunes images knows of no need for the one without the files.
            found = tag_with(tag, self.source, self.prefix)
            digest = self.images.has(repository, found)
        if digest is None:
            found, digest = tag, self.images.has(repository, tag)
        if digest is None:
            return False
        tag = found
        self.image_digest = digest
        logger.info("Image %s/%s:%s already exists: nothing is built or pushed.", self._host, repository, tag)
        self.phases.skip("build", f"Image {self._host}/{repository}:{tag} already exists.")
        self.phases.skip("push", "The image already exists.")
        return True

    @contextlib.contextmanager
    def packed(self, entries: Iterable[ArchiveEntry]) -> Iterator[Archive]:
        """Pack files into an archive that is removed at the end.

        Args:
            entries: The members.

        """
        path = scratch_file(".tar.gz")
        try:
            yield write_archive(entries, path, compression="gzip")
        finally:
            path.unlink(missing_ok=True)

    def kept(self, entries: Iterable[ArchiveEntry]) -> StoredContext:
        """Have a build context in the Storage account; it is sent only if it is not there.

        Args:
            entries: Its members.

        """
        with self.packed(entries) as archive:
            contexts = self._launcher.contexts
            stored = contexts.keep(_path_of(archive), archive.digest, progress=_Progress("build context"))
        what = f"{archive.members} files, {megabytes(stored.size)}"
        reported = f"sent ({what})" if stored.sent else f"already uploaded ({what})"
        logger.info("The build context is in storage account '%s': %s.", contexts.account, reported)
        self.phases.say(f"In storage account '{contexts.account}': {reported}.")
        return stored

    def parted(self, entries: Iterable[ArchiveEntry]) -> tuple[tuple[ArchiveEntry, ...], tuple[ArchiveEntry, ...]]:
        """Return the files of the application's folder, and those that go to other places of the image.

        Args:
            entries: The task's files.

        """
        members = without_base_folders(entries, self.prefix)
        if not self.prefix:
            # Requirements are installed before everything else is there.
            return tuple(entry for entry in members if entry.destination == "requirements.txt"), members
        inner = tuple(entry for entry in members if f"{entry.destination}/".startswith(f"{self.prefix}/"))
        within = set(inner)
        return inner, tuple(entry for entry in members if entry not in within)

    def link(
        self, entries: Iterable[ArchiveEntry], dockerfile: str, beside: Sequence[ArchiveEntry] = ()
    ) -> SecretValue:
        """Have a build context in the Storage account and return the link by which a build can read it.

        Args:
            entries: Its members.
            dockerfile: The text of its Dockerfile, which becomes a member, too.
            beside: What becomes an archive in it, for other places than the application's folder.

        """
        with contextlib.ExitStack() as scratch:
            path = _removed_by(scratch, scratch_file(".Dockerfile"))
            path.write_text(dockerfile, encoding="utf-8")
            members = [*entries, ArchiveEntry(DOCKERFILE, path)]
            if beside:
                archive = _removed_by(scratch, scratch_file(".tar"))
                write_archive(beside, archive, compression="none")
                members.append(ArchiveEntry(BESIDE, archive))
            stored = self.kept(members)
        # As long as the build may last: a pod that takes another one's place reads it again.
        seconds = min(longest_seconds(self._launcher.settings) + _LINK_MARGIN_SECONDS, _LONGEST_LINK_SECONDS)
        return self._launcher.contexts.link(stored, seconds / 3600)

    def placement(self) -> dict[str, Any]:
        """Return where the user's mutators put the pods of a task, for the pod that builds its image."""
        # The task's own specification, as mutators know it: with a command, variables and a container of that name.
        spec = plain_spec(self.generate_pod_spec("not-built-yet"), self._mutators, self._launcher.target.namespace)
        return {field: spec[field] for field in _PLACEMENT if field in spec}

    def pinned_base(self) -> ImageReference:
        """Return the base image by the digest that it has now.

        Raises:
            ContextError: The image does not exist.
            ServiceError: Its registry does not say.

        """
        named = ImageReference.parse(self.base_image)
        if named.digest:
            return ImageReference(named.host, named.repository, None, named.digest)
        try:
            digest = self._launcher.images(named.host).has(named.repository, named.reference)
        except UnreachableError as error:
            if named.host != self._host:
                error.hint = f"Its base image is '{self.base_image}'. Check the setting base_image."
            raise
        except (CredentialError, NotAllowedError) as error:
            if named.host != self._host:
                error.hint = self._other_registry(named)
            raise
        if digest is None:
            raise ContextError(
                f"Registry '{named.host}' has no image '{named.repository}:{named.reference}', which this task's "
                "image is based on.",
                hint="Correct base_docker_image or the setting base_image, and check that the image was pushed.",
                code="base-image",
            )
        return ImageReference(named.host, named.repository, None, digest)

    def _other_registry(self, base: ImageReference) -> str:
        secret = self._launcher.settings.registry_secret_name
        words, _ = base.import_into(self._host)
        return (
            f"Its base image is '{self.base_image}', and Secret '{secret}' has no login for it. Add one, correct "
            f"base_image, or copy the image to your own registry and name it there: az {' '.join(words)}"
        )


class Requirements:
    """A task's requirements file.

    Args:
        entry: The member of the archive that it is.

    Raises:
        ContextError: It can't be read.

    """

    def __init__(self, entry: ArchiveEntry) -> None:
        self.entry = entry
        source = Path(str(entry.source))
        try:
            self.content = source.read_bytes()
        except OSError as error:
            raise ContextError(
                f"'{source}' can't be read ({error.strerror}), so the packages to install are unknown.",
                hint="Grant yourself permission: chmod u+r",
            ) from error
        text = requirements_text(self.content)
        self.any = asks_for_something(text)
        # In a folder that is taken as a whole, it may be a link to one of several.
        self.needs_files = needs_files(text) or entry.kind == "symlink"
        self.shown = requirements_shown(text)


class _Progress:
    """Tells how far something large has come, each tenth of it once."""

    def __init__(self, what: str) -> None:
        self._what, self._reported = what, 0
        # What sends may do so in threads of its own.
        self._watcher = watcher()

    def __call__(self, done: int, size: int) -> None:
        if self._watcher is not None:
            self._watcher(Progress(self._what, done, size))
        tenth = 10 * done // size if size else 10
        if size > 32 << 20 and self._reported < tenth < 10:  # noqa: PLR2004 - the last tenth is the end
            self._reported = tenth
            logger.info("Sending the %s: %d %% of %s.", self._what, 10 * tenth, megabytes(size))


def progress(what: str) -> Callable[[int, int], None]:
    """Return what tells how far something that is sent has come.

    Args:
        what: What it is.

    """
    return _Progress(what)


def combined(*parts: str) -> str:
    """Return a tag that tells images apart by what is in them.

    Args:
        parts: Digests and whatever else makes a difference.

    """
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_TAG_LENGTH]


def without_base_folders(entries: Iterable[ArchiveEntry], prefix: str) -> tuple[ArchiveEntry, ...]:
    """Return members without the folders that the base image may have, too: those keep what they are there.

    A member that is a folder would set the permissions of the base image's, such as those of /tmp.

    Args:
        entries: The members.
        prefix: The application's folder, whose folders stay, as do folders that hold nothing.

    """
    members = tuple(entries)
    holding = {posixpath.dirname(entry.destination) for entry in members}
    return tuple(
        entry
        for entry in members
        if entry.kind != "folder"
        or entry.destination not in holding
        or (prefix and f"{entry.destination}/".startswith(f"{prefix}/"))
    )


def megabytes(size: int) -> str:
    """Return an amount of data as a reader takes it in.

    Args:
        size: Bytes.

    """
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"  # noqa: PLR2004 - 0.1 MB


def _removed_by(scratch: contextlib.ExitStack, path: Path) -> Path:
    scratch.callback(path.unlink, missing_ok=True)
    return path


def _path_of(archive: Archive) -> Path:
    return Path(str(archive.path))
