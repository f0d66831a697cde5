"""Outputs as a job in the cluster leaves them: an archive and its list."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile


def archive(files):
    """Return a tar with the files, and the entries of its manifest.

    Args:
        files: Contents by path.

    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = buffer.getvalue()
    entries = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            digest = hashlib.sha256(files[member.name]).hexdigest()
            entries.append(
                {
                    "path": member.name,
                    "size": member.size,
                    "sha256": digest,
                    "modified": 1.5,
                    "offset": member.offset_data,
                }
            )
    return data, entries


def manifest(entries=(), **changes):
    """Return the bytes of a manifest; without an archive unless one is given."""
    document = {
        "format": 1,
        "attempt": "1a2b",
        "complete": True,
        "files": list(entries),
        "left_out": [],
        "result": None,
        "error": None,
        **changes,
    }
    return json.dumps(document).encode()


def entry(path="a.txt", content=b"abc", **changes):
    """Return a file's entry in a manifest."""
    digest = hashlib.sha256(content).hexdigest()
    return {"path": path, "size": len(content), "sha256": digest, "modified": 1, **changes}


def local(folder, files, **changes):
    """Make a folder of kept outputs.

    Args:
        folder: The folder.
        files: Contents by path.
        changes: Other parts of the manifest.

    """
    for path, content in files.items():
        target = folder / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_bytes(manifest([entry(path, data) for path, data in files.items()], **changes))
    return folder
