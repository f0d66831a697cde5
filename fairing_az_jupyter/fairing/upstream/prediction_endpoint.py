"""Asks an endpoint for predictions: Fairing's own call, with a time-out and a check of the answer."""

from __future__ import annotations

import contextvars
import functools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairing_az_jupyter.exceptions import EndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TIMEOUT_SECONDS = (5.0, 120.0)
"""To connect, and between two parts of the answer."""

LARGEST_PART = 2_000_000
"""How many numbers are sent at once: about 40 MB as JSON, where our server takes 100 MB."""

_for_endpoint: contextvars.ContextVar[bool] = contextvars.ContextVar("for_endpoint", default=False)


def predict_nparray(self: Any, data: Any, feature_names: Iterable[str] | None = None) -> dict[str, Any]:  # noqa: ANN401
    """Return the endpoint's predictions for an array; the method of Fairing's `PredictionEndpoint`.

    Args:
        self: The endpoint; its `url` is what `create()` has found.
        data: Array of shape (samples, features), or what numpy makes one of.
        feature_names: The names of the columns, if the model wants them.

    Returns:
        Seldon's message, as upstream: `{"data": {"names": [...], "tensor": {"shape": [...], "values": [...]}}, ...}`.

    Raises:
        EndpointError: The endpoint can't be reached, or rejects the data.

    """
    import numpy as np  # noqa: PLC0415

    url = getattr(self, "url", None)
    if not url:
        raise EndpointError("This endpoint does not exist yet, so it can't predict.", hint="Call create() first.")
    array = np.asarray(data)
    names = None if feature_names is None else [str(name) for name in feature_names]
    return ask(url, array, names)


