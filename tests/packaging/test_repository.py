"""What the repository offers to those who contribute: versions, workflows, templates, hooks, pages."""

from __future__ import annotations

import importlib.util
import json
import os
import re

import pytest
import yaml
from click.testing import CliRunner

from fairing_az_jupyter import __version__
from tests.conftest import REPOSITORY

if importlib.util.find_spec("tomllib"):
    import tomllib
else:
    import tomli as tomllib

GITHUB = REPOSITORY / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md")]
REGISTRIES = re.compile(r"https?://[\w.-]*(pypi|npmjs|pythonhosted|artifactory|nexus|verdaccio|devpi)", re.IGNORECASE)


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_package_and_the_side_panel_have_the_same_version():
    panel = json.loads((REPOSITORY / "labextension" / "package.json").read_text(encoding="utf-8"))
    locked = json.loads((REPOSITORY / "labextension" / "package-lock.json").read_text(encoding="utf-8"))

    assert panel["version"] == __version__
    assert locked["version"] == locked["packages"][""]["version"] == __version__


def test_the_workflow_runs_everything_for_each_push_and_pull_request():
    workflow = load(GITHUB / "workflows" / "ci.yml")
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]

    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request"} <= set(workflow[True])
    assert any(".ci/run" in command.split() for command in commands)
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)
    assert (job["runs-on"].partition("-")[0], job["timeout-minutes"]) == ("ubuntu", 90)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]


@pytest.mark.parametrize(
    ("schema", "files", "options"),
    [
        ("github-workflows", (".github/workflows/ci.yml", "ci/github-actions.yml"), ()),
        ("dependabot", (".github/dependabot.yml",), ()),
        (
            "azure-pipelines",
            ("ci/azure-pipelines.yml",),
            ("--data-transform=azure-pipelines", "--regex-variant=python"),
        ),
    ],
)
def test_what_services_read_is_valid_by_their_published_schemas(schema, files, options):
    from check_jsonschema.cli import main

    done = CliRunner().invoke(
        main, [f"--builtin-schema=vendor.{schema}", *options, *(str(REPOSITORY / file) for file in files)]
    )

    assert done.exit_code == 0, done.output


def test_the_workflow_takes_actions_by_major_version_and_tests_on_python_3_11():
    (job,) = load(GITHUB / "workflows" / "ci.yml")["jobs"].values()
    used = {step["uses"].partition("@")[0]: step for step in job["steps"] if "uses" in step}

    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]) for step in used.values())
    assert used["actions/setup-python"]["with"]["python-version"] == "3.11"
    assert used["actions/checkout"]["with"]["persist-credentials"] is False


def test_dependabot_looks_where_dependencies_are_declared():
    updates = load(GITHUB / "dependabot.yml")["updates"]

    declared = {"pip": "pyproject.toml", "npm": "package.json", "github-actions": ".github/workflows"}
    assert {update["package-ecosystem"] for update in updates} == set(declared)
    for update in updates:
        assert (REPOSITORY / update["directory"].lstrip("/") / declared[update["package-ecosystem"]]).exists()


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_has_what_github_needs(form):
    found = load(form)

    assert {"name", "description", "body"} <= set(found)
    assert all(part["type"] in {"textarea", "dropdown", "input", "markdown", "checkboxes"} for part in found["body"])
    assert all(part["attributes"]["label"] for part in found["body"])
    identifiers = [part["id"] for part in found["body"]]
    assert len(set(identifiers)) == len(identifiers)


def test_a_bug_report_asks_for_versions_and_for_the_checks_which_show_no_secret():
    parts = {part["id"]: part["attributes"] for part in load(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]}

    assert "fairing-azure --version" in parts["versions"]["description"]
    assert "fairing-azure check --json" in parts["check"]["label"]
    assert "no secrets" in parts["check"]["description"]


def test_a_commit_hook_runs_each_linter_of_make_lint_from_the_environment():
    (repository,) = load(REPOSITORY / ".pre-commit-config.yaml")["repos"]
    entries = [hook["entry"] for hook in repository["hooks"]]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    programs = re.findall(r"^\t@\$\(BIN\)/(ruff \w+|mypy|lint-imports)", makefile, re.MULTILINE)

    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    assert sorted(programs) == ["lint-imports", "mypy", "ruff check", "ruff format"]
    for program in programs:
        assert any(entry.startswith(f".venv/bin/{program}") for entry in entries)
    assert any("labextension" in entry and "lint" in entry for entry in entries)


def test_the_projects_addresses_lead_to_one_repository(project):
    urls = project["urls"]

    assert set(urls) == {"Homepage", "Documentation", "Issues", "Changelog", "Source"}
    assert all(url == urls["Source"] or url.startswith(f"{urls['Source']}/") for url in urls.values())
    contact = load(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["contact_links"][0]["url"]
    assert contact.startswith(f"{urls['Source']}/")


def test_matplotlib_is_an_extra_that_the_example_brings_for_the_tests(project):
    tables = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))

    assert not [name for name in project["dependencies"] if name.startswith("matplotlib")]
    assert [name for name in project["optional-dependencies"]["plot"] if name.startswith("matplotlib")]
    assert [name for name in tables["dependency-groups"]["example"] if name.startswith("matplotlib")]


def test_mlflows_client_is_an_extra_and_its_server_is_there_for_the_tests(project):
    tables = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))

    assert not [name for name in project["dependencies"] if name.startswith("mlflow")]
    assert [name for name in project["optional-dependencies"]["mlflow"] if name.startswith("mlflow-skinny")]
    assert [name for name in tables["dependency-groups"]["test"] if name.startswith("mlflow>")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_of_a_page_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]

    assert inside
    assert not [link for link in inside if not (page.parent / link).exists()]


def test_contributing_names_verbs_of_make_and_paths_that_exist():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    verbs = set(re.findall(r"`make (\w+)`", text))
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    paths = [path for path in re.findall(r"`([\w.-]+(?:/[\w.-]*)+)`", text) if not path.startswith(".venv")]

    assert verbs == set(re.findall(r"^(\w+):.*  ## ", makefile, re.MULTILINE))
    assert not [path for path in paths if not (REPOSITORY / path).exists()]


def test_no_page_workflow_or_build_file_names_the_address_of_a_package_registry():
    folders = [path for name in (".ci", ".github", "ci", "deploy", "docs") for path in (REPOSITORY / name).rglob("*")]
    single = [REPOSITORY / name for name in (".pre-commit-config.yaml", "Makefile", "pyproject.toml", "setup.cfg")]
    kept = [path for path in (*folders, *single, *PAGES) if path.is_file() and path.suffix != ".png"]

    assert not [path for path in kept if REGISTRIES.search(path.read_text(encoding="utf-8"))]
