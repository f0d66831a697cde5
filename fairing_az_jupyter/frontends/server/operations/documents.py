"""The description of this interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.operations.calls import Call


def openapi(call: Call) -> dict[str, Any]:
    """Return the OpenAPI document of the routes."""
    from fairing_az_jupyter.frontends.server.openapi import document  # noqa: PLC0415 - it loads all models

    return document(call.base_url)
