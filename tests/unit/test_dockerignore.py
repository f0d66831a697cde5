from __future__ import annotations

import contextlib
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context.dockerignore import IgnoreRules


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ("*.go", "main.go"),
        ("temp?", "tempa"),
        ("*/temp*", "somedir/temporary.txt"),
        ("*/*/temp*", "somedir/subdir/temporary.txt"),
        ("**/*.go", "main.go"),
        ("**/*.go", "a/b/c/main.go"),
        ("**", "a/b"),
        ("**/", "a"),
        ("**/**", "a/b"),
        ("dir/**", "dir/a/b"),
        ("**/dir/**", "x/dir/a"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        ("a**/*.txt", "a/dir/file.txt"),
        ("a/*.txt**", "a/file.txt"),
        ("**file", "dir/file"),
        ("**file", "dir/myfile"),
        ("foo/bar", "foo/bar"),
        ("/foo/bar", "foo/bar"),
        ("//foo", "foo"),
        ("foo/", "foo"),
        ("./foo", "foo"),
        ("a/../foo", "foo"),
        ("../foo/../bar/../../foo", "../../foo"),
        ("foo", "foo/bar/baz.txt"),
        ("*", "dir/file"),
        (".*", ".git/config"),
        ("a[b-d]e", "ace"),
        ("a[^b-d]e", "aze"),
        ("[\u0430-\u044f]*", "\u0436"),
        (r"[\]a]", "]"),
        (r"[x\-]", "-"),
        (r"a\*b", "a*b"),
        (r"\#kept", "#kept"),
        (r"\!kept", "!kept"),
        ("a?b", "a☺b"),
        ("a(b)c+{1}|^$", "a(b)c+{1}|^$"),
        ("docs/my notes", "docs/my notes"),
        ("  padded\t", "padded"),
        (" # not a comment", "# not a comment"),
        ("Dockerfile\n.dockerignore", "Dockerfile"),
        ("Dockerfile\n.dockerignore", ".dockerignore"),
        ("name\nwith", "with"),
        ("*", "new\nline"),
        ("caf\udce9", "caf\udce9"),
    ],
)
def test_a_pattern_excludes_what_docker_excludes(rules, path):
    assert IgnoreRules.parse(rules).ignores(path)


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ("*.go", "dir/main.go"),
        ("temp?", "temp"),
        ("temp?", "temp/"),
        ("*/temp*", "temporary.txt"),
        ("a*b", "a/b"),
        ("a?b", "a/b"),
        ("foo", "dir/foo"),
        ("foo", "foobar"),
        ("foo/*", "foo"),
        ("dir/**", "dir"),
        ("a/*.txt", "a/dir/file.txt"),
        ("**/.foo", "bar.foo"),
        ("abc.def", "abcZdef"),
        ("a[b-d]e", "aae"),
        ("a[!b]e", "axe"),
        (r"a\*b", "axb"),
        ("# comment", "# comment"),
        ("#comment", "comment"),
        ("\n   \n", "x"),
        (".", "x"),
        ("/", "x"),
        ("*", "."),
        ("**", ""),
        ("Foo", "foo"),
        ("", "x"),
    ],
)
def test_a_pattern_keeps_what_docker_keeps(rules, path):
    assert not IgnoreRules.parse(rules).ignores(path)


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        ("!README.md\n*.md", "README.md", True),
        ("*\n!src", "src/deep/file.py", False),
        ("*\n!src\nsrc/tests", "src/tests/a.py", True),
        ("docs\n!docs/README.md", "docs/README.md", False),
        ("docs\n!docs/README.md", "docs/other.md", True),
        ("**\n!dist/*.whl", "dist/x-1.0+g0.whl", False),
        ("*\n!/src", "src/a", False),
        ("*\n! src ", "src/a", False),
    ],
)
def test_the_last_rule_that_matches_decides(rules, path, ignored):
    assert IgnoreRules.parse(rules).ignores(path) is ignored


