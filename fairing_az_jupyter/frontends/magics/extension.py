"""What `%load_ext fairing_az_jupyter` does in IPython, and `%fairing_azure`, the command line's grammar in a cell."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing import hook, import_shim
from fairing_az_jupyter.frontends import lab_link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

    from fairing_az_jupyter.frontends.command_line.parsing import Parsed
    from fairing_az_jupyter.frontends.magics.screen import Screen
    from fairing_az_jupyter.frontends.views.checks.check_results import CheckResults
    from fairing_az_jupyter.frontends.views.results import ShownOnce
    from fairing_az_jupyter.operations.calls import Call, Caller
    from fairing_az_jupyter.operations.notebooks.fill import Fill
    from fairing_az_jupyter.operations.setup.tool import Panel

MAGIC = "fairing_azure"
_PROGRAM = f"%{MAGIC}"
_HERE = frozenset({"check", "fill", "panel"})
"""The sub-commands that are about the notebook around the line."""


def load(ipython: InteractiveShell) -> None:
    """Make Fairing's names importable, offer `%fairing_azure`, and say so if Fairing is missing.

    Args:
        ipython: The shell that loads the extension.

    """
    hook.install()

    def fairing_azure(line: str, cell: str | None = None) -> object:
        """Check, train, serve and run on Kubeflow on Azure, or on this machine.

        %fairing_azure panel                      the panel: settings, checks, launches, endpoints
        %fairing_azure fill --profile team-a      fill the parameters cell of this notebook
        found = %fairing_azure check              what would make a launch fail, each with its fix
        %fairing_azure secrets create             make the Secrets that a launch needs; asks for the values
        job = %fairing_azure train HousingServe --input-files ames_dataset/train.csv requirements.txt
        endpoint = %fairing_azure deploy HousingServe --from {job.name}
        %fairing_azure predict {endpoint.name} rows.csv
        %fairing_azure status                     what was launched, and how it is
        %fairing_azure delete {endpoint.name}
        %fairing_azure run train.ipynb -p N_ESTIMATORS 200
        %fairing_azure example                    copy the example next to this notebook
        %fairing_azure help                       all commands; help COMMAND for one of them

        %%fairing_azure train --input-files data.csv
        class Model: ...                          trains what the cell defines

        Settings are taken from this notebook's variables, such as DOCKER_REGISTRY; flags win over them. {name} and
        $name stand for variables.
        """
        return run(ipython, line, cell)

    register: Callable[..., None] = ipython.register_magic_function
    register(fairing_azure, "line_cell", MAGIC)
    _offer_completion(ipython)
    if _is_attended(ipython):
        # Papermill and nbconvert complain of what nobody answers.
        lab_link.link_of(ipython)
    if import_shim.find_fairing() is None:
        sys.stderr.write("Kubeflow Fairing is not installed. Install it: fairing-azure install-fairing\n")


def run(ipython: InteractiveShell, line: str, cell: str | None = None) -> object:
    """Run the line of a magic.

    Args:
        ipython: The shell that it was typed into.
        line: What stands behind the magic's name.
        cell: What stands below it; None for the line alone.

    Returns:
        What was found or made, as a Python object; None where there is nothing, or JSON was printed.

    Raises:
        FairingAzureError: It can't be done, or has failed; IPython shows it in one line without a traceback.
        KeyboardInterrupt: The user has interrupted it; likewise.

    """
    # Loading the extension stays light.
    from fairing_az_jupyter.frontends.commands import wording  # noqa: PLC0415
    from fairing_az_jupyter.frontends.magics.screen import StillRunsError  # noqa: PLC0415
    from fairing_az_jupyter.frontends.terminal import debugging, output  # noqa: PLC0415

    try:
        return _run(ipython, line, cell)
    except FairingAzureError as error:
        stopped: BaseException = error
        said = wording.in_place(f"{error.in_one_line} {error.hint}".strip(), _PROGRAM)
        if debugging.asked_for(line):
            debugging.show(error)
        if _asks_for_json(line):
            # Who asks for it reads what the cell prints, and not how it fails.
            output.print_json(wording.error_document(error, _PROGRAM))
    except KeyboardInterrupt as interrupt:
        left = wording.in_place(str(interrupt), _PROGRAM) if isinstance(interrupt, StillRunsError) else ""
        said = f"cancelled. {left}" if left else wording.cancelled(interrupt)
        stopped = KeyboardInterrupt(said)
    # Neither a traceback nor a chain of errors leads back to frames that hold what was typed.
    stopped.__cause__ = stopped.__context__ = None
    # IPython's own hook for errors that show themselves; the cell still fails, and `Run All` stops there.
    stopped._render_traceback_ = lambda: [f"{_PROGRAM}: {said}"]  # type: ignore[attr-defined]
    raise stopped.with_traceback(None)


def _asks_for_json(line: str) -> bool:
    return "--json" in line.split()


def _run(ipython: InteractiveShell, line: str, cell: str | None) -> object:
    # Loading the extension stays light.
    from fairing_az_jupyter.frontends.command_line.calls import call_of  # noqa: PLC0415
    from fairing_az_jupyter.frontends.command_line.parsing import Page, parse  # noqa: PLC0415
    from fairing_az_jupyter.frontends.magics import cells  # noqa: PLC0415
    from fairing_az_jupyter.frontends.magics import commands as magic_commands  # noqa: PLC0415

    words = _words(line)
    parsed = parse(words, program=_PROGRAM)
    if isinstance(parsed, Page):
        sys.stdout.write(parsed.text)
        return None
    _reject_standard_input(parsed)
    defined = None if cell is None else cells.execute_cell(ipython, parsed, cell)
    name = parsed.operation.name
    if name in {"train", "deploy"} and not getattr(parsed.request, "task", None):
        task = cells.choose_task(parsed, ipython.user_ns, defined)
        parsed = dataclasses.replace(parsed, request=parsed.request.model_copy(update={"task": task}))
    call, screen = call_of(parsed, _caller(ipython)), _screen(ipython)
    if name not in _HERE or (name == "check" and parsed.json):
        return magic_commands.run(parsed, call, words, screen)
    if name == "check":
        return _check(ipython, call)
    if name == "panel":
        _panel(ipython, call)
    else:
        _fill(ipython, parsed, call, words)
    return None


def _panel(ipython: InteractiveShell, call: Call[Panel]) -> None:
    """Show the panel of widgets, or close those that there are."""
    from fairing_az_jupyter.frontends import panel  # noqa: PLC0415 - loading the extension stays light
    from fairing_az_jupyter.frontends.magics.panel_text import instead_of_panel  # noqa: PLC0415 - as above

    if call.request.close:
        number = panel.close_panels(ipython)
        sys.stdout.write(f"{number or 'No'} panel{'' if number == 1 else 's'} closed.\n")
        return
    instead = instead_of_panel(in_kernel=_in_kernel(ipython), present=_is_attended(ipython))
    if instead:
        sys.stdout.write(f"{instead}\n")
        return
    panel.open_panel(ipython).show()


def _fill(ipython: InteractiveShell, parsed: Parsed, call: Call[Fill], words: Sequence[str]) -> None:
    """Let the side panel fill this notebook; without it offer the filled cell, and write into no file."""
    from fairing_az_jupyter.frontends import cell_fill  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.commands import installing  # noqa: PLC0415 - as above
    from fairing_az_jupyter.operations.declaration import PROGRAM  # noqa: PLC0415 - as above

    link, asked = lab_link.link_of(ipython), call.request
    if link is not None and link.present and not asked.dry_run and link.is_notebook(asked.notebook):
        link.fill(parsed.settings, parsed.profile)
        sys.stdout.write("JupyterLab fills the parameters cell; undo in that cell takes it back.\n")
        return
    if asked.notebook is not None:
        installing.fill(call, dry_run=True)
        if not asked.dry_run:
            said = f"A cell does not write into notebooks. In a terminal: {shlex.join([PROGRAM, *words])}"
            sys.stderr.write(f"{said}\n")
        return
    if not _in_kernel(ipython) or not _is_attended(ipython):
        raise CommandLineError(
            "This notebook runs unattended, so its parameters cell can't be filled."
            if _in_kernel(ipython)
            else "Only a notebook has a parameters cell, and this line is not in one.",
            hint=f"In a terminal: {shlex.join([PROGRAM, words[0], 'NOTEBOOK', *words[1:]])}",
        )
    found = cell_fill.offer(ipython, call.session)
    sys.stdout.writelines(f"warning: {warning}\n" for warning in found.warnings)
    sys.stdout.write(found.diff)
    if found.source and not asked.dry_run:
        ipython.set_next_input(found.source)
        sys.stdout.write(f"The next cell is the filled one. {found.sentence}\n")
    elif not found.source:
        sys.stdout.write(f"{found.sentence}\n")


def _words(line: str) -> list[str]:
    from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError  # noqa: PLC0415 - as above

    try:
        return shlex.split(line)
    except ValueError:
        pass
    raise CommandLineError(
        "This line has a quotation mark without its partner.", hint="Close it, or write \\' or \\\"."
    )


def _reject_standard_input(parsed: Parsed) -> None:
    from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError  # noqa: PLC0415 - as above

    if getattr(parsed.request, "from_file", None) == "-":
        raise CommandLineError("A cell has no standard input to read.", hint="Name a file: --from-file FILE")


def _caller(ipython: InteractiveShell) -> Caller:
    import functools  # noqa: PLC0415 - as above

    from fairing_az_jupyter.frontends.terminal import output, prompts  # noqa: PLC0415 - as above
    from fairing_az_jupyter.operations.calls import Caller  # noqa: PLC0415 - as above
    from fairing_az_jupyter.settings import from_notebook, to_notebook  # noqa: PLC0415 - as above

    in_kernel = _in_kernel(ipython)
    return Caller(
        ask=functools.partial(prompts.ask, in_kernel=in_kernel),
        variables=to_notebook(from_notebook(ipython.user_ns)),
        program=_PROGRAM,
        present=in_kernel or prompts.at_terminal(),
        names=ipython.user_ns,
        warn=output.warn,
    )


def _in_kernel(ipython: InteractiveShell) -> bool:
    return getattr(ipython, "kernel", None) is not None


def _is_attended(ipython: InteractiveShell) -> bool:
    """Tell whether a person sits before this notebook: papermill and nbconvert allow no questions."""
    return bool(getattr(getattr(ipython, "kernel", None), "_allow_stdin", False))


def _screen(ipython: InteractiveShell) -> Screen:
    from fairing_az_jupyter.frontends.magics.screen import Screen  # noqa: PLC0415 - as above

    return Screen(_new_display if _in_kernel(ipython) else None, lambda result: _until_the_cell_ends(ipython, result))


def _new_display() -> Any:  # noqa: ANN401 - IPython's own
    from IPython.display import DisplayHandle  # noqa: PLC0415 - as above

    return DisplayHandle()  # type: ignore[no-untyped-call]


def _check(ipython: InteractiveShell, call: Call[Any]) -> CheckResults:
    from fairing_az_jupyter.frontends.commands import checks  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.views.checks.check_results import CheckResults  # noqa: PLC0415 - as above

    if not _in_kernel(ipython):
        found = CheckResults(checks.shown_as_found(call, verbose=call.request.verbose, notebook=True))
    else:
        found = CheckResults()
        results = checks.results_of(call)
        handle = _new_display()
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


def _until_the_cell_ends(ipython: InteractiveShell, found: ShownOnce) -> None:
    """Note that the cell that is being run shows the results already."""
    displayhook: Any = ipython.displayhook

    def end() -> None:
        found.on_screen = False
        vars(displayhook).pop("write_output_prompt", None)
        ipython.events.unregister("post_execute", end)

    found.on_screen = True
    if not _in_kernel(ipython):
        # A terminal would show an Out[n] with nothing behind it.
        displayhook.write_output_prompt = lambda: None
    ipython.events.register("post_execute", end)


def _offer_completion(ipython: InteractiveShell) -> None:
    """Complete the magic's lines by Tab; what there is to complete is found when it is asked for."""
    completer = getattr(ipython, "Completer", None)
    if completer is None or any(getattr(each, "fairing_azure", False) for each in completer.custom_matchers):
        return

    def matcher(context: CompletionContext) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion  # noqa: PLC0415 - as above

        if MAGIC not in context.text_until_cursor:
            return {"completions": []}
        from fairing_az_jupyter.frontends.command_line import completion  # noqa: PLC0415 - as above
        from fairing_az_jupyter.frontends.magics.commands import launches_seen  # noqa: PLC0415 - as above

        found = completion.complete(context.text_until_cursor, ipython.user_ns, launches_seen)
        if found is None:
            return {"completions": []}
        return {
            "completions": [SimpleCompletion(each.text, type=each.kind) for each in found.matches],
            "matched_fragment": found.fragment,
            "ordered": True,
            "suppress": True,
        }

    # Version 2 of IPython's matchers: they may say what they complete, and that nothing else does.
    matcher.matcher_api_version = 2  # type: ignore[attr-defined]
    matcher.fairing_azure = True  # type: ignore[attr-defined]
    completer.custom_matchers.append(matcher)
