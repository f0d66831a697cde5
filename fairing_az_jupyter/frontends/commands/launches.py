"""The commands that launch and that follow what was launched, in a terminal; a notebook shares their parts."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import io
import json
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairing_az_jupyter.exceptions import EndpointError, InputError, ServiceError
from fairing_az_jupyter.frontends.commands import checks, keeping
from fairing_az_jupyter.frontends.commands.agreeing import agreed, need_answer
from fairing_az_jupyter.frontends.terminal.output import print_answer, print_json
from fairing_az_jupyter.frontends.views import tables as result_tables
from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.operations.declaration import PROGRAM
from fairing_az_jupyter.operations.launches.deploy import deploy as launch_endpoint
from fairing_az_jupyter.operations.launches.logs import lines_of
from fairing_az_jupyter.operations.launches.train import train as launch_job
from fairing_az_jupyter.settings import from_notebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.models import OrphanedResource, RunRequest
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.launches.cleanup import Cleanup
    from fairing_az_jupyter.operations.launches.deploy import Deploy
    from fairing_az_jupyter.operations.launches.logs import Logs
    from fairing_az_jupyter.operations.launches.train import Train
    from fairing_az_jupyter.operations.notebooks.run import Launch
    from fairing_az_jupyter.services import OrphanedResources

_FAILING = 7
_LOOK_SECONDS = 1.0
_KEPT_LINES = 10_000
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def logs(call: Call[Logs], _output: Output) -> int:
    """Show what a launch has printed."""
    printed_lines(call)
    return 0


def printed_lines(call: Call[Logs]) -> Sequence[str]:
    """Print what a launch has printed, and return the last 10,000 lines of it.

    Args:
        call: The command.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    wanted = call.request
    _line_by_line()
    first = ""
    kept: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
    with contextlib.closing(lines_of(call)) as lines:
        for line in lines:
            first = first or line.pod
            kept.append(line.text)
            if call.json:
                sys.stdout.write(json.dumps({"line": line.to_dict()}) + "\n")
                continue
            pod = "" if line.pod == first else f"[{line.pod}] "
            sys.stdout.write(f"{pod}{'' if line.main else f'[{line.container}] '}{line.text}\n")
    if not first and not call.json and wanted.tail != 0:
        info = services.describe_launch(call.session, wanted.name)
        detail = f" {check_report.line(info.detail)}" if info.detail else ""
        sys.stdout.write(f"{info.name} has printed nothing that is still there; it is {info.state}.{detail}\n")
    return kept


def cleanup(call: Call[Cleanup], _output: Output | None = None) -> int:
    """Delete what launches have left, after a question.

    Args:
        call: The command.

    Raises:
        InputError: There is nobody to ask.
        ServiceError: Not all of it could be deleted.

    """
    wanted = call.request
    if wanted.images:
        return keeping.prune_images(call)
    if wanted.older_than is not None:
        raise InputError("--older-than counts for images only.", hint="Add --images, or leave it out.", code="prune")
    return _cleaned_up(call)


def _cleaned_up(call: Call[Cleanup]) -> int:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    wanted = call.request
    if call.session.is_local:
        print_answer({"leftovers": [], "note": services.LOCAL}, [services.LOCAL], as_json=call.json)
        return 0
    need_answer(call)

    def agree(found: OrphanedResources) -> bool:
        if call.json:
            return True
        _show_orphans(found)
        return bool(found.chosen) and not wanted.dry_run and (wanted.yes or agreed(_objects(len(found.chosen)), call))

    def report(left: OrphanedResource) -> None:
        if not call.json:
            problem = f": {check_report.line(left.problem)}" if left.problem else ""
            sys.stdout.write(f"{left.kind} {left.name} {_OUTCOMES[left.outcome]}{problem}\n")

    agreeing = None if call.json and wanted.dry_run else agree
    done = services.cleanup(call.session, in_use=wanted.all, everyone=wanted.everyone, agree=agreeing, report=report)
    failed = [left for left in done.chosen if left.outcome == "failed"]
    if call.json:
        document = {"leftovers": [left.to_dict() for left in done.chosen], "dry_run": wanted.dry_run}
        print_json({**document, "left_out": len(done.found) - len(done.chosen), "note": done.note})
        return ServiceError.exit_code if failed else 0
    if any(left.outcome == "found" for left in done.chosen):
        sys.stdout.write(f"Nothing was deleted{': this was a dry run' if wanted.dry_run else ''}.\n")
    if failed:
        raise ServiceError(
            f"{len(failed)} of {len(done.chosen)} objects could not be deleted; see the reasons above.",
            hint="Try again: fairing-azure cleanup",
            code="cleanup",
            service="kubernetes",
        )
    return 0


