"""The two pipelines of ci/ as the services run them: variables substituted, steps in order, conditions obeyed.

What a service does itself (checking out, signing in to Azure, publishing) is done here in a few lines; every
script of the files is run by bash as the service runs it. Sources:
- https://learn.microsoft.com/en-us/azure/devops/pipelines/process/variables
- https://github.com/microsoft/azure-pipelines-tasks/blob/master/Tasks/AzureCLIV2/azureclitask.ts
- https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.conftest import REPOSITORY

CI = REPOSITORY / "ci"
PREDEFINED = {
    "Build.BuildId": "4711",
    "System.JobAttempt": "1",
    "Build.ArtifactStagingDirectory": "{home}/staging",
    "Agent.TempDirectory": "{home}/temporary",
}
GITHUB = {"run_id": "4711", "run_attempt": "1"}
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_MACRO = re.compile(r"\$\(([A-Za-z][\w.]*)\)")


def load(name):
    # YAML 1.1 takes GitHub's key `on` for True.
    return yaml.safe_load((CI / name).read_text(encoding="utf-8"))


def steps_of(name):
    """Return the steps of the only job of a pipeline."""
    jobs = load(name)["jobs"]
    (job,) = jobs if isinstance(jobs, list) else jobs.values()
    return job["strategy"]["runOnce"]["deploy"]["steps"] if "deployment" in job else job["steps"]


class Pipeline:
    """One run of a pipeline in a workspace.

    Args:
        workspace: The checked out repository.
        home: The agent's own folder.
        path: Where programs are, first to last.
        environ: What the agent's machine has.
        given: What the users of the pipeline have set.

    """

    def __init__(self, workspace, home, path, environ, given):
        self.workspace, self.home, self.given = workspace, home, given
        self.path, self.failed, self.log, self.published, self.ran = [*path], False, "", {}, []
        self.environ = {**environ, "HOME": str(home / "user")}
        for name in ("user", "staging", "temporary"):
            (home / name).mkdir(parents=True)

    def run(self, *, without=()):
        """Run all steps but those of these names; return whether the job is green."""
        for step in self.steps():
            name = step.get("displayName") or step.get("name") or step.get("task") or step.get("uses") or "checkout"
            condition = step.get("condition", step.get("if", ""))
            assert condition in {"", "always()"}
            if name in without or (self.failed and not condition):
                continue
            self.ran.append(name)
            self.do(step)
        return not self.failed

    def edit(self, **values):
        """Put values in the place of those in the file, as its users do."""
        assert all(self.environ[name] is not None for name in values)
        self.environ |= values

    def bash(self, script, *options, **more):
        """Run a script as the service does: from a file, by bash."""
        file = self.home / "temporary" / "step.sh"
        file.write_text(script, encoding="utf-8")
        environ = {**self.environ, **more, "PATH": ":".join(map(str, self.path))}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", *options, file],
            cwd=self.workspace,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
        self.log += done.stdout
        self.failed |= done.returncode != 0
        return done.stdout

    def publish(self, name, source):
        """Keep a copy of files, as an artifact is kept."""
        source = Path(source)
        if source.is_dir():
            self.published[name] = Path(shutil.copytree(source, self.home / "published" / name))

    def signed_in(self, folder):
        """Sign the Azure CLI in; its stand-in knows by this file that it is."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "signed-in").touch()


class AzurePipelines(Pipeline):
    """ci/azure-pipelines.yml, as an agent of Azure Pipelines runs it."""

    file = "azure-pipelines.yml"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        document = load(self.file)
        (self.job,) = document["jobs"]
        self.parameters = {each["name"]: each["default"] for each in document["parameters"]}
        self.variables = {name: text.format(home=self.home) for name, text in PREDEFINED.items()}
        for variable in document["variables"]:
            new = self.given if "group" in variable else {variable["name"]: str(variable["value"])}
            self.variables |= {name: self.expanded(value) for name, value in new.items()}
        # All variables but secret ones are environment variables as well, in capitals, with _ for what is no letter.
        self.environ |= {re.sub(r"[. ]", "_", name).upper(): value for name, value in self.variables.items()}

    def expanded(self, text):
        text = _EXPRESSION.sub(lambda found: self.parameters[found[1].removeprefix("parameters.")], text)
        # A macro of no variable stays as it is.
        return _MACRO.sub(lambda found: self.variables.get(found[1], found[0]), text)

    def steps(self):
        return steps_of(self.file)

    def do(self, step):
        inputs = {name: self.expanded(str(value)) for name, value in step.get("inputs", {}).items()}
        if "bash" in step:
            self._script(step["bash"])
        elif step.get("task") == "AzureCLI@2":
            assert inputs["azureSubscription"] == self.parameters["serviceConnection"]
            assert (inputs["scriptType"], inputs["scriptLocation"]) == ("bash", "inlineScript")
            # Each task signs in for itself, and out at its end.
            folder = self.home / "temporary" / ".azclitask"
            self.signed_in(folder)
            self._script(step["inputs"]["inlineScript"], AZURE_CONFIG_DIR=str(folder))
            shutil.rmtree(folder)
        elif step.get("task") == "PublishTestResults@2":
            found = sorted(Path(inputs["searchFolder"]).glob(inputs["testResultsFiles"]))
            self.published["tests"] = found[0] if found else None
        elif step.get("task") == "PublishPipelineArtifact@1":
            self.publish(inputs["artifact"], inputs["targetPath"])
        else:
            assert step == {"checkout": "self"} or step["task"] in {"UsePythonVersion@0", "Cache@2"}

    def _script(self, script, **more):
        # Neither the Bash task nor the Azure CLI task stops at a failing command by itself.
        said = self.bash(self.expanded(script), **more)
        self.path = [*re.findall(r"^##vso\[task\.prependpath\](.*)$", said, re.MULTILINE), *self.path]


