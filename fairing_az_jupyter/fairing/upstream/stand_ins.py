"""What Fairing's modules get in place of a thing that is gone, slow, or would change the user's process."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
import types
from typing import Any

from fairing_az_jupyter.launch_events import Output, publish

LOGGER_NAME = "kubeflow.fairing"


class Deferred:
    """A module, or a name of one, that is imported when it is first used.

    Args:
        module: The module's full name.
        name: The name in it; None for the module itself.

    """

    def __init__(self, module: str, name: str | None = None) -> None:
        object.__setattr__(self, "_deferred", (module, name))

    def _real(self) -> Any:  # noqa: ANN401
        module, name = object.__getattribute__(self, "_deferred")
        loaded = importlib.import_module(module)
        return loaded if name is None else getattr(loaded, name)

    def __getattr__(self, item: str) -> Any:  # noqa: ANN401
        if item in {"__name__", "__qualname__"}:
            module, name = object.__getattribute__(self, "_deferred")
            return name or module
        if item.startswith("__") and item.endswith("__"):
            # Inspection (autoreload, completion) is useless: it must not import a cloud's SDK.
            raise AttributeError(item)
        return getattr(self._real(), item)

    def __setattr__(self, item: str, value: object) -> None:
        setattr(self._real(), item, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call the real thing."""
        return self._real()(*args, **kwargs)

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        """Let a class statement name it as a base."""
        return (self._real(),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._real())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._real())

    def __repr__(self) -> str:
        module, name = object.__getattribute__(self, "_deferred")
        return f"<{module}{'.' + name if name else ''}, imported on first use>"


class Placeholder:
    """A package, or a name of one, that is not there: harmless to import, a clear error when it is used.

    Args:
        path: The dotted name that Fairing imports.
        package: What to install to have it.
        reason: Why it is not there, as the rest of a sentence.

    """

    def __init__(self, path: str, package: str, reason: str) -> None:
        self._missing = (path, package, reason)

    def __getattr__(self, item: str) -> Any:  # noqa: ANN401
        if item.startswith("__") and item.endswith("__"):
            raise AttributeError(item)
        path, package, reason = self._missing
        if item.endswith(("Error", "Exception", "NotFound")):
            # Fairing names these in `except`, where only an exception class may stand; so its own handling of
            # "there is no docker here" also catches our error.
            from fairing_az_jupyter.exceptions import PackageMissingError  # noqa: PLC0415

            return PackageMissingError
        return Placeholder(f"{path}.{item}", package, reason)

    def __call__(self, *_: object, **__: object) -> Any:  # noqa: ANN401
        """Raise what says which package is missing.

        Raises:
            PackageMissingError: Always.

        """
        raise self._error()

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        """Let a class statement name it as a base."""
        error = self._error()

        class Missing:
            def __init__(self, *_: object, **__: object) -> None:
                raise error

        return (Missing,)

    def _error(self) -> Exception:
        from fairing_az_jupyter.exceptions import PackageMissingError  # noqa: PLC0415

        path, package, reason = self._missing
        return PackageMissingError(
            f"This part of Kubeflow Fairing uses '{path}', which {reason}. Nothing on Azure or LocalBackend needs it.",
            hint=f"To use it anyway: pip install '{package}'",
        )

    def __repr__(self) -> str:
        path, _, reason = self._missing
        return f"<{path}, which {reason}>"


class KernelIfRunning:
    """`ipykernel` for Fairing's question whether it runs in a notebook: a process without one need not import it."""

    def __getattr__(self, item: str) -> Any:  # noqa: ANN401
        if "ipykernel" not in sys.modules:
            msg = "this process is not a Jupyter kernel"
            raise RuntimeError(msg)
        return getattr(importlib.import_module("ipykernel"), item)


class _UnlessHandled(logging.Handler):
    """Shows Fairing's messages where nobody has set up logging, as upstream's own `basicConfig` did."""

    def emit(self, record: logging.LogRecord) -> None:
        if publish(Output(self.format(record) + "\n")):
            return
        if not logging.getLogger().handlers:
            # A notebook paints standard error red, as if something had failed.
            calm = "ipykernel" in sys.modules and record.levelno < logging.ERROR
            stream = sys.stdout if calm else sys.stderr
            try:
                stream.write(self.format(record) + "\n")
                stream.flush()
            except Exception:  # noqa: BLE001 - a handler reports its own failure and never raises
                self.handleError(record)


class _FairingRoot:
    """Fairing's logger in place of the root logger; the level of either is not Fairing's to set."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def __getattr__(self, item: str) -> Any:  # noqa: ANN401
        return getattr(self._logger, item)

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - logging's own name
        """Leave the level as its user set it."""


@functools.cache
def fairing_logging() -> types.ModuleType:
    """Return what Fairing sees as `logging`: its root is the logger `kubeflow.fairing`, whose handlers are the user's.

    The level comes from FAIRING_LOG_LEVEL as upstream's does (INFO by default).
    """
    logger = logging.getLogger(LOGGER_NAME)
    if logger.level == logging.NOTSET:
        level = logging.getLevelName(os.environ.get("FAIRING_LOG_LEVEL", "INFO").upper())
        logger.setLevel(level if isinstance(level, int) else logging.INFO)
    logger.addHandler(_UnlessHandled())

    module = types.ModuleType("logging")
    module.__dict__.update(vars(logging))

    def get_logger(name: str | None = None) -> logging.Logger | _FairingRoot:
        return logging.getLogger(name) if name else _FairingRoot(logger)

    def basic_config(**_: object) -> None:
        """Leave the root logger as its user set it."""

    module.__dict__.update(getLogger=get_logger, basicConfig=basic_config, root=logger)
    for name in ("debug", "info", "warning", "error", "exception", "critical", "log"):
        module.__dict__[name] = getattr(logger, name)
    return module
