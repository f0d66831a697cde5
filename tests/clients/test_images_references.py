"""Names of images."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.exceptions import InputError

DIGEST = "sha256:" + "0a" * 32
HUB = "index.docker.io"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("contoso.azurecr.io/team/base:3.11", ("contoso.azurecr.io", "team/base", "3.11", None)),
        (f"contoso.azurecr.io/team/base:3.11@{DIGEST}", ("contoso.azurecr.io", "team/base", "3.11", DIGEST)),
        (f"contoso.azurecr.io/base@{DIGEST}", ("contoso.azurecr.io", "base", None, DIGEST)),
        ("python:3.11-slim", (HUB, "library/python", "3.11-slim", None)),
        ("docker.io/python", (HUB, "library/python", "latest", None)),
        ("registry-1.docker.io/library/python:3", (HUB, "library/python", "3", None)),
        ("jupyter/scipy-notebook", (HUB, "jupyter/scipy-notebook", "latest", None)),
        ("localhost:5000/a:1", ("localhost:5000", "a", "1", None)),
        ("localhost/a", ("localhost", "a", "latest", None)),
        ("[::1]:5000/a/b:c", ("[::1]:5000", "a/b", "c", None)),
        ("Contoso.AzureCR.io/a\n", ("contoso.azurecr.io", "a", "latest", None)),
    ],
)
def test_a_name_is_taken_apart_as_docker_reads_it(text, parts):
    found = ImageReference.parse(text)
    assert (found.host, found.repository, found.tag, found.digest) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "/",
        "a:",
        "a@",
        "Team/Base:1",
        "contoso.azurecr.io/",
        "contoso.azurecr.io/Team",
        "contoso.azurecr.io/a//b",
        "https://contoso.azurecr.io/a",
        "<acr-name>.azurecr.io/a",
        "a:b:c",
        "a:-b",
        f"a:{'x' * 129}",
        "a@sha256:12",
        "a@md5:" + "0" * 32,
        f"a/{'b' * 300}",
        "a b",
        "contoso.azurecr.io/a?x=1",
    ],
)
def test_what_names_no_image_is_refused_with_an_example(text):
    with pytest.raises(InputError) as refused:
        ImageReference.parse(text)
    assert refused.value.code == "image-name"
    assert "contosoml.azurecr.io/team/model:1" in refused.value.hint


@pytest.mark.parametrize("text", [f"contoso.azurecr.io/a/b:1@{DIGEST}", "localhost:5000/a:1", f"{HUB}/library/x:1"])
def test_a_whole_name_is_written_as_it_was_read(text):
    assert str(ImageReference.parse(text)) == text


@pytest.mark.parametrize(
    ("image", "host", "name", "source", "kept"),
    [
        (
            "python:3.11-slim",
            "contosoml.azurecr.io",
            "contosoml",
            "docker.io/library/python:3.11-slim",
            "library/python:3.11-slim",
        ),
        (
            f"index.docker.io/library/python@{DIGEST}",
            "contosoml.azurecr.io",
            "contosoml",
            f"docker.io/library/python@{DIGEST}",
            "library/python:imported",
        ),
        ("ghcr.io/a/b:1", "contosoml-h4sh.azurecr.io", "contosoml", "ghcr.io/a/b:1", "a/b:1"),
    ],
)
def test_an_image_is_imported_by_the_words_that_the_azure_cli_takes(image, host, name, source, kept):
    words, copy = ImageReference.parse(image).import_into(host)

    assert words == ("acr", "import", "--name", name, "--source", source, "--image", kept)
    assert copy == f"{host}/{kept}"