def ask(url: str, array: Any, names: list[str] | None = None, *, form: bool | None = None) -> dict[str, Any]:  # noqa: ANN401
    """Ask an endpoint for predictions, in several parts where the array is very large.

    Args:
        url: The endpoint's `/predict`.
        array: Array of shape (samples, features).
        names: The names of the columns, if the model wants them.
        form: See `post`.

    Returns:
        Seldon's message.

    Raises:
        EndpointError: The endpoint can't be reached, or rejects the data.

    """
    import numpy as np  # noqa: PLC0415

    parts = max(1, -(-array.size // LARGEST_PART)) if array.ndim else 1
    if parts == 1 or len(array) == 1:
        return post(url, _message(array, names), form=form)
    answers = [post(url, _message(part, names), form=form) for part in np.array_split(array, min(parts, len(array)))]
    return _joined(answers, len(array), url)


def _message(array: Any, names: list[str] | None) -> dict[str, Any]:  # noqa: ANN401
    return {"data": {"names": names, "tensor": {"shape": list(array.shape), "values": array.ravel().tolist()}}}


def load() -> None:
    """Load what a call needs, so that the time of the first one is the endpoint's own."""
    import numpy as np  # noqa: F401, PLC0415
    import requests  # noqa: F401, PLC0415


def post(url: str, message: Any, *, form: bool | None = None) -> dict[str, Any]:  # noqa: ANN401
    """Send one message to an endpoint and return what it answers.

    Args:
        url: The endpoint's `/predict`.
        message: The message, as values that JSON knows.
        form: Whether it goes as a field of a form, as upstream sends it; None leaves it to where the endpoint is.

    Raises:
        EndpointError: The endpoint can't be reached, or answers with another status than success.

    """
    import requests  # noqa: PLC0415

    text = json.dumps(message)
    ours = urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
    with requests.Session() as session:
        # A proxy that serves the outside world knows nothing of this machine's loopback.
        session.trust_env = not ours
        # Upstream's own form is four times as slow to read; an endpoint of before this package knows no other.
        content: dict[str, Any] = {"data": {"json": text}}
        if form is False or (form is None and ours):
            content = {"data": text.encode(), "headers": {"Content-Type": "application/json"}}
        try:
            response = session.post(url, timeout=TIMEOUT_SECONDS, **content)
        except requests.ReadTimeout as error:
            raise EndpointError(
                f"Endpoint {url} has not answered within {TIMEOUT_SECONDS[1]:g} s.",
                hint="Send fewer rows at once, or check its log: fairing-azure logs -f NAME",
                code="prediction-timeout",
            ) from error
        except requests.RequestException as error:
            raise EndpointError(
                f"Endpoint {url} does not answer ({type(error).__name__}).",
                hint="It may have been deleted, or its process may have ended. Create it again with create().",
            ) from error
    return _checked(response, url)


def _joined(answers: list[dict[str, Any]], samples: int, url: str) -> dict[str, Any]:
    """Return the answers to the parts of a large array as the answer to all of it."""
    parts = [answer.get("data", {}) for answer in answers]
    joined: dict[str, Any] = {}
    if all("tensor" in part for part in parts):
        shapes = [part["tensor"]["shape"] for part in parts]
        count = sum(shape[0] for shape in shapes)
        values = [value for part in parts for value in part["tensor"]["values"]]
        joined = {"tensor": {"shape": [count, *shapes[0][1:]], "values": values}}
    elif all("ndarray" in part for part in parts):
        rows = [row for part in parts for row in part["ndarray"]]
        count = len(rows)
        joined = {"ndarray": rows}
    if not joined or count != samples:
        raise EndpointError(
            f"Endpoint {url} does not answer with one prediction for each sample, so {samples} samples can't be sent "
            "in several parts.",
            hint=f"Send fewer samples at once: at most {LARGEST_PART:,} numbers.",
        )
    return {**answers[0], "data": {**parts[0], **joined}}


def taking_predictors(type_of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return Fairing's `get_execution_obj_type` so that an endpoint takes a class that predicts, and need not train.

    Args:
        type_of: Fairing's function: it takes no class without `train` (functions/function_shim.py).

    """

    @functools.wraps(type_of)
    def type_of_any(found: Any) -> Any:  # noqa: ANN401
        predicts = _for_endpoint.get() and isinstance(found, type) and callable(getattr(found, "predict", None))
        # What its answer for a class is, only a class that it takes tells.
        return type_of(_Trained) if predicts else type_of(found)

    return type_of_any


def making_endpoint(make: Callable[..., None]) -> Callable[..., None]:
    """Return the constructor of Fairing's `PredictionEndpoint` so that its class need not train.

    Args:
        make: The constructor.

    """

    @functools.wraps(make)
    def make_endpoint(*words: Any, **named: Any) -> None:  # noqa: ANN401
        before = _for_endpoint.set(True)
        try:
            make(*words, **named)
        finally:
            _for_endpoint.reset(before)

    return make_endpoint


class _Trained:
    def train(self) -> None:
        """Do nothing."""


def replacing(create: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return Fairing's `create` so that a second call replaces the endpoint of the first one.

    A notebook's cell is run again; what the first run has made would be out of `delete()`'s reach.

    Args:
        create: The method of `PredictionEndpoint`.

    """

    @functools.wraps(create)
    def create_anew(endpoint: Any) -> None:  # noqa: ANN401
        before = getattr(endpoint, "_deployer", None)
        if before is not None:
            before.delete()
        create(endpoint)

    return create_anew


def _checked(response: Any, url: str) -> dict[str, Any]:  # noqa: ANN401
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.ok and isinstance(answer, dict):
        return answer
    reported = answer if isinstance(answer, dict) else {}
    reason = str(reported.get("message") or reported.get("error") or response.text[:500] or response.reason)
    raise EndpointError(
        f"Endpoint {url} answered {response.status_code}: {reason}",
        hint=str(reported.get("hint", "")),
        code="prediction-refused" if response.status_code < 500 else None,  # noqa: PLR2004 - HTTP's server errors
    )
