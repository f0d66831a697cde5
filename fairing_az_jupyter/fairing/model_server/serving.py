"""What runs inside an endpoint's process: KServe's model server around the user's class.

This file, `serving_app.py` and `serving_messages.py` are copied beside the user's files (see `CONTAINER_FILES`) and
started there on their own, where this package is not installed: they need the standard library, numpy and KServe
(0.15 or newer) only.

    cd /app && python /app/fairing_serving.py CLASS_NAME --host 127.0.0.1 --port 5000 [--fd N]

`CLASS_NAME.py` in the working directory holds the class, as Kubeflow Fairing writes it. It is constructed without
arguments, its `load()` is called if it has one, and its `predict` gets a numpy array and, if it asks for them, feature
names and Seldon's `meta`. All of that happens on one thread, for a user's class need not be thread-safe.

| path | what |
|---|---|
| `/v2/...` | Open Inference Protocol v2, by KServe: health, metadata, `/v2/models/NAME/infer` |
| `/v1/models/NAME:predict` | KServe's v1 protocol: `{"instances": [[...]]}` |
| `/predict`, `/api/v1.0/predictions`, `/api/v0.1/predictions` | Seldon's message, as JSON or as form field `json` |
| `/metrics` | Prometheus; `request_predict_seconds_count` counts predictions |

What the client did wrong is a 4xx, a ValueError from `predict` (a model's word for "wrong input") a 400, and any other
exception in `predict` a 500. Request bodies and query strings reach no log.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import inspect
import logging
import os
import signal
import socket
import sys
import threading
import traceback
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

KSERVE_HINT = "On this computer: pip install kserve. In an image: add kserve to requirements.txt, and deploy again."

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.model_server import serving_app
    from fairing_az_jupyter.fairing.model_server import serving_messages as messages
else:  # beside the user's files
    try:
        import fairing_serving_app as serving_app
        import fairing_serving_messages as messages
    except ModuleNotFoundError as missing:  # numpy, in an image that has no KServe either
        fix = "Copy every file of CONTAINER_FILES." if str(missing.name).startswith("fairing_") else KSERVE_HINT
        raise SystemExit(f"fairing_serving: Module {missing.name} not found. Serving needs it. {fix}") from None

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

CONTAINER_FILES = {f"{name}.py": f"fairing_{name}.py" for name in ("serving", "serving_app", "serving_messages")}
"""The files beside this one that run in the container, and their names there."""

GRACE_SECONDS = 1
EXIT_SECONDS = 1.5
NAMES_PARAMETERS = ("feature_names", "features_names", "names", "column_names", "columns")

log = logging.getLogger("fairing_serving")


class StartupError(Exception):
    """The endpoint can't start; the text says what, why and the fix."""


