"""URLs of blobs: what they name, and what is refused without showing a secret."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.azure.blob.urls import BlobUrl
from fairing_az_jupyter.exceptions import InputError

HOST = "contosomldata.blob.core.windows.net"


@pytest.mark.parametrize(
    ("url", "endpoint", "account", "container", "name"),
    [
        (f"abs://{HOST}/runs/a/b.ipynb", f"https://{HOST}", "contosomldata", "runs", "a/b.ipynb"),
        (f"abs://{HOST.upper()}/runs/B.ipynb", f"https://{HOST}", "contosomldata", "runs", "B.ipynb"),
        (f"abs://{HOST}/$root/a b%20ä#1.ipynb", f"https://{HOST}", "contosomldata", "$root", "a b%20ä#1.ipynb"),
        (
            "abs://gov.blob.core.usgovcloudapi.net/runs/a",
            "https://gov.blob.core.usgovcloudapi.net",
            "gov",
            "runs",
            "a",
        ),
        ("abs://acc.blob.core.chinacloudapi.cn/runs/a", "https://acc.blob.core.chinacloudapi.cn", "acc", "runs", "a"),
        ("abs://acc.z01.blob.storage.azure.net/runs/a", "https://acc.z01.blob.storage.azure.net", "acc", "runs", "a"),
        ("abs://127.0.0.1:10000/acc/runs/a/b", "https://127.0.0.1:10000/acc", "acc", "runs", "a/b"),
    ],
)
def test_a_url_names_account_container_and_blob_in_every_cloud(url, endpoint, account, container, name):
    found = BlobUrl.parse(url)

    assert (found.endpoint, found.account, found.container, found.name) == (endpoint, account, container, name)
    assert BlobUrl.parse(str(found)) == found


@pytest.mark.parametrize("end", ["runs", "runs/", "runs/a/", "runs/a"])
def test_what_names_begin_with_may_be_empty_or_a_folder(end):
    assert BlobUrl.parse(f"abs://{HOST}/{end}", prefix=True).container == "runs"


@pytest.mark.parametrize(
    "tail",
    [
        "?sv=2024-11-04&sig=MARKED%2Fsecret%3D",
        "?",
        "%3Fsv=2024&sig=MARKED",
        "&sig=MARKED",
        "#sig=MARKED",
        "?SIG=MARKED",
    ],
)
def test_a_signature_is_refused_and_shown_nowhere(tail):
    for spelled in ("abs", "https", "ABS"):
        with pytest.raises(InputError) as refused:
            BlobUrl.parse(f"{spelled}://{HOST}/runs/a.ipynb{tail}")
        assert "MARKED" not in str(refused.value)
        assert "sig=" not in str(refused.value).lower()
        assert f"{HOST}/runs/a.ipynb" in refused.value.message


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (f"https://{HOST}/runs/a.ipynb", f"abs://{HOST}/runs/a.ipynb"),
        (f"http://{HOST}/runs/a.ipynb", f"abs://{HOST}/runs/a.ipynb"),
        (f"ABS://{HOST}/runs/a.ipynb", f"abs://{HOST}/runs/a.ipynb"),
        ("abfss://runs@acc.dfs.core.windows.net/a.ipynb", "abs://acc.blob.core.windows.net/runs/a.ipynb"),
        ("abs://contosomldata/runs/a.ipynb", f"abs://{HOST}"),
    ],
)
def test_another_spelling_is_refused_with_the_right_one(url, hint):
    with pytest.raises(InputError) as refused:
        BlobUrl.parse(url)

    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"abs://{HOST}", "not name a container"),
        (f"abs://{HOST}/", "not name a container"),
        (f"abs://{HOST}/runs", "not name a blob"),
        (f"abs://{HOST}/runs/", "not name a blob"),
        (f"abs://{HOST}/runs/folder/", "not name a blob"),
        (f"abs://{HOST}/Runs/a", "invalid container name"),
        (f"abs://{HOST}/r/a", "invalid container name"),
        (f"abs://{HOST}/a--b/a", "invalid container name"),
        (f"abs://{HOST}/{'a' * 64}/a", "invalid container name"),
        (f"abs://{HOST}/runs/../other/a", "'..'"),
        (f"abs://{HOST}/runs/./a", "'.'"),
        (f"abs://{HOST}/runs/a\n.ipynb", "character"),
        (f"abs://{HOST}/runs/a\ud800.ipynb", "character"),
        (f"abs://{HOST}/runs/a\\b.ipynb", "character"),
        (f"abs://{HOST}/runs/{'a' * 1025}", "1024"),
        ("abs://", "host"),
        ("abs:///runs/a", "host"),
        ("abs://evil.example.com/runs/a", "host"),
        (f"abs://{HOST}.example.com/runs/a", "host"),
        (f"abs://x.{HOST}/runs/a", "host"),
        (f"abs://{HOST}:8443/runs/a", "host"),
        ("abs://127.0.0.1:10000/runs", "not name a container"),
        ("", "abs://"),
        ("runs/a.ipynb", "abs://"),
    ],
)
def test_what_names_no_blob_is_refused_in_one_printable_sentence(url, told):
    with pytest.raises(InputError) as refused:
        BlobUrl.parse(url)

    assert told in refused.value.message
    assert refused.value.message.isprintable()
    assert refused.value.hint


def test_a_login_in_a_url_is_refused_and_not_shown():
    with pytest.raises(InputError) as refused:
        BlobUrl.parse(f"abs://user:MARKED@{HOST}/runs/a.ipynb")

    assert "MARKED" not in str(refused.value)
