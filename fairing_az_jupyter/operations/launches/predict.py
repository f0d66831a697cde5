"""`predict`: ask an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fairing_az_jupyter.models import Prediction
from fairing_az_jupyter.operations.declaration import CLUSTER, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import argument

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["PREDICT", "Predict"]


class Predict(Request):
    """Which endpoint, and the rows."""

    name: Annotated[str, argument("NAME", "the endpoint, as status names it, or its URL", completes="launch")]
    data: Annotated[
        str,
        argument(
            "DATA",
            "a CSV file (a first row of names counts as such), a JSON file, or JSON text such as [[1, 2], [3, 4]]",
            completes="data",
        ),
    ]


def _predict(call: Call[Predict]) -> Prediction:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    return services.predict(call.session, call.request.name, call.request.data)


PREDICT = Operation(
    "predict",
    "Ask an endpoint for predictions.",
    Predict,
    _predict,
    section="Look after launches",
    sources=Sources(settings=CLUSTER, notebook="option"),
    answer=Prediction,
    exit_codes=(3, 4, 6),
    examples=(
        Example("predict {endpoint.name} rows.csv", "cell", assigned="found"),
        Example("predict fairing-endpoint-1a2b3c4d '[[1, 2], [3, 4]]'"),
    ),
)
