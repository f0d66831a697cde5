"""Real examples of each sub-command, shown by its `--help`; tests parse every one of them."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.frontends.grammar.parts import Commands

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EXAMPLES", "Example", "HelpFormatter", "add_examples", "examples_of"]

Where = Literal["both", "terminal", "cell"]


@dataclasses.dataclass(frozen=True)
class Example:
    """One line that can be typed.

    Args:
        words: What stands behind the program.
        where: Whether it is for a terminal, for a cell, or for both.
        assigned: In a cell: the variable that keeps the result; empty for none.

    """

    words: str
    where: Where = "both"
    assigned: str = ""

    def typed(self, program: str) -> str:
        """Return the whole line.

        Args:
            program: What the user types before a sub-command.

        """
        return f"{f'{self.assigned} = ' if self.assigned else ''}{program} {self.words}"


EXAMPLES: tuple[Example, ...] = (
    Example("settings --explain", "cell"),
    Example("settings train.ipynb --explain", "terminal"),
    Example("profile set team-a --docker-registry contoso.azurecr.io --azure-resource-group contoso-ml"),
    Example("profile show team-a"),
    Example("profile use team-a"),
    Example("profile list"),
    Example("profile remove team-a"),
    Example("fill --docker-registry contoso.azurecr.io", "cell"),
    Example("fill train.ipynb --backend KubeflowAzureBackend --docker-registry contoso.azurecr.io", "terminal"),
    Example("fill --profile team-a --dry-run", "cell"),
    Example("check", "cell", assigned="found"),
    Example("check --profile team-a"),
    Example("check train.ipynb --json", "terminal"),
    Example("secrets create"),
    Example("secrets create --acr --from-env"),
    Example("secrets rotate --expires 2027-11-30"),
    Example("secrets attach --dry-run"),
    Example("secrets show"),
    Example("train HousingServe --input-files ames_dataset/train.csv requirements.txt", "cell", assigned="job"),
    Example("train train.py:HousingServe --input-files ames_dataset/train.csv requirements.txt", "terminal"),
    Example("train HousingServe --backend KubeflowAzureBackend --memory 8Gi --deadline 3600", "cell"),
    Example("deploy HousingServe --input-files trained_ames_model.dat", "cell", assigned="endpoint"),
    Example("deploy train.py:HousingServe --input-files trained_ames_model.dat", "terminal"),
    Example("predict {endpoint.name} rows.csv", "cell", assigned="found"),
    Example("predict fairing-endpoint-1a2b3c4d '[[1, 2], [3, 4]]'"),
    Example("logs fairing-job-1a2b3c4d --follow"),
    Example("logs fairing-endpoint-1a2b3c4d --tail 50"),
    Example("status"),
    Example("status fairing-job-1a2b3c4d"),
    Example("delete fairing-endpoint-1a2b3c4d"),
    Example("cleanup --dry-run"),
    Example("cleanup --yes"),
    Example("run train.ipynb -p N_ESTIMATORS 200 -o done.ipynb", "cell", assigned="done"),
    Example("run train.ipynb -p N_ESTIMATORS 200 -f more.yaml", "terminal"),
    Example("launch train.ipynb --profile team-a"),
    Example("launch train.ipynb --profile team-a --skip-checks"),
    Example("runs list --state failed"),
    Example("runs show last"),
    Example("runs logs last --follow"),
    Example("runs cancel last"),
    Example("runs retry last"),
    Example("runs compare 1a2b 3c4d"),
    Example("runs prune --keep 100"),
    Example("sweep run train.ipynb --grid MAX_DEPTH 3 5 7 -j 2", "terminal"),
    Example("sweep resume last -j 4", "terminal"),
    Example("sweep list", "terminal"),
    Example("sweep show last --plot sweep.png", "terminal"),
    Example("sweep cancel last", "terminal"),
    Example("panel", "cell"),
    Example("panel --close", "cell"),
    Example("example"),
    Example("example housing"),
    Example("help train"),
    Example("install-fairing --dry-run"),
    Example("install-fairing --remove"),
    Example("completion bash", "terminal"),
)
"""In the order in which one needs them."""


def examples_of(command: str, *, in_cell: bool) -> Iterator[Example]:
    """Yield the examples of a sub-command.

    Args:
        command: The sub-command, such as `train` or `runs show`.
        in_cell: Whether they are typed into a cell.

    """
    other = "terminal" if in_cell else "cell"
    words = command.split()
    for example in EXAMPLES:
        if example.where != other and example.words.split()[: len(words)] == words:
            yield example


def add_examples(parser: argparse.ArgumentParser, program: str, *, in_cell: bool) -> None:
    """Let the help of each sub-command end with its examples.

    Args:
        parser: The grammar, or a part of it.
        program: What the user types before a sub-command.
        in_cell: Whether it is a cell that is typed into.

    """
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to its sub-commands
        if not isinstance(action, Commands):
            continue
        for sub in action.choices.values():
            found = list(examples_of(sub.prog.removeprefix(program).strip(), in_cell=in_cell))
            if found:
                lines = "".join(f"  {example.typed(program)}\n" for example in found)
                sub.epilog = f"examples:\n{lines}"
                sub.formatter_class = HelpFormatter
            add_examples(sub, program, in_cell=in_cell)


class HelpFormatter(argparse.HelpFormatter):
    """Wraps what is one paragraph, and leaves lines that stand for themselves."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        return "".join(f"{indent}{line}" for line in text.splitlines(keepends=True))
