"""The commands that launch, and that look after what was launched; in a terminal and in a notebook."""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import math
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairing_az_jupyter.exceptions import EndpointError, InputError, ServiceError
from fairing_az_jupyter.frontends.commands import checks, settings
from fairing_az_jupyter.frontends.grammar import parser
from fairing_az_jupyter.frontends.grammar.parts import SETTING
from fairing_az_jupyter.frontends.views import check_report
from fairing_az_jupyter.frontends.views import tables as result_tables
from fairing_az_jupyter.frontends.views.results import Results
from fairing_az_jupyter.models import Question
from fairing_az_jupyter.settings import from_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.frontends.commands.settings import Caller
    from fairing_az_jupyter.models import OrphanedResource, RunRequest
    from fairing_az_jupyter.services import OrphanedResources

_FAILING = 7
_LOOK_SECONDS = 1.0
_KEPT_LINES = 10_000
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def status_of(parsed: argparse.Namespace, caller: Caller) -> settings.Answer:
    """Find what was launched, or one launch."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    session = settings.session_of(parsed, caller)
    if parsed.name is not None:
        info = services.describe_launch(session, parsed.name)
        return settings.Answer({"launch": info.to_dict()}, Results([info], result_tables.of_launch(info)))
    here = services.local_launches(session)
    note = ""
    if session.is_local:
        found, note = here, services.LOCAL
        shown = result_tables.of_launches(here) if here else result_tables.Table((), (), (), note)
    else:
        try:
            found = (*here, *services.list_launches(session))
        except ServiceError as error:
            # What runs on this machine needs no cluster to be seen.
            if not here:
                raise
            found, note = here, f"The cluster could not be asked: {check_report.line(error.message)}"
        shown = result_tables.of_launches(found, note)
    document = {"launches": [info.to_dict() for info in found]}
    return settings.Answer({**document, "note": note} if note else document, Results(found, shown))


status = settings.printing(status_of)


def logs(parsed: argparse.Namespace, caller: Caller) -> int:
    """Show what a launch has printed."""
    printed_lines(parsed, caller)
    return 0


def printed_lines(parsed: argparse.Namespace, caller: Caller) -> Sequence[str]:
    """Print what a launch has printed, and return the last 10,000 lines of it."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session = settings.session_of(parsed, caller)
    _line_by_line()
    first = ""
    kept: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
    lines = services.launch_logs(session, parsed.name, follow=parsed.follow, tail=parsed.tail)
    with contextlib.closing(lines):
        for line in lines:
            first = first or line.pod
            kept.append(line.text)
            if parsed.json:
                sys.stdout.write(json.dumps({"line": line.to_dict()}) + "\n")
                continue
            pod = "" if line.pod == first else f"[{line.pod}] "
            sys.stdout.write(f"{pod}{'' if line.main else f'[{line.container}] '}{line.text}\n")
    if not first and not parsed.json and parsed.tail != 0:
        info = services.describe_launch(session, parsed.name)
        detail = f" {check_report.line(info.detail)}" if info.detail else ""
        sys.stdout.write(f"{info.name} has printed nothing that is still there; it is {info.state}.{detail}\n")
    return kept


