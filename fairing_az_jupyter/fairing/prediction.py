"""Asks an endpoint for predictions: Fairing's own call, with a time-out and a check of the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairing_az_jupyter.exceptions import EndpointError

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT_SECONDS = (5.0, 120.0)
"""To connect, and between two parts of the answer."""


def predict_nparray(self: Any, data: Any, feature_names: Iterable[str] | None = None) -> dict[str, Any]:  # noqa: ANN401
    """Return the endpoint's predictions for an array; the method of Fairing's `PredictionEndpoint`.

    Args:
        self: The endpoint; its `url` is what `create()` has found.
        data: Array of shape (samples, features), or what numpy makes one of.
        feature_names: The names of the columns, if the model wants them.

    Returns:
        Seldon's message, as upstream: `{"data": {"names": [...], "tensor": {"shape": [...], "values": [...]}}, ...}`.

    Raises:
        EndpointError: The endpoint can't be reached, or refuses the data.

    """
    import numpy as np  # noqa: PLC0415
    import requests  # noqa: PLC0415

    url = getattr(self, "url", None)
    if not url:
        raise EndpointError("This endpoint does not exist yet, so it can't predict.", hint="Call create() first.")
    array = np.asarray(data)
    message = {
        "data": {
            "names": None if feature_names is None else [str(name) for name in feature_names],
            "tensor": {"shape": list(array.shape), "values": array.ravel().tolist()},
        },
    }
    with requests.Session() as session:
        # A proxy that serves the outside world knows nothing of this machine's loopback.
        session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
        try:
            response = session.post(url, data={"json": json.dumps(message)}, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise EndpointError(
                f"Endpoint {url} does not answer ({type(error).__name__}).",
                hint="Was it deleted, or did its process end? Create it again with create().",
            ) from error
    return _checked(response, url)


def _checked(response: Any, url: str) -> dict[str, Any]:  # noqa: ANN401
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.ok and isinstance(answer, dict):
        return answer
    told = answer if isinstance(answer, dict) else {}
    reason = str(told.get("message") or told.get("error") or response.text[:500] or response.reason)
    raise EndpointError(
        f"Endpoint {url} answered {response.status_code}: {reason}",
        hint=str(told.get("hint", "")),
        code="prediction-refused" if response.status_code < 500 else None,  # noqa: PLR2004 - HTTP's server errors
    )
