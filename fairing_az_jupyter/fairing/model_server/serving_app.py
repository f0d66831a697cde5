"""The endpoint's web application: KServe's own, with Seldon's `/predict` beside it and the client's faults as 4xx.

This file is copied beside the user's files as `fairing_serving_app.py`, next to `serving.py`. KServe is slow to
import and untyped, so it is handed in as a module, and its classes are joined with the parts below by `make_app`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import time
import warnings
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.model_server import serving_messages as messages
else:  # beside the user's files
    import fairing_serving_messages as messages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence

    import numpy as np

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Scope]]
    Send = Callable[[Scope], Awaitable[None]]
    Predict = Callable[[messages.Batch], Awaitable[np.ndarray[Any, Any]]]

MAX_BODY_BYTES = 100 * 2**20
LARGE_BODY_BYTES = 2**18
SELDON_PATHS = ("/predict", "/api/v1.0/predictions", "/api/v0.1/predictions")
QUIET_PATHS = ("/", "/metrics", "/v2/health/live", "/v2/health/ready")

log = logging.getLogger("fairing_serving")


class ModelParts:
    """What makes a `kserve.Model` of the user's predict; KServe calls and times the three steps one after another."""

    name: str
    user_predict: Predict
    class_names: Any

    async def preprocess(self, payload: Any, _headers: Any = None) -> messages.Batch:  # noqa: ANN401
        """Return a request's rows, whichever protocol it came by."""
        if isinstance(payload, messages.Batch):
            return payload
        return messages.read_v2(payload) if hasattr(payload, "inputs") else messages.read_v1(payload)

    async def predict(self, batch: messages.Batch, *_: Any) -> tuple[messages.Batch, np.ndarray[Any, Any]]:  # noqa: ANN401
        """Return the batch and the user's prediction for it."""
        return batch, await self.user_predict(batch)

    async def postprocess(self, result: tuple[messages.Batch, np.ndarray[Any, Any]], *_: Any) -> Any:  # noqa: ANN401
        """Return the answer in the form of the request."""
        batch, array = result
        if batch.form == "v1":
            return {"predictions": messages.as_lists(array)}
        if batch.form == "v2":
            return messages.v2_answer(batch, array, self.name)
        return messages.seldon_answer(batch, array, self.class_names)

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return the input that the model's metadata shows; -1 is any size."""
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, -1]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the output that the model's metadata shows."""
        return [{"name": messages.OUTPUT, "datatype": "FP64", "shape": [-1]}]


class DataPlaneParts:
    """Decoding in which whatever goes wrong is the client's fault: KServe's own answers 500 to half of it."""

    def decode(
        self,
        body: Any,  # noqa: ANN401
        headers: dict[str, str],
        protocol_version: str = "v1",
        model_name: str | None = None,
    ) -> Any:  # noqa: ANN401
        """Return the request that KServe reads from a body, and its CloudEvent attributes."""
        parent: Any = super()
        version_2 = protocol_version == "v2"
        if isinstance(body, bytes):
            if version_2 and "inference-header-content-length" not in headers:
                raise messages.RequestError(
                    "The body is not an inference request in JSON.",
                    f"Send it with content-type: application/json. {messages.V2_HINT}",
                    code="content-type",
                    status=415,
                )
            if not version_2 and "ce-id" not in headers and "cloudevents" not in headers.get("content-type", ""):
                return messages.read_json(body, messages.V1_HINT), {}
        try:
            return parent.decode(body, headers, protocol_version=protocol_version, model_name=model_name)
        except Exception as error:
            hint = messages.V2_HINT if version_2 else messages.V1_HINT
            text = f"The body is not a valid request: {type(error).__name__}: {messages.one_line(error, 300)}"
            raise messages.RequestError(text, hint, code="not-json") from error


class FixedModels:
    """KServe's model repository extension, closed: nobody may unload the one model from outside."""

    async def load(self, _name: str) -> NoReturn:
        """Reject."""
        raise NotImplementedError("Models can't be loaded or unloaded by request.")

    async def unload(self, _name: str) -> NoReturn:
        """Reject."""
        await self.load(_name)