def deleted_of(parsed: argparse.Namespace, caller: Caller) -> settings.Answer:
    """Delete launches."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    deleted = services.delete(settings.session_of(parsed, caller), parsed.names)
    told = [
        f"{info.kind.capitalize()} {info.name}{f' in namespace {info.namespace}' if info.namespace else ''} is deleted."
        for info in deleted
    ]
    document = {"deleted": [info.to_dict() for info in deleted]}
    return settings.Answer(document, Results(deleted, result_tables.Table((), (), told)), told)


delete = settings.printing(deleted_of)


def cleanup(parsed: argparse.Namespace, caller: Caller) -> int:
    """Delete what launches have left, after a question.

    Raises:
        InputError: There is nobody to ask.
        ServiceError: Not all of it could be deleted.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session = settings.session_of(parsed, caller)
    if session.is_local:
        settings.answer(parsed, {"leftovers": [], "note": services.LOCAL}, [services.LOCAL])
        return 0
    if parsed.json and not parsed.yes and not parsed.dry_run:
        raise _nobody("JSON is for programs")

    def agree(found: OrphanedResources) -> bool:
        if parsed.json:
            return True
        _show_orphans(found)
        return bool(found.chosen) and not parsed.dry_run and (parsed.yes or _agreed(len(found.chosen), caller))

    def tell(left: OrphanedResource) -> None:
        if not parsed.json:
            problem = f": {check_report.line(left.problem)}" if left.problem else ""
            sys.stdout.write(f"{left.kind} {left.name} {_OUTCOMES[left.outcome]}{problem}\n")

    agreeing = None if parsed.json and parsed.dry_run else agree
    done = services.cleanup(session, in_use=parsed.all, everyone=parsed.everyone, agree=agreeing, report=tell)
    failed = [left for left in done.chosen if left.outcome == "failed"]
    if parsed.json:
        document = {"leftovers": [left.to_dict() for left in done.chosen], "dry_run": parsed.dry_run}
        settings.print_json({**document, "left_out": len(done.found) - len(done.chosen), "note": done.note})
        return ServiceError.exit_code if failed else 0
    if any(left.outcome == "found" for left in done.chosen):
        sys.stdout.write(f"Nothing was deleted{': this was a dry run' if parsed.dry_run else ''}.\n")
    if failed:
        raise ServiceError(
            f"{len(failed)} of {len(done.chosen)} objects could not be deleted; why stands above.",
            hint="Try again: fairing-azure cleanup",
            code="cleanup",
            service="kubernetes",
        )
    return 0


def predicted_of(parsed: argparse.Namespace, caller: Caller) -> settings.Answer:
    """Ask an endpoint for predictions."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    found = services.predict(settings.session_of(parsed, caller), parsed.name, parsed.data)
    table = result_tables.of_prediction(found)
    document = found.to_dict()
    return settings.Answer(
        {**document, "values": _without_nan(document["values"])},
        Results(found.values, table),
        [*(json.dumps(value) for value in found.values), *table.notes],
    )


predict = settings.printing(predicted_of)


def train(parsed: argparse.Namespace, caller: Caller) -> int:
    """Train a class or a function as a job."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    _line_by_line()
    # Standard output is the answer's alone where a program reads it.
    with contextlib.redirect_stdout(sys.stderr) if parsed.json else contextlib.nullcontext():
        session = settings.session_of(parsed, caller)
        name, lines = services.train(session, parsed.task, **task_from(parsed, caller), deadline=parsed.deadline)
    settings.answer(parsed, {"job": name, "lines": list(lines)}, [f"Job {name} succeeded."])
    return 0


def deploy(parsed: argparse.Namespace, caller: Caller) -> int:
    """Deploy a class as an endpoint; on this machine stay until Ctrl-C.

    Raises:
        EndpointError: It did not start, or has ended by itself.

    """
    endpoint = deployed(parsed, caller)
    if endpoint.info.backend != "LocalBackend":
        return 0
    stopped = False
    try:
        sys.stdout.flush()
        while endpoint.answers():
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        stopped = True
    finally:
        endpoint.delete()
    if stopped:
        sys.stdout.write("" if parsed.json else f"Endpoint {endpoint.name} is deleted.\n")
        return 0
    raise EndpointError(
        f"Endpoint '{endpoint.name}' has ended by itself.",
        hint="See what it does with fewer data, and how much memory this machine has free.",
    )


