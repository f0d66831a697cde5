"""The default builder: dependencies once in the cluster, code and data as a layer through the registry's API."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import logging
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.oci.images import ConfigChanges, ImageReference, Layer
from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context.archive import digest_of
from fairing_az_jupyter.fairing.context.task_files import scratch_file
from fairing_az_jupyter.fairing.images.build_pods import KANIKO_OPTIONS, BuildOrder
from fairing_az_jupyter.fairing.images.builder import (
    ImageBuilder,
    Requirements,
    combined,
    megabytes,
    progress,
    without_base_folders,
)
from fairing_az_jupyter.fairing.images.dockerfiles import dependency_image
from fairing_az_jupyter.fairing.images.kaniko import require_pushed
from fairing_az_jupyter.fairing.images.kaniko_job import build_in_cluster
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fairing_az_jupyter.clients.oci.images import ResolvedImage
    from fairing_az_jupyter.fairing.context.archive import ArchiveEntry

__all__ = ["LayeredBuilder"]

logger = logging.getLogger(LOGGER_NAME)

# A layer that has a folder of that name puts it in the place of the link, and what is behind the link is gone.
# Sources: https://wiki.debian.org/UsrMerge and https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch05s13.html
_LINKS = {name: f"usr/{name}" for name in ("bin", "lib", "lib32", "lib64", "libx32", "sbin")}
_LINKS |= {"var/lock": "run/lock", "var/run": "run"}
_SHARED = ("tmp", "var/tmp")
_DIGITS = 16


class LayeredBuilder(ImageBuilder):
    """Appends a task's files to an image that has what the task's requirements.txt asks for.

    That image is built in the cluster when the first task asks for the same; no build pod runs after that.
    Arguments as of `ImageBuilder`.
    """

    kind = "layered"

    def _make(self, entries: Sequence[ArchiveEntry]) -> str:
        base, requirements = self.pinned_base(), self.requirements(entries)
        layer = _layer_members(entries, self.prefix)
        contents = self.context_digest = digest_of(layer)
        asked = _key(base, requirements, contents, self.platform) if requirements else str(base.digest)
        repository, tag = self.repository(self.image_name), combined("layered 2", asked, self.prefix, contents)
        name = f"{self.registry}/{self.image_name}:{tag}"
        if self.exists(repository, tag):
            return name
        if requirements:
            parent = self._with_dependencies(base, requirements, asked, entries)
        else:
            self.phases.skip("build", "requirements.txt is missing or empty: nothing to install.")
            parent = self._resolved(base)
        self.phases.begin("push")
        with (
            self.packed(layer) as archive,
            _with_shared_folders(Path(str(archive.path)), layer) as path,
            Layer.from_file(path) as made,
        ):
            pushed = self.images.append(
                parent,
                self._launcher.images(parent.host),
                made,
                repository=repository,
                tag=tag,
                created_by=f"fairing-az-jupyter: {archive.members} files of the task, sha256:{archive.digest}",
                changes=ConfigChanges(env={"FAIRING_RUNTIME": "1"}, working_dir=f"/{self.prefix}"),
                progress=progress("image"),
            )
        self.image_digest = pushed.digest
        logger.info("Image %s is pushed: %s sent.", name, megabytes(pushed.sent_bytes))
        self.phases.say(f"Image {name}: {megabytes(pushed.sent_bytes)} sent.")
        return name

    def _resolved(self, reference: ImageReference) -> ResolvedImage:
        return self._launcher.images(reference.host).resolve(reference, self.platform)

    def _with_dependencies(
        self, base: ImageReference, requirements: Requirements, tag: str, entries: Sequence[ArchiveEntry]
    ) -> ResolvedImage:
        """Return the image that has what is asked for; it is built if it is not in the registry yet."""
        # A repository for each, for the build may push to the whole of it: no package that is installed into one image
        # can put another in the place of somebody else's. Not a folder of them: Docker Hub has none.
        repository = self.repository(f"fairing-dependencies-{tag[:_DIGITS]}")
        reference = ImageReference(self._host, repository, tag)
        if self.images.has(repository, tag) is None:
            # The requirement's file alone, so that the image is the same whatever the code is.
            within, beside = self.parted(entries) if requirements.needs_files else ((requirements.entry,), ())
            logger.warning("The packages of requirements.txt are installed into an image, once: %s", reference)
            text = dependency_image(
                str(base),
                self.prefix,
                requirements.shown,
                all_first=requirements.needs_files,
                beside=bool(beside),
            )
            order = BuildOrder(
                image=str(reference),
                tag=tag,
                base=str(base),
                options=KANIKO_OPTIONS,
                requirements=requirements.shown,
                placement=self.placement(),
            )
            digest = build_in_cluster(self._launcher, order, lambda: self.link(within, text, beside), self.phases)
            require_pushed(self.images, repository, tag)
            # A tag may be given to another image meanwhile.
            reference = dataclasses.replace(reference, digest=digest or None)
        else:
            logger.info("The packages of requirements.txt are already in image %s.", reference)
            self.phases.skip("build", f"The packages of requirements.txt are already in image {reference}.")
        return self._resolved(reference)


def _layer_members(entries: Iterable[ArchiveEntry], prefix: str) -> tuple[ArchiveEntry, ...]:
    """Return what goes into a layer: nothing in it changes a folder of the base image, or hides one behind a link."""
    members = []
    for entry in without_base_folders(entries, prefix):
        link = next((link for link in _LINKS if f"{entry.destination}/".startswith(f"{link}/")), None)
        if link is None:
            members.append(entry)
        elif entry.destination != link:
            placed = f"{_LINKS[link]}{entry.destination[len(link) :]}"
            logger.warning("'/%s' goes to '/%s': '/%s' is a link in most images.", entry.destination, placed, link)
            members.append(dataclasses.replace(entry, destination=placed))
    return tuple(members)


@contextlib.contextmanager
def _with_shared_folders(archive: Path, members: Sequence[ArchiveEntry]) -> Iterator[Path]:
    """Put before an archive what keeps /tmp open to everybody.

    Where a layer has a file in a folder and not the folder itself, some container runtimes make one of mode 0755.
    """
    named = [name for name in _SHARED if any(entry.destination.startswith(f"{name}/") for entry in members)]
    if not named:
        yield archive
        return
    path = scratch_file(".tar.gz")
    try:
        try:
            with archive.open("rb") as rest, path.open("wb") as file:
                # Two members make one gzip file (RFC 1952), and a tar without an end continues with the next.
                file.write(gzip.compress(b"".join(map(_shared_folder, named)), mtime=0))
                shutil.copyfileobj(rest, file, 1 << 20)
        except OSError as error:
            raise ContextError(
                f"The archive '{path}' can't be written ({error.strerror or error}), so no layer can be built from it.",
                hint="Free some disk space.",
            ) from error
        yield path
    finally:
        path.unlink(missing_ok=True)


def _shared_folder(name: str) -> bytes:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
    return folder.tobuf(tarfile.PAX_FORMAT)


def _key(base: ImageReference, requirements: Requirements, contents: str, platform: str) -> str:
    """Return the tag of the image with dependencies: another one where what is installed might be another."""
    asked = contents if requirements.needs_files else hashlib.sha256(requirements.content).hexdigest()
    return combined("dependencies 2", str(base.digest), asked, platform)
