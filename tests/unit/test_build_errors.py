"""What pip, Kaniko and the build pod say when a build fails, in their own words, and what the user is told to do."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.exceptions import JobFailedError
from fairing_az_jupyter.fairing.images.build_errors import build_failed, fix_for

IMAGE = "contosoml.azurecr.io/team/fairing-dependencies:0123"
KANIKO = (
    "error building image: error building stage: failed to execute command: waiting for process to exit: exit status 1"
)

SAID = {
    "a-version-that-is-not-there": (
        "requirement",
        "Correct 'greeter==9' in requirements.txt",
        (
            "ERROR: Could not find a version that satisfies the requirement greeter==9 (from versions: 1.0, 2.0)\n"
            "ERROR: No matching distribution found for greeter==9"
        ),
    ),
    "another-python": (
        "requirement",
        "the Python that 'scipy' asks for",
        "ERROR: Package 'scipy' requires a different Python: 3.9.2 not in '>=3.10'",
    ),
    "no-way-to-the-index": (
        "no-network",
        "network policies and the proxy",
        (
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError("
            "'<pip._vendor.urllib3.connection.HTTPSConnection object>: Failed to establish a new "
            "connection: [Errno -3] "
            "Temporary failure in name resolution')': /simple/greeter/\n"
            "ERROR: No matching distribution found for greeter==1.0"
        ),
    ),
    "a-company-s-proxy": (
        "certificate",
        "your organisation's CA",
        (
            "Could not fetch URL https://index.example/simple/greeter/: "
            "There was a problem confirming the ssl certificate: "
            "(Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
            "certificate verify failed: "
            "unable to get local issuer certificate (_ssl.c:1006)'))) - skipping"
        ),
    ),
    "a-private-index": (
        "index-refused",
        "pip.conf",
        (
            "WARNING: 401 Error, Credentials not correct for "
            "https://pkgs.dev.azure.com/contoso/_packaging/ml/pypi/simple/x/"
        ),
    ),
    "a-file-that-is-not-sent": (
        "requirement-file",
        "Add 'more.txt'",
        "ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'more.txt'",
    ),
    "a-wheel-that-is-not-sent": (
        "requirement-file",
        "Add '/app/wheels/x-1-py3-none-any.whl'",
        (
            "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: "
            "'/app/wheels/x-1-py3-none-any.whl'"
        ),
    ),
    "a-folder-that-is-not-sent": (
        "requirement-file",
        "Add './lib'",
        (
            "ERROR: Invalid requirement: './lib': Expected package name at the start of dependency "
            "specifier\n    ./lib\n"
            "    ^ (from line 1 of requirements.txt)\nHint: It looks like a path. File './lib' does not exist."
        ),
    ),
    "hashes": (
        "requirement-hash",
        "Lock the file again",
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package "
            "versions, please update the hashes."
        ),
    ),
    "no-git": (
        "no-git",
        "has no 'git'",
        "ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?",
    ),
    "versions-that-exclude-each-other": (
        "requirements-conflict",
        "Loosen the versions",
        (
            "ERROR: Cannot install a==1 and b==1 because these package versions have conflicting dependencies.\n"
            "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/"
        ),
    ),
    "a-line-that-is-none": (
        "requirement",
        "Correct the line 'numpy = 1.26' of requirements.txt",
        (
            "ERROR: Invalid requirement: 'numpy = 1.26': Expected end or semicolon (after name and no valid version "
            "specifier)\n    numpy = 1.26\n          ^ (from line 1 of requirements.txt)\n"
            "Hint: = is not a valid operator. Did you mean == ?"
        ),
    ),
    "a-marker-that-is-none": (
        "requirement",
        "Correct the line 'x ; python_version <' of requirements.txt",
        "ERROR: Invalid requirement: 'x ; python_version <': Expected a marker variable or quoted string",
    ),
    "no-compiler": (
        "no-compiler",
        "in place of its -slim",
        (
            "      error: command 'gcc' failed: No such file or directory\n      [end of output]\n"
            "  ERROR: Failed building wheel for greeter"
        ),
    ),
    "no-compiler-for-meson": (
        "no-compiler",
        "in place of its -slim",
        "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
    ),
    "no-pip": ("no-pip", "whose python has pip", "/usr/bin/python: No module named pip"),
    "push-refused": (
        "push-refused",
        "fairing-azure check",
        (
            "error checking push permissions -- make sure you entered the correct tag name, and that you "
            "are authenticated "
            'correctly, and try again: checking push permission for "contosoml.azurecr.io/x:1": POST '
            "https://contosoml.azurecr.io/v2/x/blobs/uploads/: UNAUTHORIZED: authentication required"
        ),
    ),
    "push-without-trust": (
        "certificate",
        "builder_image",
        (
            'checking push permission for "contosoml.azurecr.io/x:1": creating push check transport for '
            "contosoml.azurecr.io "
            'failed: Get "https://contosoml.azurecr.io/v2/": tls: failed to verify certificate: x509: '
            "certificate signed by "
            "unknown authority"
        ),
    ),
    "push-without-a-way": (
        "no-network",
        "can't reach the registry",
        (
            'checking push permission for "contosoml.azurecr.io/x:1": creating push check transport for '
            "contosoml.azurecr.io "
            'failed: Get "https://contosoml.azurecr.io/v2/": dial tcp: lookup contosoml.azurecr.io: no such host'
        ),
    ),
    "docker-hub-s-limit": (
        "rate-limit",
        "az acr import",
        (
            "error building image: GET https://index.docker.io/v2/library/python/manifests/3.11: "
            "TOOMANYREQUESTS: You have "
            "reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
        ),
    ),
    "a-firewall": (
        "context-refused",
        "firewall",
        "The build context can't be read: HTTP Error 403: AuthorizationFailure",
    ),
    "no-way-to-the-context": (
        "context-unreachable",
        "private endpoint",
        "The build context can't be read: [Errno -3] Temporary failure in name resolution",
    ),
    "disk-full": (
        "disk-full",
        "larger node disk",
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_a_known_failure_is_told_with_its_cure(name):
    code, fix, said = SAID[name]

    found = fix_for([*said.split("\n"), KANIKO])

    assert found[0] == code
    assert fix in found[1]
    assert "{" not in found[1]


def test_a_file_that_may_not_be_written_is_no_push_that_is_refused():
    assert fix_for(["OSError: [Errno 13] Permission denied: '/usr/lib/x'"]) == ("", "")


def test_braces_in_a_requirement_do_no_harm():
    code, fix = fix_for(["ERROR: No matching distribution found for {greeter}=={0}"])

    assert (code, "'{greeter}=={0}'" in fix) == ("requirement", True)


def failed(code, message, lines=(), returncode=None):
    error = JobFailedError(message, hint="Look.", code=code, returncode=returncode)
    return build_failed(IMAGE, error, lines, "Job fairing-build-1 in namespace 'team-a'")


def test_a_build_that_was_ended_says_why_also_after_lines_of_its_own():
    error = failed("deadline", "Job 'fairing-build-1' ran longer than its 3600 s.", ["Collecting torch"])

    assert "ran longer than its 3600 s. The build's last lines:\n  | Collecting torch\n" in error.message
    assert error.code == "deadline"
    assert error.hint.startswith("A build may take up to 1 h. Request more CPU")


def test_a_build_that_failed_by_itself_shows_its_lines_and_no_more():
    error = failed("container-failed", "Container 'kaniko' ended with 1.", ["error: something odd"], 1)

    assert error.message == (
        f"The image '{IMAGE}' could not be built (Job fairing-build-1 in namespace 'team-a'). "
        "The build's last lines:\n  | error: something odd\n"
    )
    assert (error.code, error.returncode, error.last_lines) == ("build-failed", 1, ("error: something odd",))


def test_a_base_image_without_python_is_told_without_the_runtime_s_jargon():
    runtime = 'failed to create shim task: runc: exec: "python": executable file not found in $PATH: unknown'

    error = failed("start-failed", f"Init container 'context' could not be started: {runtime}.")

    assert (error.code, "shim" in str(error), "base_image" in error.hint) == ("no-python", False, True)


def test_what_the_cluster_says_of_an_image_is_not_taken_for_a_line_of_the_build():
    error = failed("image-not-found", "The image 'x' can't be pulled: manifest unknown.")

    assert (error.code, error.hint) == ("image-not-found", "Look.")
    assert "manifest unknown" in error.message
    assert ".." not in error.message


PODS = {"builder_image": "ghcr.io/osscontainertools/kaniko:v1.28.3", "base_image": "python:3.11-slim"}


@pytest.mark.parametrize(
    ("pulled", "named", "fix"),
    [
        (
            "ghcr.io/osscontainertools/kaniko:v1.28.3",
            "FAIRING_BUILDER_IMAGE (builder_image)",
            "az acr import --name contosoml --source ghcr.io/osscontainertools/kaniko:v1.28.3",
        ),
        (
            "python:3.11-slim",
            "FAIRING_BASE_IMAGE (base_image)",
            "--name contosoml --source docker.io/library/python:3.11-slim --image library/python:3.11-slim",
        ),
    ],
)
def test_an_image_of_the_build_itself_that_cant_be_pulled_is_named_by_its_setting(pulled, named, fix):
    error = JobFailedError("Image can't be pulled.", hint="Look.", code="image-unreachable", image=pulled)

    failed = build_failed(IMAGE, error, (), "Job b", PODS)

    assert (failed.code, failed.image) == ("image-unreachable", pulled)
    assert named in failed.hint
    assert fix in failed.hint


def test_an_image_of_the_build_itself_that_is_nowhere_is_to_be_corrected():
    error = JobFailedError("Not found.", hint="Look.", code="image-not-found", image=PODS["builder_image"])

    hint = build_failed(IMAGE, error, (), "Job b", PODS).hint

    assert hint.startswith("Correct the setting FAIRING_BUILDER_IMAGE (builder_image)")


def test_an_image_of_the_build_itself_in_the_own_registry_needs_no_copy():
    own = "contosoml.azurecr.io/kaniko:1"
    error = JobFailedError("401.", hint="Look.", code="image-unauthorized", image=own)

    hint = build_failed(IMAGE, error, (), "Job b", {"builder_image": own}).hint

    assert "FAIRING_BUILDER_IMAGE" in hint
    assert "az acr import" not in hint


def test_another_image_that_cant_be_pulled_is_none_of_the_builds_settings():
    error = JobFailedError("401.", hint="Look.", code="image-unauthorized", image="other:1")

    assert build_failed(IMAGE, error, (), "Job b", PODS).hint == "Look."