def load_class(name: str, folder: Path) -> Any:  # noqa: ANN401 - the user's
    """Return the user's class from `NAME.py`.

    Args:
        name: The class's name, which is also its module's.
        folder: The app folder, which is put on the module path.

    Raises:
        StartupError: The file does not exist, it can't be read, or it holds no class of that name.

    """
    path = folder / f"{name}.py"
    if not name.isidentifier() or not path.is_file():
        raise StartupError(
            f"{name}.py not found in {folder}. It should contain the class to serve. Deploy it with "
            "PredictionEndpoint, and start this program in the app folder."
        )
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry not in ("", str(folder)))]
    # Not import_module: a class may have the name of a module that is loaded already.
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StartupError(f"{path} can't be loaded as a Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        traceback.print_exc()
        raise StartupError(f"Class {name} can't be unpickled from {path.parent}: {_why(error)}") from error
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        what = "nothing" if found is None else f"a {type(found).__name__}"
        raise StartupError(f"{path} holds {what} named {name}, not a class. Pass a class with a method predict.")
    return found


def _why(error: BaseException) -> str:
    """Return an exception of the user's code in one line, with the likely fix."""
    fix = "Fix the class, test it in the notebook, and deploy again."
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        fix = f"Add the package that has the module {package!r} to requirements.txt, and deploy again."
    elif isinstance(error, FileNotFoundError):
        fix = "Add the file to input_files of PredictionEndpoint, and deploy again."
    text = f"{type(error).__name__}: {messages.one_line(error, 500)}".rstrip(": ").rstrip(".")
    return f"{text}. {fix}"


def call_plan(predict: Callable[..., Any]) -> tuple[list[str], dict[str, str]]:
    """Return which of a batch's attributes `predict` is called with.

    Args:
        predict: The user's bound method.

    Returns:
        Attributes of `Batch` by position, and by parameter name.

    Raises:
        StartupError: It has a required parameter that no request can fill.

    """
    try:
        parameters = list(inspect.signature(predict).parameters.values())
    except (TypeError, ValueError):  # a builtin
        return ["rows"], {}
    positions: list[str] = []
    keywords: dict[str, str] = {}
    skipped = False
    for parameter in parameters:
        used = {*positions, *keywords.values()}
        if parameter.kind is parameter.VAR_POSITIONAL:
            positions += [source for source in ("rows", "names") if source not in used]
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            if "names" not in used:
                keywords |= dict.fromkeys(("feature_names", "names"), "names")
            if "meta" not in used:
                keywords["meta"] = "meta"
            continue
        source = _source(parameter, used)
        if source is None:
            skipped = True
        elif parameter.kind is parameter.KEYWORD_ONLY or skipped:
            keywords[parameter.name] = source
        else:
            positions.append(source)
    return positions, keywords


def _source(parameter: inspect.Parameter, used: set[str]) -> str | None:
    """Return the attribute of a batch that a parameter asks for; None if its default serves."""
    if not used:
        return "rows"
    known = {"meta": "meta", **dict.fromkeys(NAMES_PARAMETERS, "names")}.get(parameter.name)
    if known is not None or parameter.default is not parameter.empty:
        return known
    if parameter.kind is parameter.KEYWORD_ONLY or "names" in used:
        raise StartupError(
            f"predict needs an argument {parameter.name!r}, which requests don't provide. Give it a default, or "
            "remove it: predict(self, X, feature_names)."
        )
    return "names"  # Seldon's second argument, whatever it is called


class Predictor:
    """The user's object, which one thread alone loads, constructs and calls.

    Args:
        name: The class's name.
        folder: The app folder.

    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.class_names: Any = None
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._predict: Callable[..., Any] = lambda *_: None
        self._plan: tuple[list[str], dict[str, str]] = ([], {})

    def start(self) -> None:
        """Load the class, construct it and call its `load()`.

        Raises:
            StartupError: One of them failed.

        """
        self._thread.submit(self._start).result()

    def _start(self) -> None:
        user_class = load_class(self.name, self._folder)
        step = f"{self.name}()"
        try:
            user_object = user_class()
            if callable(load := getattr(user_object, "load", None)):
                step = f"{self.name}().load()"
                load()
            predict = getattr(user_object, "predict", None)
        except BaseException as error:
            traceback.print_exc()
            raise StartupError(f"{step} failed: {_why(error)}") from error
        if not callable(predict):
            raise StartupError(
                f"Class {self.name} has no method predict. Add predict(self, X, feature_names), and deploy again."
            )
        self._plan = call_plan(predict)
        self._predict = predict
        self.class_names = getattr(user_object, "class_names", None)

    async def predict(self, batch: messages.Batch) -> np.ndarray[Any, Any]:
        """Return the user's prediction for a batch.

        Raises:
            RequestError: `predict` raised, or returned what can't be sent.

        """
        outcome = await asyncio.get_running_loop().run_in_executor(self._thread, self._outcome, batch)
        if isinstance(outcome, messages.RequestError):
            raise outcome
        return outcome

    def _outcome(self, batch: messages.Batch) -> np.ndarray[Any, Any] | messages.RequestError:
        # Returned, not raised: asyncio can't carry SystemExit or StopIteration.
        positions, keywords = self._plan
        try:
            result = self._predict(
                *(getattr(batch, source) for source in positions),
                **{name: getattr(batch, source) for name, source in keywords.items()},
            )
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
        except ValueError as error:
            text = f"The model rejects this input: {messages.one_line(error)}"
            return messages.RequestError(text, "Send the features that the model was trained on.", code="model-input")
        except BaseException as error:  # noqa: BLE001 - the server outlives whatever the user's code does
            traceback.print_exc()
            text = f"{self.name}.predict failed with {type(error).__name__}: {messages.one_line(error)}"
            hint = "The endpoint's log has the traceback."
            return messages.RequestError(text, hint, code="predict-failed", status=500)
        try:
            return messages.as_array(result)
        except Exception as error:  # noqa: BLE001 - as above
            text = f"{self.name}.predict returned what can't be sent: {messages.one_line(error)}"
            hint = "Return an array, a list or a number from predict."
            return messages.RequestError(text, hint, code="predict-failed", status=500)


def import_kserve(path: list[str]) -> Any:  # noqa: ANN401 - untyped
    """Return KServe, without its client of the Kubernetes API: most of its import time, and no model server uses it.

    Args:
        path: Where modules are looked for, without the app folder: no file of the user's stands in for a part of it.

    Raises:
        StartupError: It can't be imported.

    """
    client = "kserve.api.kserve_client"
    user_path, sys.path[:] = sys.path[:], path
    lean = "kserve" not in sys.modules
    if lean:
        lazy: Any = types.ModuleType(client)
        lazy.KServeClient = lambda *args, **kwargs: importlib.import_module(client).KServeClient(*args, **kwargs)
        sys.modules[client] = lazy
    try:
        return importlib.import_module("kserve")
    except Exception as error:
        traceback.print_exc()
        raise StartupError(
            f"KServe can't be imported: {type(error).__name__}: {messages.one_line(error, 500)}. Install it again: "
            "pip install --force-reinstall kserve."
        ) from error
    finally:
        sys.path[:] = user_path
        if lean:
            sys.modules.pop(client, None)


def make_app(kserve: Any, predictor: Predictor) -> serving_app.Gate:  # noqa: ANN401 - untyped
    """Return the web application.

    Raises:
        StartupError: It can't be made with the KServe that is installed.

    """
    try:
        return serving_app.make_app(kserve, predictor.name, predictor.predict, predictor.class_names)
    except Exception as error:
        traceback.print_exc()
        raise StartupError(
            f"The installed KServe version is not supported: {type(error).__name__}: {messages.one_line(error, 500)}. "
            "Install a newer one: pip install 'kserve>=0.15'."
        ) from error


def open_socket(host: str, port: int, fd: int | None) -> socket.socket:
    """Return a bound socket.

    Args:
        host: The address to bind, and no other.
        port: The port; 0 takes a free one.
        fd: A bound socket that the parent hands over instead, so that no other process can take the port.

    Raises:
        StartupError: It can't be had.

    """
    try:
        if fd is None:
            family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = socket.socket(family, kind, proto)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            return listener
        listener = socket.socket(fileno=fd)
        listener.set_inheritable(False)
    except (OSError, OverflowError, ValueError) as error:
        what = f"{host}:{port} can't be listened on" if fd is None else f"File descriptor {fd} is not an open socket"
        fix = "Choose another port with --port." if fd is None else "Pass it on with pass_fds, or leave --fd out."
        raise StartupError(f"{what}: {messages.one_line(error)}. {fix}") from error
    if listener.type != socket.SOCK_STREAM or not listener.getsockname():
        raise StartupError(f"File descriptor {fd} is not a bound TCP socket. Bind it before it is handed over.")
    return listener


def serve(app: Any, listener: socket.socket) -> None:  # noqa: ANN401 - ASGI
    """Answer requests until SIGTERM or SIGINT; a running predict gets a second to end."""
    uvicorn = importlib.import_module("uvicorn")
    settings = uvicorn.Config(
        app,
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=65,  # longer than Istio's, as KServe has it
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(settings)

    def stop(*_: object) -> None:
        _bound_exit()
        server.should_exit = True

    # Uvicorn's own handler raises the signal again at the end, and the process would die of it.
    server.handle_exit = stop
    server.run(sockets=[listener])


def _bound_exit() -> None:
    """Leave soon, even if the user's code is still running or has started threads that never end."""
    timer = threading.Timer(EXIT_SECONDS, _leave, (0,))
    timer.daemon = True
    timer.start()


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _stop_early(*_: object) -> NoReturn:
    _bound_exit()
    raise SystemExit(0)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, level in ((log.name, logging.INFO), ("uvicorn", logging.WARNING), ("kserve", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the class that the command line names, until a signal ends it.

    Args:
        arguments: The command line without the program's name.

    """
    parser = argparse.ArgumentParser(prog="fairing_serving", description="Serve a class's predict with KServe.")
    parser.add_argument("class_name", help="the class, and the module in the working directory that holds it")
    parser.add_argument("--host", default="127.0.0.1", help="the address to bind (default: %(default)s)")
    parser.add_argument("--port", default=5000, type=int, help="the port to bind (default: %(default)s; 0: a free one)")
    parser.add_argument("--fd", type=int, help="a bound socket's file descriptor to use instead")
    given = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop_early)
    folder = Path.cwd()
    del sys.argv[1:]  # KServe reads the command line when it is imported
    own = (folder, Path(__file__).resolve().parent)
    path = [entry for entry in sys.path if Path(entry).resolve() not in own]
    sys.path[:] = path
    try:
        listener = open_socket(given.host, given.port, given.fd)
        if importlib.util.find_spec("kserve") is None:
            raise StartupError(f"KServe is not installed. It serves the model. {KSERVE_HINT}")  # noqa: TRY301
        predictor = Predictor(given.class_name, folder)
        predictor.start()  # before KServe's import, so that a class that can't be served is reported at once
        app = make_app(import_kserve(path), predictor)
        _log_to_stderr()
        host, port = listener.getsockname()[:2]
        log.info("Serving %s on http://%s:%s", predictor.name, f"[{host}]" if ":" in host else host, port)
        try:
            listener.listen(2048)
        except OSError as error:
            raise StartupError(
                f"{host}:{port} can't be listened on: {error}. Choose another port with --port."
            ) from error
    except StartupError as error:
        print(f"fairing_serving: {messages.one_line(error, 2000)}", file=sys.stderr)  # noqa: T201
        _leave(1)
    serve(app, listener)


if __name__ == "__main__":
    main()
