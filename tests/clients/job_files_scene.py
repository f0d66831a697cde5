"""A folder as a job's container has it, and what its program has sent from there."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import textwrap
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from fairing_az_jupyter.clients.azure.blob.storage import BlobStore

CONTAINER = "job-files"


@dataclasses.dataclass
class Job:
    """A folder as a job's container has it, and the blobs that its links lead to."""

    store: BlobStore
    folder: Path
    links: Path
    launch: str
    environ: dict[str, str]
    via: str = ""

    def link(self, name, via="", *, both=False):
        make = self.store.read_write_sas if both else self.store.write_sas
        link = make(CONTAINER, f"outputs/{self.launch}/{name}").reveal()
        if via:
            link = f"{via}/{link.partition('://')[2].partition('/')[2]}"
        (self.links / name).write_text(link)

    def start(self, code, *options, interval=60, **more):
        program = self.folder / "program.py"
        program.write_text(textwrap.dedent(code))
        command = [sys.executable, str(self.folder / "fairing_az_job.py"), "--links", str(self.links)]
        command += ["--interval", str(interval), *options, "--", sys.executable, "program.py"]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )

    def run(self, code, *options, timeout=120, **more):
        process = self.start(code, *options, **more)
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output

    def blob(self, name):
        client = self.store._client().get_blob_client(CONTAINER, f"outputs/{self.launch}/{name}")  # noqa: SLF001
        return client.download_blob()

    def exists(self, name):
        client = self.store._client().get_blob_client(CONTAINER, f"outputs/{self.launch}/{name}")  # noqa: SLF001
        return client.exists()

    def manifest(self):
        return json.loads(self.blob("manifest.json").readall())

    def arrived(self):
        """Return the files by path, after the archive, the list and each other were held against each other."""
        manifest, tar = self.manifest(), self.blob("files.tar")
        assert manifest["tar"]["etag"] == tar.properties.etag
        data = tar.readall()
        assert manifest["tar"]["size"] == len(data)
        found = {}
        for each in manifest["files"]:
            content = data[each["offset"] : each["offset"] + each["size"]]
            assert hashlib.sha256(content).hexdigest() == each["sha256"], each
            found[each["path"]] = content
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            unpacked = {member.name: archive.extractfile(member).read() for member in archive}
        assert {name: unpacked[name] for name in found} == found
        if manifest["complete"]:
            assert unpacked.keys() == found.keys()
        return found

    def until(self, what, seconds=30):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end
            time.sleep(0.1)