def train(call: Call[Train], _output: Output | None = None) -> int:
    """Train a class or a function as a job."""
    _line_by_line()
    # Standard output is the answer's alone where a program reads it.
    with contextlib.redirect_stdout(sys.stderr) if call.json else contextlib.nullcontext():
        job = launch_job(call)
    said = [f"Job {job} succeeded.", *record_lines(job.record, call.caller.program)]
    print_answer({"job": str(job), "lines": list(job.lines), "record": job.record}, said, as_json=call.json)
    return 0


def deploy(call: Call[Deploy], _output: Output) -> int:
    """Deploy a class as an endpoint; on this machine stay until Ctrl-C.

    Raises:
        EndpointError: It did not start, or has ended by itself.

    """
    endpoint = deployed(call)
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
        sys.stdout.write("" if call.json else f"Endpoint {endpoint.name} is deleted.\n")
        return 0
    raise EndpointError(
        f"Endpoint '{endpoint.name}' has ended by itself.",
        hint="See what it does with fewer data, and how much memory this machine has free.",
    )


def deployed(call: Call[Deploy]) -> LaunchedEndpoint:
    """Deploy a class as an endpoint, say how it is reached, and return it.

    Args:
        call: The command.

    """
    _line_by_line()
    with contextlib.redirect_stdout(sys.stderr) if call.json else contextlib.nullcontext():
        endpoint = launch_endpoint(call)
    document = {"record": endpoint.record, "endpoint": endpoint.info.to_dict()}
    print_answer(document, ready_lines(endpoint, call.caller.program), as_json=call.json)
    return endpoint


def ready_lines(endpoint: LaunchedEndpoint, program: str) -> list[str]:
    """Return how an endpoint is reached, and how long it lives.

    Args:
        endpoint: The endpoint.
        program: What the user types before a sub-command.

    """
    record = record_lines(endpoint.record, program)
    return [f"Endpoint {endpoint.name} is ready: {endpoint.url}", *_ways_to(endpoint, program), *record]


def _ways_to(endpoint: LaunchedEndpoint, program: str) -> list[str]:
    name, url = endpoint.name, endpoint.url
    in_terminal = program == PROGRAM
    if endpoint.info.backend == "LocalBackend":
        if in_terminal:
            ask = f"Ask it from another terminal: {program} predict {url} DATA"
            return [f"It runs as long as this command: Ctrl-C ends it. {ask}"]
        until = f"It runs as long as this kernel, or until {program} delete {name}"
        return [until, f"Ask it: {program} predict {name} DATA"]
    lines = [f"Ask it: {program} predict {name} DATA", f"Delete it: {program} delete {name}"]
    if urlsplit(url).hostname in _LOOPBACK:
        with_what = "this command" if in_terminal else "this kernel"
        ends = f"It stays in the cluster; the port of this machine that leads to it ends with {with_what}."
        return [ends, *lines]
    return lines


def record_lines(record: str, program: str) -> list[str]:
    """Return how the record of a launch is shown, in one line; none where it has left no record.

    Args:
        record: The record's identifier.
        program: What the user types before a sub-command.

    """
    return [f"Record: {record}. Show it: {program} runs show {record}"] if record else []


def checked(call: Call[Launch], request: RunRequest) -> int:
    """Check what a launch of a notebook needs, with the settings that it will run with.

    Args:
        call: The command `launch`.
        request: The run that was planned.

    Returns:
        0 if nothing fails, else the exit code of `check`.

    """
    values = {field: str(value) for field, value in from_notebook(request.parameters).items()}
    session = call.session.with_given({**call.session.given, **values}).with_cell(call.request.notebook)
    checking = dataclasses.replace(call, session=session, notebook=call.request.notebook)
    if call.json:
        results = list(checks.results_of(checking))
        sys.stdout.write(json.dumps({"check": check_report.document(results)}) + "\n")
        sys.stdout.flush()
    else:
        results = checks.shown_as_found(checking)
        sys.stdout.write("\n")
    return _FAILING if check_report.overall(results) == "fail" else 0


_OUTCOMES = {"deleted": "is deleted", "gone": "was gone already", "failed": "could not be deleted"}


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
        sys.stdout.write("Nothing to clean up.\n")
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


def _objects(number: int) -> str:
    return "this object" if number == 1 else f"these {number} objects"
