"""Operations: one declaration is all that a command needs, and every mistake in a line of one is one clear sentence."""

from __future__ import annotations

import json
import shlex

import pytest

from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.command_line import completion, reference
from fairing_az_jupyter.frontends.command_line.parsing import parse
from fairing_az_jupyter.frontends.command_line.setting_flags import declared as declared_settings
from fairing_az_jupyter.frontends.command_line.setting_flags import fields_of, setting_flags
from fairing_az_jupyter.frontends.server import openapi
from fairing_az_jupyter.operations.declaration import EXIT_CODES, MAGIC, PROGRAM
from fairing_az_jupyter.operations.registry import declared, in_group, operations
from fairing_az_jupyter.operations.words import Argument, Option
from tests.conftest import REPOSITORY

DECLARED = '''
from typing import Annotated, Literal
from fairing_az_jupyter.operations.declaration import CLUSTER, EVERYWHERE, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import argument, flag, option

class Greet(Request):
    """Whom, and how."""
    name: Annotated[str, argument("NAME", "who is greeted")]
    tone: Annotated[Literal["warm", "cold"], option("--tone", metavar="TONE", about="how")] = "warm"
    times: Annotated[int, option("-t", "--times", metavar="N", about="how often", takes="a whole number")] = 1
    loud: Annotated[bool, flag("--loud", about="in capitals")] = False

def greet(call):
    asked = call.request
    text = f"{asked.tone} {asked.name}"
    return {"greeting": text.upper() if asked.loud else text, "times": asked.times, "cell": call.session.settings.cpu}

GREET = Operation(
    "greet", "Greet somebody.", Greet, greet, sources=Sources(settings=(*CLUSTER, "cpu")), answer=dict[str, str | int],
    places=EVERYWHERE, examples=(Example("greet Ada --tone cold"),),
)
'''
IN_IPYTHON = """
import contextlib, io, json, sys
from IPython.testing.globalipapp import start_ipython
shell = start_ipython()
shell.run_cell("%load_ext fairing_az_jupyter").raise_error()
found = []
for line in LINES:
    out = io.StringIO()
    assigned = "result = " if line.startswith("greet") else ""
    with contextlib.redirect_stdout(out):
        done = shell.run_cell(f"{assigned}%fairing_azure {line}")
    error = done.error_in_exec
    said = error._render_traceback_() if error is not None else [str(shell.user_ns.get("result"))]
    found.append([type(error).__name__, said, out.getvalue()])
print("FOUND" + json.dumps(found))
"""


@pytest.fixture
def greet():
    names = {"__name__": "declared_in_a_test"}
    exec(compile(DECLARED, "declared", "exec", dont_inherit=True), names)  # noqa: S102 - IPython runs it too
    with declared(names["GREET"]):
        yield names["GREET"]


def in_ipython(run_python, lines, prelude=""):
    lines = f"LINES = {json.dumps(lines)}\n"
    done = run_python(prelude + lines + IN_IPYTHON)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))[5:])


