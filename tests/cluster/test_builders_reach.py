"""What a build may reach: its own login and its own context, and none that was changed."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from fairing_az_jupyter.exceptions import BuildFailedError
from fairing_az_jupyter.fairing.images.build_errors import fix_for
from fairing_az_jupyter.fairing.images.build_pods import _CONTEXT, _FETCH
from tests.stand.scripted import Scripted


def fetched(folder, content, name):
    """Fetch a context as a build does, where the first answer breaks off and the second is a failure."""
    script = _FETCH.replace(_CONTEXT, str(folder / "context"))
    whole = {"Content-Length": str(len(content))}
    with Scripted(lambda _request: (200, {}, content)) as server:
        server.answer((200, whole, content[: len(content) // 2]), times=1)
        server.answer((503, {}, content), times=1)
        link = f"{server.url}/container/{name}?sig=hidden"
        return subprocess.run(
            [sys.executable, "-I", "-c", script],
            env={"CONTEXT_LINK": link, "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def test_a_context_that_was_changed_in_blob_storage_is_not_built_from(yard):
    yard.task().builder.build()
    account = yard.workshop.setup.settings["AZURE_STORAGE_ACCOUNT"]
    url, key = yard.stand.blob.account_url(account), yard.stand.blob.accounts[account]
    with BlobServiceClient(url, credential=key) as service:
        container = service.get_container_client("fairing-az-jupyter")
        [name] = [blob.name for blob in container.list_blobs(name_starts_with="contexts/")]
        container.upload_blob(name, gzip.compress(b"other files"), overwrite=True)
    # An image of the same contents by another name is built from the same blob.
    yard.path = f"{yard.path}/second"

    with pytest.raises(BuildFailedError, match="was changed: its SHA-256 is") as caught:
        yard.task().builder.build()

    assert caught.value.code == "context-changed"
    assert name in caught.value.hint
    assert yard.workshop.nothing_left()


# Runs while pip makes a wheel of it, as the code of any source package does.
THIEF = """
import json, os, pathlib, ssl, urllib.request

def build_wheel(*_, **__):
    found = {"token": os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token")}
    config = json.loads(pathlib.Path("/kaniko/.docker/config.json").read_text())
    found["logins"] = {host: sorted(entry) for host, entry in config["auths"].items()}
    # Kaniko runs commands without its own variables, but they are there to see.
    environ = dict(each.split("=", 1) for each in pathlib.Path("/proc/1/environ").read_text().split("\\0") if each)
    host = f"{environ['KUBERNETES_SERVICE_HOST']}:{environ['KUBERNETES_SERVICE_PORT']}"
    for kind in ("secrets", "secrets/azcreds", "pods"):
        url = f"https://{host}/api/v1/namespaces/NAMESPACE/{kind}"
        try:
            urllib.request.urlopen(url, timeout=10, context=ssl._create_unverified_context())
            found[kind] = "read"
        except OSError as error:
            found[kind] = getattr(error, "code", str(error))
    raise SystemExit("FOUND " + json.dumps(found))
"""
PROJECT = """
[build-system]
requires = []
build-backend = "thief"
backend-path = ["."]
[project]
name = "thief"
version = "1"
"""


def test_what_a_build_installs_finds_no_token_and_reads_no_secret(yard):
    Path("thief").mkdir()
    Path("thief/thief.py").write_text(THIEF.replace("NAMESPACE", yard.workshop.namespace))
    Path("thief/pyproject.toml").write_text(PROJECT)

    with pytest.raises(BuildFailedError) as caught:
        yard.task("./thief\n", ["thief"]).builder.build()

    [line] = [line for line in caught.value.last_lines if "FOUND {" in line]
    found = json.loads(line[line.index("{") :])
    assert found.pop("token") is False
    assert found.pop("logins") == {yard.workshop.setup.login_server: ["registrytoken"]}
    assert set(found.values()) <= {401, 403}, found
    assert set(found) == {"secrets", "secrets/azcreds", "pods"}


def test_a_context_that_comes_in_part_is_fetched_again(tmp_path):
    inner = b"x" * 1000
    content = gzip.compress(inner)

    done = fetched(tmp_path, content, f"contexts/{hashlib.sha256(inner).hexdigest()}.tar.gz")

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "context").read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"other files"), gzip.compress(b"the files")[:-4], b"no gzip file", b""],
    # A gzip header holds the time, and workers have to agree on the tests' names.
    ids=["other files", "cut off", "no gzip file", "nothing"],
)
def test_a_context_that_was_changed_is_rejected_without_a_word_of_its_link(tmp_path, content):
    done = fetched(tmp_path, content, f"contexts/{hashlib.sha256(b'the files').hexdigest()}.tar.gz")

    assert done.returncode == 1
    name = f"contexts/{hashlib.sha256(b'the files').hexdigest()}.tar.gz"
    assert done.stderr.startswith(f"The build context '{name}' in Blob storage was changed: ")
    assert fix_for([done.stderr])[0] == "context-changed"
    assert "hidden" not in done.stderr
