"""Operations as they are declared, carried out for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import TypeAdapter

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.server.operations.calls import session_of
from fairing_az_jupyter.operations.calls import Call as Command
from fairing_az_jupyter.operations.calls import Caller
from fairing_az_jupyter.operations.declaration import MAGIC

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.operations.calls import Call
    from fairing_az_jupyter.models import Question
    from fairing_az_jupyter.operations.declaration import Operation


def carried_out(operation: Operation[Any], call: Call) -> Any:  # noqa: ANN401 - each operation's own
    """Carry out an operation.

    Args:
        operation: The operation.
        call: The request.

    Returns:
        What it has found or made, as JSON has it.

    Raises:
        FairingAzureError: It can't be carried out.

    """
    if operation.run is None:
        msg = f"'{operation.name}' has no answer that a route could give"
        raise TypeError(msg)
    values = {name: getattr(call.body, name) for name in operation.request.model_fields}
    session = session_of(call, call.body.sources)
    caller = Caller(ask=_nobody, program=MAGIC)
    found = operation.run(Command(operation.request.model_validate(values), session, caller))
    kind = TypeAdapter(operation.answer if operation.answer is not None else Any)
    return kind.dump_python(found, mode="json")


def _nobody(_question: Question) -> NoReturn:
    raise InputError("Nobody can be asked by a request.", hint="Give all values in the request.", code="nobody-to-ask")
