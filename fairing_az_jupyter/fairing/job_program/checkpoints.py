"""Saves the checkpoints of a program while it runs, and restores them where it is started anew.

Stand-alone (see `CONTAINER_FILES` of `job.py`). `checkpoints.tar` is one blob of the job, by a link that reads and
writes it and nothing else. It is an archive whose first file lists the others (see `restoring.py`), and it is replaced
as a whole, by a new list of blocks: whatever breaks off in between leaves the version before.

A version has the files as they were at one moment, when none of them was being written: neither open for writing nor
changed for two seconds. Where some file never rests, such as a log, what else lies directly in the folder is saved
without it, each file or subfolder for itself; then what was deleted stays for one more version, for it may be what is
about to be replaced.

Of several pods of a job, as where a node was thought to be lost, the one that was started last saves, and no other one.
Source: https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.job_program.blob_writer import (
        BlockBlob,
        Caller,
        ChangedBlobError,
        LostBlocksError,
        MissingError,
        SendError,
        StoppedError,
        link_in,
    )
    from fairing_az_jupyter.fairing.job_program.collecting import Snapshot
    from fairing_az_jupyter.fairing.job_program.open_files import written_below
    from fairing_az_jupyter.fairing.job_program.restoring import DamagedError, listed, restored
    from fairing_az_jupyter.fairing.job_program.sending import Archive, describe, say
    from fairing_az_jupyter.fairing.job_program.tar_parts import END
else:  # beside the user's files
    from fairing_az_blob_writer import (
        BlockBlob,
        Caller,
        ChangedBlobError,
        LostBlocksError,
        MissingError,
        SendError,
        StoppedError,
        link_in,
    )
    from fairing_az_collecting import Snapshot
    from fairing_az_open_files import written_below
    from fairing_az_restoring import DamagedError, listed, restored
    from fairing_az_sending import Archive, describe, say
    from fairing_az_tar_parts import END

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    if __package__:
        from fairing_az_jupyter.fairing.job_program.blob_writer import Limits
        from fairing_az_jupyter.fairing.job_program.collecting import FoundFile

CHECKPOINTS = "checkpoints.tar"
"""The blob, and the name of the file that holds the link to it."""

UID = "uid"
"""The file beside the link with the job's identifier: what another job of the same name has saved is not restored."""

_REST_SECONDS = 2.0
_LOOKS = 5
# So that all looks take half of an interval at most.
_REST_OF_INTERVAL = 0.1
_LOST_TRIES = 3
_COMMIT_TRIES = 3
_OK = 200
# So long before the end of a program that was killed a file may have been written to, and not be whole.
_DOUBTED_SECONDS = 0.5
_CLOCK_SECONDS = 0.02
_UNIT = 1000


class _TakenOverError(SendError):
    """Another pod saves now."""