class GitHubActions(Pipeline):
    """ci/github-actions.yml, as a runner of GitHub Actions runs it."""

    file = "github-actions.yml"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        ((_, self.job),) = load(self.file)["jobs"].items()
        self.env = {}
        self.env = {name: self.expanded(str(value)) for name, value in self.job["env"].items()}
        temporary = self.home / "temporary"
        files = {"GITHUB_ENV": "env", "GITHUB_PATH": "path", "GITHUB_STEP_SUMMARY": "summary.md"}
        own = {"RUNNER_TEMP": temporary, **{name: temporary / file for name, file in files.items()}}
        self.environ |= {**self.env, **{name: str(value) for name, value in own.items()}}

    def expanded(self, text):
        def value(found):
            kind, _, name = found[1].partition(".")
            # What is not set is empty there.
            return {"github": GITHUB, "env": self.env, "vars": self.given, "secrets": self.secrets}[kind].get(name, "")

        return _EXPRESSION.sub(value, text)

    secrets = dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"), "not-used-here")

    def steps(self):
        return steps_of(self.file)

    def do(self, step):
        action = step.get("uses", "").partition("@")[0]
        given = {name: self.expanded(str(value)) for name, value in step.get("with", {}).items()}
        if "run" in step:
            assert self.job["defaults"]["run"]["shell"] == "bash"
            self.bash(self.expanded(step["run"]), "-eo", "pipefail")
            self._read_files()
        elif action == "azure/login":
            assert all(given.values())
            self.signed_in(self.home / "user" / ".azure")
        elif action == "actions/upload-artifact":
            self.publish(given["name"], given["path"])
        else:
            assert action in {"actions/checkout", "actions/setup-python"}

    def _read_files(self):
        for name in ("GITHUB_ENV", "GITHUB_PATH"):
            file = Path(self.environ[name])
            lines = file.read_text().splitlines() if file.exists() else []
            file.unlink(missing_ok=True)
            if name == "GITHUB_PATH":
                self.path = [*lines, *self.path]
            else:
                self.env |= dict(line.split("=", 1) for line in lines)
                self.environ |= self.env


AZ = """\
#!{python}
# Answers the three calls that the pipelines and kubelogin make. Source: https://learn.microsoft.com/en-us/cli/azure/aks
import json, os, pathlib, shutil, sys
words = sys.argv[1:]
given = dict(zip(words[2::2], words[3::2]))
state = pathlib.Path(os.environ.get("AZURE_CONFIG_DIR") or pathlib.Path.home() / ".azure")
if words[:2] == ["aks", "install-cli"]:
    assert set(given) == {{"--install-location", "--kubelogin-install-location"}}
    target = pathlib.Path(given["--kubelogin-install-location"])
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy({kubelogin!r}, target)
elif not (state / "signed-in").exists():
    sys.exit("ERROR: Please run 'az login' to setup account.")
elif words[:2] == ["aks", "get-credentials"]:
    assert words[-1] == "--overwrite-existing"
    assert (given["--resource-group"], given["--name"]) == ("rg-of-the-cluster", "the-cluster"), words
    shutil.copy({kubeconfig!r}, given["--file"])
elif words[:2] == ["account", "get-access-token"]:
    assert given["--resource"] == "6dae42f8-4368-4678-94ff-3960e28e3630"  # AKS's server application
    print(json.dumps({{"accessToken": {token!r}}}))
else:
    sys.exit(f"ERROR: this stand-in does not know {{words}}")
"""
KUBELOGIN = """\
#!{python}
# Sources: https://azure.github.io/kubelogin/cli/convert-kubeconfig.html and .../concepts/login-modes/azurecli.html
import json, os, subprocess, sys
words = sys.argv[1:]
if words == ["convert-kubeconfig", "-l", "azurecli"]:
    with open(os.environ["KUBECONFIG"], encoding="utf-8") as file:
        found = json.load(file)
    found["users"][0]["user"]["exec"]["args"] = [
        "get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"
    ]
    with open(os.environ["KUBECONFIG"], "w", encoding="utf-8") as file:
        json.dump(found, file)
elif words[:3] == ["get-token", "--login", "azurecli"]:
    asked = ["az", "account", "get-access-token", "--resource", words[words.index("--server-id") + 1]]
    token = json.loads(subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout)["accessToken"]
    kind = {{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1"}}
    print(json.dumps({{**kind, "spec": {{"interactive": False}}, "status": {{"token": token}}}}))
else:
    sys.exit(f"this stand-in does not know {{words}}")
"""
