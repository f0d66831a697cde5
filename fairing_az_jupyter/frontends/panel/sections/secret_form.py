"""Asks for a service principal's values, hands them on, and keeps none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.frontends.panel.parts import Parts

__all__ = ["SecretForm"]

_LABELS = {
    "client_id": "Client ID",
    "client_secret": "Client secret",
    "tenant_id": "Tenant ID",
    "subscription_id": "Subscription ID",
}
_EXPIRES = "Client secret expires on"


class SecretForm:
    """The form for a service principal.

    Args:
        parts: Parts of its own, which it ends when it is closed.
        only_secret: Whether only the client secret is renewed.
        send: Gets what was typed.
        on_close: Is called when the form is closed.

    """

    def __init__(
        self,
        parts: Parts,
        *,
        only_secret: bool,
        send: Callable[[dict[str, str]], object],
        on_close: Callable[[], object],
    ) -> None:
        self._send, self._on_close = send, on_close
        names = ("client_secret",) if only_secret else tuple(_LABELS)
        self._fields = {name: parts.write_only(_LABELS[name], masked=name == "client_secret") for name in names}
        self._fields["expires"] = parts.write_only(_EXPIRES, masked=False, tip="A date such as 2027-11-30. Optional.")
        self._submit = parts.button("Fix", self._send_it, kind="primary", tip="Send the values to the cluster")
        lead = "The values are sent to the cluster and stored nowhere else."
        lead += (
            "" if only_secret else " Leave a field empty to keep the value that the Secret in the cluster already has."
        )
        self.shown = parts.column(
            parts.html(lead, css="fairing-az-help"),
            *self._fields.values(),
            parts.html(
                "The expiry date is optional. If given, the checks warn before the secret expires.",
                css="fairing-az-help",
            ),
            parts.row(self._submit, parts.button("Cancel", self._cancel)),
            css="fairing-az-form",
        )
        parts.at_end(self._forget)

    def focus(self) -> None:
        """Bring the keyboard to the first field."""
        next(iter(self._fields.values())).focus()

    def set_busy(self, *, is_busy: bool) -> None:
        """Show whether the values are being sent."""
        self._submit.disabled = is_busy
        self._submit.description = "Sending …" if is_busy else "Fix"

    def _send_it(self) -> None:
        values = {name: field.value for name, field in self._fields.items()}
        self._forget()
        self._send(values)

    def _cancel(self) -> None:
        self._forget()
        self._on_close()

    def _forget(self) -> None:
        for field in self._fields.values():
            field.value = ""