@pytest.mark.usefixtures("greet")
def test_an_operation_declared_here_is_a_command_of_the_terminal(capsys):
    assert cli.main(["greet", "Ada", "--tone", "cold", "-t", "2", "--cpu", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"greeting": "cold Ada", "times": 2, "cell": "3"}

    assert cli.main(["greet", "Ada", "--loud"]) == 0
    assert "WARM ADA" in capsys.readouterr().out

    assert cli.main(["greet", "Ada", "--tone", "wram"]) == 2
    said = capsys.readouterr().err
    assert (
        said == "fairing-azure: --tone is one of warm or cold. Did you mean 'warm'? See: fairing-azure greet --help\n"
    )


@pytest.mark.usefixtures("greet")
def test_an_operation_declared_here_is_explained_and_listed(capsys):
    assert cli.main(["help", "greet"]) == 0
    page = capsys.readouterr().out
    for part in ("greet [OPTIONS] NAME", "--tone [warm|cold]", "-t, --times N", "--cpu", "greet Ada --tone cold"):
        assert part in page
    assert cli.main([]) == 0
    assert "  greet " in capsys.readouterr().out
    assert "### greet\n\nGreet somebody." in reference.page()


@pytest.mark.usefixtures("greet")
def test_an_operation_declared_here_is_completed_in_a_cell():
    def offered(line):
        return [match.text for match in completion.complete(f"%fairing_azure {line}", {}).matches]

    assert offered("gre") == ["greet"]
    assert offered("greet Ada --to") == ["--tone"]
    assert offered("greet Ada --tone ") == ["warm", "cold"]
    assert "--cpu" in offered("greet --")


def test_an_operation_declared_here_is_a_command_of_the_magic(run_python):
    prelude = f"""{DECLARED}
from fairing_az_jupyter.operations.registry import declared
added = declared(GREET)
added.__enter__()
"""
    right, wrong = in_ipython(run_python, ["greet Ada --tone cold", "greet --lod Ada"], prelude)

    assert "cold Ada" in "".join(right[1]) + right[2]
    assert wrong[1] == [
        "%fairing_azure: Unknown option '--lod'. Did you mean '--loud'? See: %fairing_azure greet --help"
    ]


@pytest.mark.usefixtures("greet")
def test_an_operation_declared_here_is_a_route():
    document = openapi.document()
    found = document["paths"]["/fairing-az-jupyter/operations/greet"]["post"]
    body = document["components"]["schemas"]["GreetOperation"]

    assert found["summary"] == "Greet somebody"
    assert body["required"] == ["name"]
    assert body["properties"]["tone"]["enum"] == ["warm", "cold"]
    assert body["properties"]["tone"]["description"] == "How."
    assert set(body["properties"]) == {"name", "tone", "times", "loud", "sources"}


def test_two_operations_of_one_name_are_an_error(greet):
    with pytest.raises(ValueError, match="declared already"), declared(greet):
        pass


def test_the_reference_page_is_what_the_operations_say():
    told = "Write it anew: python -m fairing_az_jupyter.frontends.command_line.reference > docs/commands.md"
    assert (REPOSITORY / "docs/commands.md").read_text() == reference.page(), told


def mistakes():
    """Yield lines that are wrong in one place, and what their error has to name."""
    for operation in operations():
        wanted = [f for f in operation.fields if f.required or f.name in operation.needed_in_terminal]
        needed = [field.word.metavar for field in wanted if isinstance(field.word, Argument)]
        name = operation.name
        if needed and not operation.needed_in_terminal:
            yield name, name, f"Missing argument{'s' if len(needed) > 1 else ''}: {needed[0]}"
        given = " ".join([name, *(["x"] * len(needed))]) if name != "completion" else "completion bash"
        wrong = [*mistakes_of_fields(operation, given), *mistakes_of_sources(operation, given)]
        yield from ((name, line, named) for line, named in wrong)
        if not any(field.kind == "many" and isinstance(field.word, Argument) for field in operation.fields):
            yield name, f"{given} a b c", "Too many arguments"
    groups = ("secrets", "profile", "runs", "sweep")
    yield from (("", group, "needs an action: ") for group in groups)
    words = (("chekc", "check"), ("predct x y", "predict"), ("rnus list", "runs"), ("secrets crate", "create"))
    yield from (("", word, f"Did you mean '{right}'?") for word, right in words)


def mistakes_of_fields(operation, given):
    for field in operation.fields:
        word = field.word
        if not isinstance(word, Option):
            yield from ((f"{operation.name} {misspelt(each)}", f"mean '{each}'?") for each in field.choices)
            continue
        long = [flag for flag in word.flags if flag.startswith("--")]
        yield from ((f"{given} {misspelt(flag)}", f"Did you mean '{flag}'?") for flag in long)
        yield from ((f"{given} {word.flag} {misspelt(each)}", f"mean '{each}'?") for each in field.choices)
        if field.kind == "switch":
            yield f"{given} {long[0]}=yes", "takes no value"
        else:
            yield f"{given} {word.flags[0]}", "needs a value"
        if word.takes:
            yield f"{given} {word.flag} x", f"{word.flag} takes {word.takes}"


def mistakes_of_sources(operation, given):
    for field in fields_of(operation):
        flags = setting_flags(field)
        yield from ((f"{given} {misspelt(flag)} x", "Did you mean '--") for flag in flags)
        choices = declared_settings()[field].get("enum") or ()
        yield from ((f"{given} {flags[0]} {misspelt(choice)}", "Did you mean '") for choice in choices)
    if operation.sources.has_profile:
        yield f"{given} --profle a", "Did you mean '--profile'?"
    if operation.sources.records:
        yield f"{given} --runs-foldr a", "Did you mean '--runs-folder'?"


def misspelt(word):
    """Return a word that is none, because a letter is missing, or one too many."""
    return f"{word}{word[-1]}" if len(word) < 6 else f"{word[:-2]}{word[-1]}"


MISTAKES = list(mistakes())
ONLY = {each.name: each.places for each in operations()}


@pytest.mark.parametrize(("name", "line", "named"), MISTAKES, ids=[line for _, line, _ in MISTAKES])
def test_a_mistake_in_a_terminal_is_one_line_with_the_nearest_right_word(name, line, named, capsys):
    if "terminal" not in ONLY.get(name, {"terminal"}):
        named = "is a command for a notebook"

    assert cli.main(shlex.split(line)) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert named in err
    assert f"{PROGRAM} " in err.partition("See: ")[2] or named.startswith("is a command") or "Write --" in err

    assert cli.main([*shlex.split(line), "--json"]) == 2
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert err == ""
    assert set(error) == {"code", "message", "hint"}


def test_a_mistake_in_a_cell_is_the_same_line(run_python):
    lines = [line for _, line, _ in MISTAKES]
    found = in_ipython(run_python, [*lines, *(f"{line} --json" for line in lines)])

    for (name, line, named), (kind, said, out) in zip(MISTAKES, found[: len(lines)], strict=True):
        expected = named if "magic" in ONLY.get(name, {"magic"}) else "is a command for a terminal"
        # A terminal's IPython prints how a cell has failed.
        assert (kind, out, len(said)) == ("CommandLineError", f"{said[0]}\n", 1), line
        assert len(said[0].splitlines()) == 1, line
        assert expected in said[0], line
        assert said[0].startswith(f"{MAGIC}: "), line
    for (_, line, _), (kind, _, out) in zip(MISTAKES, found[len(lines) :], strict=True):
        assert kind == "CommandLineError", line
        assert set(json.JSONDecoder().raw_decode(out)[0]["error"]) == {"code", "message", "hint"}, line


@pytest.mark.parametrize("program", [PROGRAM, MAGIC])
@pytest.mark.parametrize("group", ["secrets", "profile", "runs"])
def test_the_help_of_a_group_lists_its_actions(group, program):
    page = parse(["help", group], program=program)

    assert page == parse([group, "--help"], program=program)
    assert all(f"  {each.action} " in page.text for each in in_group(group))


def test_every_exit_code_that_an_operation_names_is_documented():
    assert {code for each in operations() for code in each.exit_codes} <= set(EXIT_CODES)


def test_the_readme_lists_the_exit_codes_as_the_help_does():
    table = (
        (REPOSITORY / "README.md").read_text().partition("| exit code | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    )

    assert table.splitlines() == [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
