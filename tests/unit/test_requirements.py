"""Requirements files in all forms that pip reads: what they need, and what of them may be shown."""

from __future__ import annotations

import time

import pytest

from fairing_az_jupyter.fairing.context.requirements import (
    asks_for_something,
    needs_files,
    requirements_shown,
    requirements_text,
    without_secrets,
)

TEXT = "numpy==1.26  # größer\r\npandas\r\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        b"# -*- coding: latin-1 -*-\n" + TEXT.encode("latin-1"),
        b"# coding: none-such\n" + TEXT.encode("latin-1"),
    ],
    ids=["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "declared", "undeclared"],
)
def test_a_file_is_read_in_the_encoding_that_it_has(content):
    assert requirements_shown(requirements_text(content)) == "numpy==1.26, pandas"


@pytest.mark.parametrize(
    "text",
    [
        "-r more.txt",
        "-rmore.txt",
        "--requirement=more.txt",
        "--requirement more.txt",
        "-c bounds.txt",
        "--constraint=bounds.txt",
        "-e .",
        "-e ./lib[extra]",
        "--editable=lib",
        "-f wheels",
        "--find-links ./wheels",
        "--extra-index-url ./simple",
        "--index-url=file:///app/simple",
        "./wheels/x.whl",
        "x-1.0-py3-none-any.whl ; python_version > '3'",
        "lib/",
        ".\\lib",
        "x @ file:///app/x.whl",
        "git+file:///app/x",
        "FILE:///app/x.whl",
        "# a comment ends with its line \\\n-r more.txt",
        "numpy \\\n\n./x.whl",
    ],
)
def test_what_names_a_file_needs_the_task_s_files(text):
    assert needs_files(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "numpy",
        "numpy>=1,<2 ; python_version < '4' # ./no/file",
        "numpy==1.26 \\\r\n    --hash=sha256:abc \\\r\n    --hash=sha256:def",
        "--index-url https://pypi.contoso.com/simple",
        "--extra-index-url ${INDEX_URL}",
        "-f https://download.pytorch.org/whl/torch_stable.html",
        "-e git+https://github.com/contoso/lib.git@v1#egg=lib",
        "x @ https://contoso.com/x-1.0-py3-none-any.whl",
        "HTTPS://contoso.com/x-1.0-py3-none-any.whl",
        "-r https://contoso.com/requirements.txt",
        "--pre\n--require-hashes\n--only-binary :all:\n--no-binary x",
        "# -r more.txt",
    ],
)
def test_what_names_no_file_needs_nothing_else_of_the_task(text):
    assert not needs_files(text)


@pytest.mark.parametrize(
    "text", ["", "\r\n \r\n", "# numpy", "--pre", "-c bounds.txt", "\ufeff# x", "-i https://h/simple"]
)
def test_a_file_that_asks_for_nothing_is_known(text):
    assert not asks_for_something(text)


@pytest.mark.parametrize("text", ["numpy", "# x\nnumpy", "-r more.txt", "-e .", "--requirement=x", "x \\"])
def test_a_file_that_asks_for_something_is_known(text):
    assert asks_for_something(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("numpy \\\n  --hash=sha256:abc\npandas", "numpy, pandas"),
        ("gree\\\nter==1.0", "greeter==1.0"),
        ("--index-url https://u:SECRET@h/simple\nnumpy", "numpy"),
        ("git+https://SECRET@github.com/contoso/lib.git@v1", "git+https://***@github.com/contoso/lib.git@v1"),
        ("-e git+https://u:SEC@RET@h/lib.git#egg=lib", "git+https://***@h/lib.git#egg=lib"),
        (
            "x @ https://a.blob.core.windows.net/c/x.whl?sv=1&sig=SEC,RET ; a > 'b'",
            "x @ https://a.blob.core.windows.net/c/x.whl?*** ; a > 'b'",
        ),
        ("x @ https://h/SECRETsecret1234567890SECRET/x.whl", "x @ https://h/***/x.whl"),
        ("x @ https://${USER}:${SECRET}@h/x.whl", "x @ https://***@h/x.whl"),
        ("a\x1b[31m\x00b", "a?[31m?b"),
        ("a\u2028b", "a, b"),
    ],
)
def test_what_is_shown_is_one_line_without_options_and_credentials(text, shown):
    assert requirements_shown(text) == shown


def test_of_a_thousand_lines_the_beginning_is_shown():
    shown = requirements_shown("".join(f"package-{number}==1.0\n" for number in range(1000)))

    assert shown.startswith("package-0==1.0, package-1==1.0, ")
    assert shown.endswith("...")
    assert len(shown) < 4100


def test_what_pip_says_loses_its_credentials_and_nothing_else():
    line = "ERROR: 403 Client Error for url: https://u:SECRET@h/x.whl?sig=SECRET (from line 1), see git@h"

    assert without_secrets(line) == "ERROR: 403 Client Error for url: https://***@h/x.whl?*** (from line 1), see git@h"
    assert without_secrets("Collecting numpy@1?2") == "Collecting numpy@1?2"


@pytest.mark.parametrize(
    "text", ["\t" * 200_000 + "x", "https://" + "a" * 200_000, "https://" + "/a" * 100_000 + "@", "?" * 200_000]
)
def test_no_line_is_so_odd_that_it_takes_long(text):
    start = time.monotonic()

    needs_files(text)
    asks_for_something(text)
    requirements_shown(text)
    without_secrets(f"x://{text}")

    assert time.monotonic() - start < 2
