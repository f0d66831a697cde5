"""Dockerfiles: nothing of a task may become an instruction, a command or a variable in them."""

from __future__ import annotations

import json

import pytest

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context.requirements import requirements_shown
from fairing_az_jupyter.fairing.images.dockerfiles import BESIDE, LABEL, dependency_image, labelled, whole_image

BASE = "docker.io/library/python@sha256:0123"
INSTRUCTIONS = {"FROM", "USER", "WORKDIR", "ENV", "COPY", "ADD", "RUN", "LABEL"}
EVIL = [
    "numpy\nRUN curl evil",
    "numpy\r\nRUN curl evil\r\nUSER nobody",
    "numpy\rRUN curl evil",
    "numpy\x0bRUN curl evil\x0cRUN evil",
    "numpy\u2028RUN curl evil\x85RUN evil",
    "numpy \\\nRUN evil \\",
    "numpy ; $(curl evil) `curl evil` && curl evil",
    "numpy <<EOF",
    "numpy <<<EOF <<-'A' 2<<A",
    "numpy \x00\x1b[2K",
]


def instructions(text):
    return [line.partition(" ")[0] for line in text.splitlines()]


@pytest.mark.parametrize("text", EVIL)
def test_a_requirement_becomes_no_instruction_and_no_command(text):
    shown = requirements_shown(text)
    for made in (dependency_image(BASE, "app", shown), whole_image(BASE, "app", shown)):
        assert set(instructions(made)) <= INSTRUCTIONS
        [run] = [line for line in made.splitlines() if line.startswith("RUN ")]
        command, mark, comment = run.partition(" # ")
        assert command.endswith(
            "pip install --no-input --no-cache-dir --disable-pip-version-check --progress-bar off -r requirements.txt"
        )
        assert (mark, "\\" in comment, "<<" in comment) == (" # ", False, False)
        assert all(character.isprintable() for character in run)


def test_a_label_says_what_is_asked_for_whatever_characters_that_has():
    made = labelled("FROM x\n", 'a ; b != "c\\d $HOME ü"')

    assert made == f'FROM x\nLABEL {LABEL}="a ; b != \\"c\\\\d \\$HOME ü\\""\n'


def test_requirements_are_installed_before_what_changes_often():
    made = whole_image(BASE, "app", "numpy", beside=True)

    assert instructions(made) == ["FROM", "USER", "WORKDIR", "ENV", "COPY", "RUN", "COPY", "ADD"]
    assert made.endswith(f'COPY ["app", "/app"]\nADD {BESIDE} /\n')


def test_requirements_that_name_files_are_installed_when_those_are_there():
    made = whole_image(BASE, "app", "-r more.txt", all_first=True, beside=True)

    assert instructions(made) == ["FROM", "USER", "WORKDIR", "ENV", "COPY", "ADD", "RUN"]
    assert instructions(dependency_image(BASE, "app", "x", all_first=True, beside=True))[3:] == ["COPY", "ADD", "RUN"]


def test_without_requirements_nothing_is_installed():
    assert "RUN" not in instructions(whole_image(BASE, "app", None))


def test_nothing_but_the_requirements_goes_into_the_dependency_image():
    made = dependency_image(BASE, "app", "numpy")

    assert [line for line in made.splitlines() if line.startswith(("COPY", "ADD"))] == [
        'COPY ["app/requirements.txt", "/app/requirements.txt"]'
    ]


@pytest.mark.parametrize("prefix", ["srv/my app", "größer", "a-b_c.d/e+f", "it#s"])
def test_an_application_s_folder_may_have_blanks_and_letters_of_all_languages(prefix):
    made = dependency_image(BASE, prefix, "numpy")

    [copy] = [line for line in made.splitlines() if line.startswith("COPY")]
    assert json.loads(copy.removeprefix("COPY ")) == [f"{prefix}/requirements.txt", f"/{prefix}/requirements.txt"]
    assert f"WORKDIR /{prefix}\n" in made


@pytest.mark.parametrize("prefix", ["a\nRUN evil", "$HOME", "a*", "a[b]", "a\\", 'a"b', "a ", "a\x00"])
def test_a_folder_that_a_dockerfile_reads_otherwise_is_refused(prefix):
    with pytest.raises(ContextError) as caught:
        whole_image(BASE, prefix, None)

    assert caught.value.code == "path-prefix"
    assert "path_prefix" in caught.value.hint


def test_an_application_may_have_the_whole_image():
    made = whole_image(BASE, "", "numpy", beside=True)

    assert 'COPY ["requirements.txt", "/requirements.txt"]' in made
    assert made.endswith(f"ADD {BESIDE} /\n")