def error_bytes(path: str, error: messages.RequestError) -> bytes:
    """Return the body of an error's answer; KServe's paths have its `error` too."""
    content = {"code": error.code, "message": error.message, "hint": error.hint}
    if path.startswith(("/v1/", "/v2/")):
        content["error"] = f"{error.message} {error.hint}".rstrip()
    return json.dumps(content).encode()  # ASCII: a message may quote half a surrogate pair


class Gate:
    """ASGI middleware: the body whole and bounded before any handler runs, and one log line for each request.

    Args:
        app: The ASGI application behind it.

    """

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - ASGI
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        begun = time.monotonic()
        status = 0

        async def noting(event: Scope) -> None:
            nonlocal status
            status = event.get("status", status)
            await send(event)

        try:
            body = await _whole_body(receive)
            if body is None:
                await _send_error(noting, scope["path"], _too_large())
                return
            events: list[Scope] = [{"type": "http.request", "body": body, "more_body": False}]

            async def replay() -> Scope:
                return events.pop() if events else await receive()

            await self._app(scope, replay, noting)
        except ConnectionError:
            status = 0  # the client has gone
        except asyncio.CancelledError:  # by uvicorn, when the grace period is over
            if not status:
                stopping = messages.RequestError("The endpoint is stopping.", "Try again.", code="stopping", status=503)
                await _send_error(noting, scope["path"], stopping)
        finally:
            # The raw path is percent-encoded, so it can't break the line, and it ends before the query.
            path = scope.get("raw_path", b"").decode("latin-1")[:200]
            if status != HTTPStatus.OK or not (path in QUIET_PATHS or path.endswith("/ready")):
                milliseconds = (time.monotonic() - begun) * 1000
                log.info("%s %s %s %.0f ms", scope["method"], path, status or "disconnected", milliseconds)


async def _whole_body(receive: Receive) -> bytes | None:
    """Return a request's body, or None if it is too large; the rest is read, so that the client sees the answer."""
    body = bytearray()
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ConnectionError
        size += len(chunk := event.get("body", b""))
        if size <= MAX_BODY_BYTES:
            body += chunk
        else:
            body.clear()
        if not event.get("more_body", False):
            return bytes(body) if size <= MAX_BODY_BYTES else None


def _too_large() -> messages.RequestError:
    text = f"The body is larger than {MAX_BODY_BYTES // 2**20} MiB."
    return messages.RequestError(text, "Send fewer rows at once.", code="too-large", status=413)


async def _send_error(send: Send, path: str, error: messages.RequestError) -> None:
    body = error_bytes(path, error)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def translated(error: Any, method: str, path: str, model: str) -> messages.RequestError:  # noqa: ANN401 - duck-typed
    """Return what KServe's, FastAPI's or Starlette's exception means to the client.

    Args:
        error: The exception that a handler raised.
        method: The request's HTTP method.
        path: The request's path.
        model: The name of the model that is served.

    """
    kind, path = type(error).__name__, path[:200]
    if isinstance(error, messages.RequestError):
        meant = error
    elif kind == "HTTPException":
        meant = _translated_http(error, method, path, model)
    elif kind == "RequestValidationError":
        meant = _translated_validation(error.errors())
    elif kind == "ModelNotFound" and method != "POST" and path.endswith((":predict", ":explain")):
        meant = messages.RequestError(f"{method} is not possible on {path}.", "Use POST.", code="method", status=405)
    elif kind == "ModelNotFound":
        text = "Model not found on this endpoint."
        meant = messages.RequestError(text, f"The only one is {model!r}.", code="no-model", status=404)
    elif isinstance(error, NotImplementedError):
        text = f"This endpoint does not offer {method} {path}: {messages.one_line(error, 300)}"
        meant = messages.RequestError(text, f"Its model is at /v2/models/{model}.", code="not-found", status=404)
    elif kind == "InvalidInput":
        meant = messages.RequestError(messages.one_line(error), messages.V2_HINT)
    else:
        text = f"{kind}: {messages.one_line(error)}"
        status = 503 if kind in ("ModelNotReady", "ServerNotReady", "ServerNotLive") else 500
        meant = messages.RequestError(text, "See the endpoint's log.", code="internal", status=status)
    return meant


