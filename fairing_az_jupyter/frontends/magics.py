"""What `%load_ext fairing_az_jupyter` does in IPython, and `%fairing_azure`, the command line's grammar in a cell."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing import hook, modules
from fairing_az_jupyter.frontends import lab_link

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import Any

    from IPython.core.interactiveshell import InteractiveShell

    from fairing_az_jupyter.fairing.task_launches import LaunchedEndpoint
    from fairing_az_jupyter.frontends.check_results import CheckResults
    from fairing_az_jupyter.frontends.commands import Caller

MAGIC = "fairing_azure"
_PROGRAM = f"%{MAGIC}"


def load(ipython: InteractiveShell) -> None:
    """Make Fairing's names importable, offer `%fairing_azure`, and say so if Fairing is missing.

    Args:
        ipython: The shell that loads the extension.

    """
    hook.install()

    def fairing_azure(line: str) -> object:
        """Check, prepare and configure a launch on Kubeflow on Azure.

        %fairing_azure check              what would make a launch fail, each with its cure
        %fairing_azure secrets create     make the Secrets that a launch needs; asks for the values
        %fairing_azure status             what was launched, and how it is
        %fairing_azure --help             all commands; %fairing_azure COMMAND --help tells more

        Settings are taken from this notebook's variables, such as DOCKER_REGISTRY; flags win over them.
        """
        return run(ipython, line)

    register: Callable[..., None] = ipython.register_magic_function
    register(fairing_azure, "line", MAGIC)
    lab_link.link_of(ipython)
    if modules.find_fairing() is None:
        sys.stderr.write("Kubeflow Fairing is not installed here. Install it: fairing-azure install-fairing\n")


def run(ipython: InteractiveShell, line: str) -> CheckResults | LaunchedEndpoint | None:
    """Run the line of a magic.

    Args:
        ipython: The shell that it was typed into.
        line: What stands behind the magic's name.

    Returns:
        The results of `check`, unless it prints JSON, and the endpoint that `deploy` has deployed; None of everything
        else.

    Raises:
        FairingAzureError: It can't be done, or has failed; IPython shows it in one line without a traceback.
        KeyboardInterrupt: The user has interrupted it; likewise.

    """
    from fairing_az_jupyter.frontends import commands  # noqa: PLC0415 - loading the extension stays light

    try:
        return _run(ipython, line)
    except SystemExit:
        # argparse has printed the help.
        return None
    except FairingAzureError as error:
        stopped: BaseException = error
        told = commands.as_typed(str(error), _PROGRAM)
    except KeyboardInterrupt as interrupt:
        told = commands.cancelled(interrupt)
        stopped = KeyboardInterrupt(told)
    # Neither a traceback nor a chain of errors leads back to frames that hold what was typed.
    stopped.__cause__ = stopped.__context__ = None
    # IPython's own hook for errors that show themselves; the cell fails all the same, and `Run All` stops there.
    stopped._render_traceback_ = lambda: [f"{_PROGRAM}: {told}"]  # type: ignore[attr-defined]
    raise stopped.with_traceback(None)


def _run(ipython: InteractiveShell, line: str) -> CheckResults | LaunchedEndpoint | None:
    # Loading the extension stays light.
    from fairing_az_jupyter.frontends import (  # noqa: PLC0415
        check_commands,
        commands,
        grammar,
        launch_commands,
        launch_process,
        run_commands,
        terminal,
    )

    words = _words(line)
    parsed = grammar.parse(words, program=_PROGRAM)
    _refuse_what_a_terminal_is_for(parsed)
    caller = _caller(ipython)
    if parsed.command == "check" and not parsed.json:
        return _check(ipython, parsed, caller)
    if parsed.command == "fill":
        _fill(ipython, parsed, caller, words)
        return None
    if parsed.command == "launch":
        launch_process.launch(words)
        return None
    if parsed.command == "runs":
        run_commands.runs(parsed, terminal.Output(None))
        return None
    if parsed.command == "deploy":
        return launch_commands.deployed(parsed, caller)
    {
        "check": check_commands.check,
        "secrets": check_commands.secrets,
        "settings": commands.settings,
        "profile": commands.profile,
        "install-fairing": commands.install_fairing,
        "status": launch_commands.status,
        "logs": launch_commands.logs,
        "delete": launch_commands.delete,
        "cleanup": launch_commands.cleanup,
        "predict": launch_commands.predict,
        "train": launch_commands.train,
    }[parsed.command](parsed, caller)
    return None


def _fill(ipython: InteractiveShell, parsed: argparse.Namespace, caller: Caller, words: Sequence[str]) -> None:
    """Let the side panel fill this notebook; elsewhere show what would change.

    The notebook may be open here, and what is written to its file would be lost, or ask the user what to keep.
    """
    from fairing_az_jupyter.frontends import commands, grammar  # noqa: PLC0415 - loading the extension stays light
    from fairing_az_jupyter.frontends.refusals import CommandLineError  # noqa: PLC0415 - as above

    link = lab_link.link_of(ipython)
    if link is not None and link.present and not parsed.dry_run and link.is_notebook(parsed.notebook):
        link.fill(grammar.explicit_settings(parsed), parsed.profile)
        sys.stdout.write("JupyterLab fills the parameters cell; undo in that cell takes it back.\n")
        return
    if parsed.notebook is None:
        raise CommandLineError(
            "A dry run needs the notebook's name."
            if parsed.dry_run
            else "No side panel of JupyterLab is there to fill this notebook.",
            hint="Name the notebook to see what would change: %fairing_azure fill NOTEBOOK",
        )
    asked, parsed.dry_run = parsed.dry_run, True
    commands.fill(parsed, caller)
    if not asked:
        told = f"A cell does not write into notebooks. In a terminal: {shlex.join([grammar.PROGRAM, *words])}"
        sys.stderr.write(f"{told}\n")


def _words(line: str) -> list[str]:
    from fairing_az_jupyter.frontends.refusals import CommandLineError  # noqa: PLC0415 - as above

    try:
        return shlex.split(line)
    except ValueError:
        pass
    raise CommandLineError(
        "This line has a quotation mark without its partner.", hint="Close it, or write \\' or \\\"."
    )


def _refuse_what_a_terminal_is_for(parsed: argparse.Namespace) -> None:
    from fairing_az_jupyter.frontends.refusals import CommandLineError  # noqa: PLC0415 - as above

    retry = parsed.command == "runs" and parsed.action == "retry"
    if parsed.command in {"run", "sweep", "completion"} or retry:
        typed = f"{parsed.command} {parsed.action}" if hasattr(parsed, "action") else parsed.command
        raise CommandLineError(
            f"'{typed}' is a command for a terminal.", hint=f"Type there: fairing-azure {typed} --help"
        )
    if getattr(parsed, "from_file", None) == "-":
        raise CommandLineError("A cell has no standard input to read.", hint="Name a file: --from-file FILE")


def _caller(ipython: InteractiveShell) -> Caller:
    import functools  # noqa: PLC0415 - as above

    from fairing_az_jupyter.frontends import commands, prompts  # noqa: PLC0415 - as above
    from fairing_az_jupyter.settings import from_notebook, to_notebook  # noqa: PLC0415 - as above

    in_kernel = _in_kernel(ipython)
    return commands.Caller(
        ask=functools.partial(prompts.ask, in_kernel=in_kernel),
        variables=to_notebook(from_notebook(ipython.user_ns)),
        program=_PROGRAM,
        present=in_kernel or prompts.at_terminal(),
        names=ipython.user_ns,
    )


def _in_kernel(ipython: InteractiveShell) -> bool:
    return getattr(ipython, "kernel", None) is not None


def _check(ipython: InteractiveShell, parsed: argparse.Namespace, caller: Caller) -> CheckResults:
    from fairing_az_jupyter.frontends import check_commands  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.check_results import CheckResults  # noqa: PLC0415 - as above

    if not _in_kernel(ipython):
        found = CheckResults(check_commands.shown_as_found(parsed, caller, notebook=True))
    else:
        from IPython.display import DisplayHandle  # noqa: PLC0415 - as above

        found = CheckResults()
        results = check_commands.results_of(parsed, caller)
        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        try:
            # An interrupt may come as soon as there is something to see.
            handle.display(found.shown(running=True), raw=True)
            for result in results:
                found.append(result)
                handle.update(found.shown(running=True), raw=True)
        except KeyboardInterrupt:
            handle.update(found.shown(stopped=True), raw=True)
            raise
        found = found.in_order()
        handle.update(found.shown(), raw=True)
    _until_the_cell_ends(ipython, found)
    return found


def _until_the_cell_ends(ipython: InteractiveShell, found: CheckResults) -> None:
    """Note that the cell that is being run shows the results already."""

    def end() -> None:
        found.on_screen = False
        ipython.events.unregister("post_execute", end)

    found.on_screen = True
    ipython.events.register("post_execute", end)