@pytest.mark.parametrize("text", ["\ufeff*.csv\n!keep.csv", "*.csv\r\n!keep.csv\r\n", "*.csv\n\n!keep.csv"])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(text, tmp_path):
    (tmp_path / ".dockerignore").write_bytes(text.encode())
    rules = IgnoreRules.read(tmp_path)
    assert rules.ignores("data.csv")
    assert not rules.ignores("keep.csv")


@pytest.mark.parametrize(
    "pattern",
    [
        "[",
        "a[",
        "[]",
        "[]a]",
        "[^",
        "[^]",
        "[^bc",
        "[-]",
        "[x-]",
        "[-x]",
        "[a-b-c]",
        "[z-a]",
        "\\",
        "a\\",
        "!",
        "! ",
        "![",
        "[\\",
    ],
)
def test_a_malformed_pattern_is_refused_with_its_line_number(pattern):
    with pytest.raises(ContextError, match=r"Line 3 of ") as caught:
        IgnoreRules.parse(f"# rules\n*.csv\n{pattern}\n")
    assert pattern.strip().replace("\\", "") in caught.value.message.replace("\\", "")
    assert caught.value.hint


def test_a_folder_without_dockerignore_excludes_nothing(tmp_path):
    assert not IgnoreRules.read(tmp_path).ignores("anything")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_dockerignore_in_utf_16_is_refused_instead_of_excluding_nothing(tmp_path, encoding):
    (tmp_path / ".dockerignore").write_bytes("secret.pem\r\n".encode(encoding))
    with pytest.raises(ContextError, match="UTF-8"):
        IgnoreRules.read(tmp_path)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("gone")])
def test_a_dockerignore_that_cannot_be_read_is_refused_instead_of_excluding_nothing(tmp_path, make):
    make(tmp_path / ".dockerignore")
    with pytest.raises(ContextError, match="can't be read"):
        IgnoreRules.read(tmp_path)


def test_a_folder_is_pruned_unless_an_exception_could_apply_below():
    rules = IgnoreRules.parse("*\n!src/keep\n!**/*.md\n")
    assert not rules.prunes("src")
    assert not rules.prunes("data")
    rules = IgnoreRules.parse("*\n!src/keep/*.txt\n!*.md")
    assert not rules.prunes("src")
    assert not rules.prunes("src/keep")
    assert rules.prunes("src/other")
    assert rules.prunes("data")
    assert not IgnoreRules.parse("*.md").prunes("data")


names = st.sampled_from(["a", "b", "ab", "a.b"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
patterns = st.lists(
    st.sampled_from(["a", "b", "ab", "*", "**", "?", "a*", "*b", "[ab]", "[^a]", "\\a"]), min_size=1, max_size=4
).map("/".join)


@given(st.lists(st.tuples(st.sampled_from(["", "!"]), patterns), max_size=5), paths)
def test_nothing_below_a_pruned_folder_is_kept(lines, path):
    rules = IgnoreRules.parse("\n".join(sign + pattern for sign, pattern in lines))
    parts = path.split("/")
    if any(rules.prunes("/".join(parts[:depth])) for depth in range(1, len(parts) + 1)):
        assert rules.ignores(path)


@given(st.text(max_size=30))
def test_any_text_is_either_parsed_or_refused_with_a_line_number(text):
    with contextlib.suppress(ContextError):
        assert not IgnoreRules.parse(text).ignores(".")
        return
    with pytest.raises(ContextError, match=r"Line \d+ of "):
        IgnoreRules.parse(text)


def test_many_wildcards_are_matched_in_no_time():
    rules = IgnoreRules.parse("/".join(["**"] * 30) + "/x\n" + "**/a" * 8)
    path = "/".join(random.Random(0).choices("ab", k=60))  # noqa: S311 -- a path, no secret
    start = time.perf_counter()
    rules.ignores(path)
    assert time.perf_counter() - start < 2
