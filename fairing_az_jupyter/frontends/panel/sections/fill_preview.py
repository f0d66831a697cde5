"""What will change in the notebook's parameters cell, and the button that fills it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends import cell_fill, lab_link
from fairing_az_jupyter.frontends.panel.state import messages
from fairing_az_jupyter.frontends.panel.state.messages import Message

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.cell_fill import Offer
    from fairing_az_jupyter.frontends.panel.parts import Parts
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState

__all__ = ["FillPreview"]

_NOTHING = "No changes yet. Edit a setting or choose a profile."
_CORRECT = "Correct the errors above to see what will change."
_SAME = "Nothing to change: the notebook already has these settings."


class FillPreview:
    """The part 'Changes to the notebook'. The kernel writes into no notebook: the front end does, or the user.

    Args:
        parts: Of the panel.
        state: What all panels share.

    """

    def __init__(self, parts: Parts, state: SharedState) -> None:
        self.parts, self._state = parts, state.settings
        self._ipython = state.ipython
        self._diff = parts.html()
        self._fill = parts.button("Fill", self._fill_it, kind="primary", tip="Fill the notebook's parameters cell")
        self._filled = parts.html()
        self._shown_source = ""
        self.shown = parts.column(
            parts.html("Changes to the notebook", css="fairing-az-group"),
            self._diff,
            parts.row(self._fill, css="fairing-az-buttons"),
            self._filled,
        )

    def update(self) -> None:
        """Show what will change now."""
        offer, why = self._offer()
        if offer is None:
            shown = messages.html(why) if why.kind == "error" else messages.quiet(why.text)
        else:
            shown = diff_html(offer.diff) if offer.diff else messages.quiet(_SAME)
            shown += "".join(
                messages.html(Message(messages.in_cell(warning), kind="warning")) for warning in offer.warnings
            )
        self.parts.put(self._diff, shown)
        self._fill.disabled = offer is None or not offer.diff
        if self._shown_source and (offer is None or offer.source != self._shown_source):
            # What was offered is not what would be filled in any more.
            self._shown_source = ""
            self.parts.put(self._filled, "")

    def _fill_it(self) -> None:
        offer, why = self._offer()
        link = lab_link.link_of(self._ipython)
        if offer is None:
            self.parts.put(self._filled, messages.html(why))
        elif link is not None and link.present:
            link.fill(dict(self._state.typed), self._state.profile)
            message = "JupyterLab is filling the parameters cell. To undo, press Ctrl+Z in that cell."
            done = Message(message, "The changes above are relative to the last saved notebook.", "done")
            self.parts.put(self._filled, messages.html(done))
        else:
            self._shown_source = offer.source
            source = f'<pre tabindex="0" style="user-select:all">{escape(offer.source)}</pre>'
            self.parts.put(self._filled, messages.html(Message(offer.sentence, kind="note")) + source)

    def _offer(self) -> tuple[Offer | None, Message]:
        """Return what would be filled in; or None, and why."""
        if self._state.is_typed_wrong:
            return None, Message(_CORRECT, kind="note")
        try:
            return cell_fill.offer(self._ipython, self._state.session()), Message("", kind="note")
        except FairingAzureError as error:
            if error.code == "nothing-to-fill":
                return None, Message(_NOTHING, kind="note")
            return None, messages.message_of(error)


def diff_html(diff: str) -> str:
    """Return a diff as HTML, without the lines that name files.

    Args:
        diff: In the unified format.

    """
    lines = [line for line in diff.splitlines() if not line.startswith(("--- ", "+++ ", "@@"))]
    tags = {"+": "ins", "-": "del"}
    changed_lines = "".join(
        f"<{tags.get(line[:1], 'span')}>{escape(line)}</{tags.get(line[:1], 'span')}>" for line in lines
    )
    return f'<pre class="fairing-az-diff" tabindex="0" aria-label="Changed lines" role="region">{changed_lines}</pre>'