def deployed(parsed: argparse.Namespace, caller: Caller) -> LaunchedEndpoint:
    """Deploy a class as an endpoint, say how it is reached, and return it.

    Args:
        parsed: The command line.
        caller: Who has typed it.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    _line_by_line()
    with contextlib.redirect_stdout(sys.stderr) if parsed.json else contextlib.nullcontext():
        endpoint = services.deploy(settings.session_of(parsed, caller), parsed.task, **task_from(parsed, caller))
    settings.answer(parsed, {"endpoint": endpoint.info.to_dict()}, ready_lines(endpoint, caller.program))
    return endpoint


def ready_lines(endpoint: LaunchedEndpoint, program: str) -> list[str]:
    """Return how an endpoint is reached, and how long it lives.

    Args:
        endpoint: The endpoint.
        program: What the user types before a sub-command.

    """
    name, url = endpoint.name, endpoint.url
    in_terminal = program == parser.PROGRAM
    told = [f"Endpoint {name} is ready: {url}"]
    if endpoint.info.backend == "LocalBackend":
        if in_terminal:
            told.append(
                f"It runs as long as this command: Ctrl-C ends it. Ask it from elsewhere: {program} predict {url} DATA"
            )
            return told
        told.append(f"It runs as long as this kernel, or until {program} delete {name}")
    elif urlsplit(url).hostname in _LOOPBACK:
        with_what = "this command" if in_terminal else "this kernel"
        told.append(f"It stays in the cluster; the port of this machine that leads to it ends with {with_what}.")
    told.append(f"Ask it: {program} predict {name} DATA")
    if endpoint.info.backend != "LocalBackend":
        told.append(f"Delete it: {program} delete {name}")
    return told


def checked(parsed: argparse.Namespace, caller: Caller, request: RunRequest) -> int:
    """Check what a launch of a notebook needs, with the settings that it will run with.

    Args:
        parsed: The command line of `launch`.
        caller: Who has typed it.
        request: The run that was planned.

    Returns:
        0 if nothing fails, else the exit code of `check`.

    """
    given = {field: str(value) for field, value in from_notebook(request.parameters).items()}
    flags = {f"{SETTING}{field}": value for field, value in given.items()}
    checking = argparse.Namespace(**{**vars(parsed), **flags, "verbose": False})
    if parsed.json:
        results = list(checks.results_of(checking, caller))
        sys.stdout.write(json.dumps({"check": check_report.document(results)}) + "\n")
        sys.stdout.flush()
    else:
        results = checks.shown_as_found(checking, caller)
        sys.stdout.write("\n")
    return _FAILING if check_report.overall(results) == "fail" else 0


_OUTCOMES = {"deleted": "is deleted", "gone": "was gone already", "failed": "could not be deleted"}


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - as it came
    """Return an answer with null for what JSON has no number for: other programs could not read the document."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return {key: _without_nan(each) for key, each in value.items()} if isinstance(value, dict) else value


def task_from(parsed: argparse.Namespace, caller: Caller) -> dict[str, Any]:
    """Return what `train` and `deploy` have in common."""
    files: Mapping[str, str] = dict(parsed.output_map)
    return {
        "names": caller.names,
        "input_files": parsed.input_files,
        "output_map": files,
    }


def _line_by_line() -> None:
    """Let each line be seen when it is printed, also where standard output is a pipe."""
    stream = sys.__stdout__
    if isinstance(stream, io.TextIOWrapper):
        with contextlib.suppress(OSError, ValueError):
            stream.reconfigure(line_buffering=True)


def _show_orphans(found: OrphanedResources) -> None:
    if found.chosen:
        rows = [(left.kind, left.name, left.owner or "-", left.created or "-", left.why) for left in found.chosen]
        table = result_tables.Table(("KIND", "NAME", "OWNER", "CREATED", "WHY"), rows)
        sys.stdout.writelines(f"{text}\n" for text in table.lines())
    else:
        sys.stdout.write("There is nothing to clean up.\n")
    rest = [left for left in found.found if (left.kind, left.name) not in {(o.kind, o.name) for o in found.chosen}]
    others = [left for left in rest if not left.own]
    used = [left for left in rest if left.own and left.in_use]
    if used:
        sys.stdout.write(f"Left out: {len(used)} of yours that may be in use; see them with --all --dry-run.\n")
    if others:
        sys.stdout.write(
            f"Left out: {len(others)} that belong to others or bear nobody's name; see them with --everyone --all "
            "--dry-run.\n"
        )
    if found.note:
        sys.stdout.write(f"{check_report.line(found.note)}\n")


def _agreed(number: int, caller: Caller) -> bool:
    what = "this object" if number == 1 else f"these {number} objects"
    sys.stdout.flush()
    try:
        answer = caller.ask(Question("confirm", f"Delete {what}? [y/N]", optional=True))
    except InputError as error:
        raise _nobody(error.message.rpartition(": ")[2].rstrip(".")) from None
    return answer.strip().lower() in {"y", "yes"}


def _nobody(reason: str) -> InputError:
    return InputError(
        f"Nothing was deleted: nobody can be asked whether to ({reason}).",
        hint="Delete without a question: --yes. See what would be deleted: --dry-run.",
        code="nobody-to-ask",
    )
