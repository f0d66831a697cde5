"""Every setting of the schema can be given in a magic, in the panel and on the command line, and counts there."""

from __future__ import annotations

import json

from fairing_az_jupyter.frontends.cli import main
from fairing_az_jupyter.frontends.command_line.setting_flags import setting_flag
from fairing_az_jupyter.settings import Settings

PROPERTIES = Settings.model_json_schema()["properties"]


def other_value(declared):
    """Return a value of a setting, as it is typed, that is not its default."""
    choices = [*declared.get("enum", ()), *declared["examples"]]
    return str(next((each for each in choices if each != declared.get("default")), f"{declared['default']}-2"))


def test_every_setting_is_reachable_from_magic_panel_and_command_line(front, capsys):
    wanted = {field: other_value(declared) for field, declared in PROPERTIES.items()}
    numbers = {field for field, declared in PROPERTIES.items() if declared.get("type") == "integer"}
    switches = {field for field, declared in PROPERTIES.items() if declared.get("type") == "boolean"}
    expected = {field: int(value) if field in numbers else value for field, value in wanted.items()}
    expected |= {field: wanted[field] == "True" for field in switches}
    flags = [word for field, value in wanted.items() for word in (setting_flag(field), value)]

    assert main(["settings", "--json", *flags]) == 0
    on_command_line = json.loads(capsys.readouterr().out)
    in_magic = json.loads(front.printed(f"%fairing_azure settings --json {' '.join(flags)}"))
    front.open_panel()
    front.click(".*More settings.*")
    for field, declared in PROPERTIES.items():
        if "enum" in declared:
            front.choose(declared["title"], wanted[field])
        elif field in switches:
            front.type(declared["title"], expected[field])
        else:
            front.type(declared["title"], wanted[field])
    shown = {field: front.value(declared["title"]) for field, declared in PROPERTIES.items()}

    assert on_command_line == expected
    assert in_magic == expected
    assert shown == {**wanted, **{field: expected[field] for field in switches}}
    # What the form says is what a launch of the panel gets.
    for declared in PROPERTIES.values():
        assert f"{declared['title']} {wanted[_field(declared)]}\nform" in front.text()


def _field(declared):
    return next(field for field, each in PROPERTIES.items() if each is declared)