class Checkpoints:
    """The checkpoints of one start of a program; for one thread at a time.

    Args:
        name: The folder's path, relative to the working folder.
        links: The folder with the link.
        limits: How long is tried.
        interval: Seconds between two calls of `send_rested`.

    Raises:
        OSError: The folder can't be made.

    """

    def __init__(self, name: str, links: str, limits: Limits, interval: float) -> None:
        os.makedirs(name, exist_ok=True)  # noqa: PTH103 - pathlib is not loaded
        self._shown, self._limits, self._interval = f"{name.rstrip('/')}/", limits, interval
        # What the image has in it is there again anyway.
        self._snapshot = Snapshot(name)
        self._job = _read(os.path.join(links, UID))  # noqa: PTH118 - as above
        link = link_in(links, CHECKPOINTS)
        self._caller = Caller(link, limits)
        self._attempt, self._started = os.urandom(16).hex(), time.time()
        self._blob = BlockBlob(link, limits, self._attempt[:8])
        self._archive = Archive(self._blob, self._snapshot.folder, limits)
        self._etag = ""
        self._offered: frozenset[int] = frozenset()
        self._number = 0
        self._is_over = False
        self._rest = min(_REST_SECONDS, interval * _REST_OF_INTERVAL)
        self._gone: set[str] = set()
        self._unreadable: set[str] = set()
        self._there: set[int] = set()
        self._writing: set[str] = set()
        self._left_behind: set[str] = set()
        self._looked = 0.0

    def restore(self) -> None:
        """Put the files back that another pod of this job has saved, and print which, and which can't be had.

        Raises:
            StoppedError: The program is not to be started any more.

        """
        why, missing = "", False
        try:
            there = self._caller.ask("HEAD", "", {}, wanted=_OK)[0]
            # Also where this node's clock is behind that of the one before.
            self._started = max(self._started, _started_of(there) + _CLOCK_SECONDS)
            # From here on no pod that was started before writes it.
            self._etag = self._caller.ask("PUT", "comp=metadata", self._marks(), wanted=_OK)[0].get("etag", "")
            found = restored(self._caller, self._etag, self._snapshot.folder, self._job, self._limits)
        except StoppedError:
            raise
        except MissingError:
            missing = True
        except (SendError, DamagedError) as error:
            why = str(error)
        except OSError as error:
            why = error.strerror or type(error).__name__
        else:
            self._archive.tar, self._offered = found.tar, found.versions
            files = f"{len(found.versions)} file{'s' if len(found.versions) != 1 else ''} ({_amount(found.size)})"
            say(f"Restored {files} of {self._shown}, saved {_at(found.saved)} by the pod before this one.")
        finally:
            self._caller.close()
        if missing:
            every = f"every {self._interval:g} s"
            say(f"No checkpoint of this job was saved before. The files in {self._shown} are saved {every}.")
        elif why:
            say(f"The checkpoint of this job can't be restored: {why}. The program begins without it.")

    def send_rested(self) -> None:
        """Save the files that are not being written, if something is new.

        Raises:
            SendError: It was not possible; the version before is still there.

        """
        with contextlib.suppress(_TakenOverError):
            self._send_rested()

    def _send_rested(self) -> None:
        if self._is_over:
            return
        for look in range(_LOOKS):
            before = self._found()
            if not self._is_news(before):
                return
            self._limits.wait(self._rest)
            writing, now = written_below(self._snapshot.folder) or set(), self._found()
            changed = {each.path for each in set(before) ^ set(now)} | writing
            restless = {_entry(path) for path in changed}
            if restless and look < _LOOKS - 1:
                # Files that belong together may lie side by side.
                continue
            if self._sent(now, restless):
                return

    def look(self, runs: Callable[[], bool]) -> None:
        """Note which files are whole and which are being written, before the program gets a signal that may end it.

        Args:
            runs: Tells whether the program is still there: of one that has ended meanwhile nothing can be seen.

        """
        there, writing = {each.version for each in self._found()}, written_below(self._snapshot.folder)
        if runs() and writing is not None:
            self._there, self._writing, self._looked = there, writing, time.time()

    def look_at_the_rest(self) -> None:
        """Note which files are being written by what the program has left behind, just before that is ended."""
        self._left_behind = written_below(self._snapshot.folder) or set()

    def send_last(self, killed: float | None) -> None:
        """Save the files at the program's end; what it was writing when it was killed stays as it was saved before.

        Args:
            killed: When it was ended by a signal, in seconds since 1970; None if it has ended by itself.

        Raises:
            SendError: It was not possible; the version before is still there.

        """
        if self._is_over:
            return
        found, doubted = self._found(), self._left_behind
        if killed is not None:
            seen = self._looked > killed - _REST_SECONDS
            since = killed - (_DOUBTED_SECONDS if seen else _REST_SECONDS)
            late = [each for each in found if each.modified / 1e9 >= since]
            doubted |= {each.path for each in late if not seen or each.version not in self._there}
            doubted |= self._writing if seen else set()
        if not self._is_news(found):
            return
        with contextlib.suppress(_TakenOverError):
            if not self._sent(found, {_entry(path) for path in doubted}):
                raise SendError("its files were changed by another program")
        unsaved = [each.path for each in found if _fits(each) and each.path in doubted and self._is_new(each)]
        if unsaved:
            say(f"Being written when the program was ended, and left as saved before: {describe(unsaved)}")

    def abort(self) -> None:
        """End what is being sent or restored."""
        self._blob.abort()
        self._caller.abort()

    def _found(self) -> list[FoundFile]:
        return self._snapshot.changed()

    def _is_news(self, found: Collection[FoundFile]) -> bool:
        return {each.version for each in found if _fits(each)} != self._offered

    def _is_new(self, found: FoundFile) -> bool:
        return found.version not in self._offered

    def _sent(self, found: Collection[FoundFile], restless: Collection[str]) -> bool:
        """Save a version; return whether the files have stayed as they were found until all of them were read."""
        fitting = [each for each in found if _fits(each)]
        ready = [each for each in fitting if _entry(each.path) not in restless]
        before, done = self._archive.tar.copy(), False
        try:
            there = {each.path for each in fitting}
            gone = {member.path for member, _ in before.files()} - there
            self._archive.tar.retain(there | (gone - self._gone if restless else set()))
            done = self._filled(fitting, ready, gone)
        finally:
            if not done:
                self._archive.tar = before
        return done

    def _filled(self, fitting: list[FoundFile], ready: list[FoundFile], gone: set[str]) -> bool:
        waiting = {each.path for each in fitting} - {each.path for each in ready}
        for left in reversed(range(_LOST_TRIES)):
            tar = self._archive.tar
            try:
                left_out = self._archive.fill(fitting, ready, final=False)
                unreadable = {each.path for each in left_out if each.reason == "unreadable"}
                if not all(tar.has(each) or each.path in unreadable for each in ready):
                    return False
                self._tell(unreadable)
                versions = frozenset(member.version for member, _ in tar.files())
                # A folder that was just emptied is about to be filled.
                if versions and versions != self._offered:
                    self._commit()
                    self._offered, self._gone = versions, gone
            except LostBlocksError:
                # Another pod of this job has written it, or blocks have waited for a week. What is being written can't
                # be sent again as it was.
                if not left or any(tar.knows(path) for path in waiting):
                    raise
                tar.clear()
            else:
                return True
        return False

    def _tell(self, unreadable: set[str]) -> None:
        if new := sorted(unreadable - self._unreadable):
            say(f"Files in {self._shown} can't be read and are not saved: {describe(new)}")
        self._unreadable |= unreadable

    def _commit(self) -> None:
        """Make the blob of what the archive is now, unless a pod that was started later writes it."""
        self._number += 1
        tar = self._archive.tar
        first = listed(tar, self._job, self._attempt, time.time())
        for _ in range(_COMMIT_TRIES):
            condition = {"If-Match": self._etag} if self._etag else {"If-None-Match": "*"}
            try:
                self._etag = self._blob.commit(tar.blocks, END, first=first, headers={**self._marks(), **condition})
            except ChangedBlobError:
                if not self._is_ours():
                    continue
            return
        raise SendError("another program writes the same blob")

    def _is_ours(self) -> bool:
        """Take note of the blob's state; return whether it is what was to be written, and the answer was lost."""
        try:
            there = self._caller.ask("HEAD", "", {}, wanted=_OK)[0]
        except MissingError:
            self._etag = ""
            return False
        finally:
            self._caller.close()
        if _started_of(there) > self._started:
            self._is_over = True
            say(f"Another pod of this job was started after this one: {self._shown} is not saved from here any more.")
            raise _TakenOverError("another pod has taken over")
        self._etag = there.get("etag", "")
        marks = self._marks()
        return all(there.get(name) == value for name, value in marks.items())

    def _marks(self) -> Mapping[str, str]:
        return {
            "x-ms-meta-attempt": self._attempt,
            "x-ms-meta-started": f"{self._started:.6f}",
            "x-ms-meta-number": str(self._number),
        }


def _fits(found: FoundFile) -> bool:
    return found.readable and not found.temporary


def _entry(path: str) -> str:
    """Return what lies directly in the folder: files that are further down are of one moment, too."""
    return path.partition("/")[0]


def _started_of(headers: Mapping[str, str]) -> float:
    with contextlib.suppress(ValueError):
        return float(headers.get("x-ms-meta-started", "0"))
    return 0.0


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as above
        return file.read().strip()


def _amount(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < _UNIT:
            return f"{size:.0f} {unit}"
        size /= _UNIT
    return f"{size:.1f} GB"


def _at(seconds: float) -> str:
    then, today = time.gmtime(seconds), time.gmtime()
    day = "" if then[:3] == today[:3] else time.strftime("on %Y-%m-%d ", then)
    return f"{day}at {time.strftime('%H:%M:%S', then)} UTC"