def _translated_http(error: Any, method: str, path: str, model: str) -> messages.RequestError:  # noqa: ANN401 - Starlette
    if error.status_code == HTTPStatus.NOT_FOUND:
        hint = f"POST to /predict or /v2/models/{model}/infer; GET /v2/health/ready or /metrics."
        return messages.RequestError(f"{path} not found.", hint, code="not-found", status=404)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        hint = f"Use {(error.headers or {}).get('Allow', 'POST')}."
        return messages.RequestError(f"{method} is not possible on {path}.", hint, code="method", status=405)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI hides why
        return messages.RequestError("The body is not readable JSON.", messages.V2_HINT, code="not-json")
    return messages.RequestError(str(error.detail)[:300], status=error.status_code)


def _translated_validation(faults: Sequence[dict[str, Any]]) -> messages.RequestError:
    # KServe takes a message or bytes: what pydantic says of the bytes does not help.
    fault = next((fault for fault in faults if "bytes" not in fault["loc"]), faults[0])
    if fault["type"] == "json_invalid":
        return messages.RequestError("The body is not JSON.", messages.V2_HINT, code="not-json")
    where = ".".join(str(part) for part in fault["loc"] if part not in ("body", "InferenceRequest"))[:200]
    if fault["type"] == "missing" and not where:
        return messages.RequestError("The request has no body.", messages.V2_HINT, code="no-body")
    text = f"The request is not valid{' at ' * bool(where)}{where}: {fault['msg'][:300]}."
    return messages.RequestError(text, messages.V2_HINT)


def make_app(kserve: Any, name: str, user_predict: Predict, class_names: Any) -> Gate:  # noqa: ANN401 - untyped
    """Return KServe's application with one model in it.

    Args:
        kserve: The module.
        name: The model's name.
        user_predict: Returns the prediction for a batch, or raises RequestError.
        class_names: The names of the columns of an answer, or None.

    """
    # KServe's own use of FastAPI, reported once for each of its handlers.
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
    server = importlib.import_module("kserve.model_server")
    rest = importlib.import_module("kserve.protocol.rest.server")
    routing = importlib.import_module("starlette.routing")
    responses = importlib.import_module("starlette.responses")
    model = type("Endpoint", (ModelParts, kserve.Model), {})(name)
    model.user_predict, model.class_names, model.ready = user_predict, class_names, True
    repository = kserve.ModelRepository()
    repository.update(model)
    plane = type("EndpointDataPlane", (DataPlaneParts, rest.DataPlane), {})(model_registry=repository)

    async def predict(request: Any) -> Any:  # noqa: ANN401 - Starlette
        body, content_type = await request.body(), request.headers.get("content-type", "")
        if len(body) > LARGE_BODY_BYTES:  # health and metrics are answered meanwhile
            batch = await asyncio.to_thread(messages.seldon_batch, body, content_type)
        else:
            batch = messages.seldon_batch(body, content_type)
        answer, _ = await model(batch)
        return responses.Response(messages.dumped(answer), media_type="application/json")

    async def reject(request: Any, error: Any) -> Any:  # noqa: ANN401 - Starlette
        meant = translated(error, request.method, request.url.path, name)
        body = error_bytes(request.url.path, meant)
        headers = getattr(error, "headers", None)
        return responses.Response(body, meant.status, media_type="application/json", headers=headers)

    app = server.app
    app.router.routes.extend(routing.Route(path, predict, methods=["POST"]) for path in SELDON_PATHS)
    app.add_api_route("/", plane.live)
    app.router.routes.append(routing.Route("/metrics", rest.metrics_handler, methods=["GET"]))
    rest.register_v1_endpoints(app, plane, FixedModels())
    rest.register_v2_endpoints(app, plane, FixedModels())
    errors = importlib.import_module("kserve.errors")
    validation = importlib.import_module("fastapi.exceptions").RequestValidationError
    http = importlib.import_module("starlette.exceptions").HTTPException
    kinds = (messages.RequestError, validation, http, NotImplementedError, Exception)
    for kind in (*kinds, errors.InvalidInput, errors.ModelNotFound, errors.ModelNotReady):
        app.add_exception_handler(kind, reject)
    return Gate(app)
