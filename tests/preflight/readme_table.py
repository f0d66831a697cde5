"""The README's troubleshooting table, made from the faults that the tests inject.

    python -m tests.preflight.readme_table

writes it between its two marks in README.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .faults import FAULTS

if TYPE_CHECKING:
    from .faults import Fault

README = Path(__file__).parents[2] / "README.md"
BEGIN = "<!-- faults: written by python -m tests.preflight.readme_table -->"
END = "<!-- end of faults -->"

_COMMANDS = ("fairing-azure ", "kubectl ", "az ")
_NAMES = {
    "namespace": "NAMESPACE",
    "client": "CLIENT_ID",
    "registry": "REGISTRY",
    "host": "REGISTRY.azurecr.io",
    "group": "GROUP",
    "account": "ACCOUNT",
    "subscription": "SUBSCRIPTION_ID",
}


def table() -> str:
    """Return the table in Markdown, one row a fault."""
    rows = [f"| {_check(fault)} | {_escaped(fault.cause)} | {_cure(fault)} |" for fault in FAULTS]
    return "\n".join(["| check | cause | fix |", "|---|---|---|", *rows])


def written(readme: str) -> str:
    """Return the README with the table between its marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _check(fault: Fault) -> str:
    return f"`{fault.check}`" + ("" if fault.status == "fail" else f" ({fault.status})")


def _cure(fault: Fault) -> str:
    text = fault.cure.format(**_NAMES).replace("train.ipynb", "NOTEBOOK")
    if text.startswith(_COMMANDS):
        return f"`{_escaped(text)}`"
    return _escaped(text[:1].upper() + text[1:]).rstrip(".")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
