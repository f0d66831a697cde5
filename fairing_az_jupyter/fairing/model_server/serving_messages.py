"""The messages that an endpoint understands and answers: Seldon's form, KServe's v1 and Open Inference Protocol v2.

Pure functions between JSON values and numpy arrays. This file is copied beside the user's files as
`fairing_serving_messages.py`, next to `serving.py`, and imports the standard library and numpy only.

A missing value is NaN or null in a request. JSON has no NaN or infinity, so in an answer they are null.
"""

from __future__ import annotations

import email.parser
import email.policy
import importlib
import json
import math
import urllib.parse
import uuid
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_DIMENSIONS = 32
MAX_EMPTY_VALUES = 10**7
SELDON_HINT = 'Send {"data": {"names": [...] or null, "tensor": {"shape": [rows, columns], "values": [...]}}}.'
V1_HINT = 'Send {"instances": [[...], ...]}, one list of numbers for each row.'
V2_HINT = 'Send {"inputs": [{"name": "input-0", "shape": [rows, columns], "datatype": "FP64", "data": [...]}]}.'
OUTPUT = "output-0"
# https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md#tensor-data-types
DATATYPES: dict[str, type] = {
    "BOOL": np.bool_,
    **{f"{sign}INT{bits}": getattr(np, f"{sign.lower()}int{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}
JSON_KINDS = {
    str: "text",
    dict: "an object",
    list: "a list",
    type(None): "null",
    bool: "true or false",
    int: "whole numbers",
    float: "numbers with a fraction",
}
ROWS_HINT = "Give every row the same number of values."
SHAPE_HINT = "The sizes in 'shape' are whole numbers from 0 up; multiplied, they give the number of values."
RANGE_HINT = "Send it as a number that fits, or as null if it is missing."


class RequestError(Exception):
    """A request that can't be answered; by its status the client's fault (4xx) or the model's (5xx).

    Args:
        message: What is wrong with it, where.
        hint: What to send instead.
        code: A stable identifier for programs.
        status: The HTTP status.

    """

    def __init__(self, message: str, hint: str = "", *, code: str = "bad-input", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.hint, self.code, self.status = message, hint, code, status


@dataclass(frozen=True)
class Batch:
    """One request's rows.

    Args:
        rows: The values, of the request's shape.
        names: Feature names, or None.
        form: Which form the answer takes: tensor, ndarray, v1 or v2.
        meta: Seldon's `meta` object of the request.
        request: KServe's request object, for v2.

    """

    rows: np.ndarray[Any, Any]
    form: str
    names: list[Any] | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    request: Any = None


def one_line(error: BaseException, limit: int = 1000) -> str:
    """Return an exception's message in one line, without the C++ stack that XGBoost appends."""
    text = " ".join(str(error).partition("Stack trace:")[0].split())
    return text if len(text) <= limit else text[:limit] + " ..."


def read_json(text: bytes | str, hint: str) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a body's JSON; Python's NaN and Infinity are understood."""
    if not text.strip():
        raise RequestError("The request has no body.", hint, code="no-body")
    try:
        return json.loads(text)
    except RecursionError:
        raise RequestError("The body's JSON is nested too deeply.", hint, code="not-json") from None
    except ValueError as error:
        # The decoder's message holds the position, never the text itself.
        why = error.msg if isinstance(error, json.JSONDecodeError) else "it can't be decoded"
        raise RequestError(f"The body is not JSON: {why}.", hint, code="not-json") from None


def seldon_text(body: bytes, content_type: str) -> bytes | str:
    """Return the JSON text of a request in Seldon's form: the body itself, or its form field `json`."""
    kind = content_type.partition(";")[0].strip().lower()
    fields: Sequence[bytes | str]
    if kind in ("", "application/json") or kind.endswith("+json"):
        return body
    if kind == "multipart/form-data":
        fields = _multipart_fields(body, content_type)
    elif kind == "application/x-www-form-urlencoded":
        if body.lstrip()[:1] == b"{":  # `curl -d '{...}'` names this type whatever it sends
            return body
        try:
            form_fields = urllib.parse.parse_qs(body.decode(), keep_blank_values=True, errors="strict")
        except ValueError:
            raise RequestError("The form can't be decoded as UTF-8.", SELDON_HINT, code="not-json") from None
        fields = form_fields.get("json", [])
    else:
        raise RequestError(
            f"Content type {kind[:100]!r} is not supported.",
            "Send JSON as application/json, or as field 'json' of an HTML form.",
            code="content-type",
            status=415,
        )
    if len(fields) != 1:
        raise RequestError(
            f"The form has {len(fields) or 'no'} field(s) 'json'; one is needed.", SELDON_HINT, code="no-data"
        )
    return fields[0]


def _multipart_fields(body: bytes, content_type: str) -> Sequence[bytes]:
    """Return the contents of the fields `json`; the standard library reads such forms as it reads mail."""
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    try:
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = form.iter_parts() if form.is_multipart() else ()
        contents = [
            part.get_payload(decode=True)
            for part in parts
            if part.get_param("name", header="content-disposition") == "json"
        ]
    except Exception:  # noqa: BLE001 - its header parser fails in many ways on rubbish
        return []
    return [content for content in contents if isinstance(content, bytes)]


def flatten(nested: list[Any], where: str) -> tuple[list[Any], tuple[int, ...]]:
    """Return the values of a nested list in row-major order, and its shape.

    Raises:
        RequestError: The lists are of unequal length, or nested too deeply.

    """
    values, shape = nested, [len(nested)]
    while list in (kinds := set(map(type, values))):
        lengths = set(map(len, values)) if kinds == {list} else set()
        if len(lengths) != 1:
            text = f"{where} is ragged: the lists at depth {len(shape)} differ in length or kind."
            raise RequestError(text, ROWS_HINT, code="shape")
        if len(shape) >= MAX_DIMENSIONS:
            raise RequestError(f"{where} is nested deeper than {MAX_DIMENSIONS} lists.", ROWS_HINT, code="shape")
        shape.append(lengths.pop())
        values = list(chain.from_iterable(values))
    return values, tuple(shape)


def checked_shape(shape: Any, count: int, where: str) -> tuple[int, ...]:  # noqa: ANN401 - as it came
    """Return a request's shape after proving that it fits its values; nothing of its size is allocated."""
    text = ""
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        text = f"{where} must have a shape: a list of at most {MAX_DIMENSIONS} whole numbers."
    elif any(type(size) is not int or size < 0 for size in shape):
        text = f"{where} has a shape with values other than whole numbers from 0 up."
    # With a zero among them the other sizes prove nothing, and a model may allocate by them.
    elif math.prod(size or 1 for size in shape) > max(count, MAX_EMPTY_VALUES):
        text = f"{where} has a shape far larger than its {count} value(s)."
    elif math.prod(shape) != count:
        text = f"{where} has shape {shape}, which is {math.prod(shape)} value(s), but it holds {count}."
    if text:
        raise RequestError(text, SHAPE_HINT, code="shape")
    return tuple(shape)


def _reject_kinds(found: Iterable[type], where: str, wanted: str) -> NoReturn:
    kinds = sorted(JSON_KINDS.get(kind, kind.__name__) for kind in found)
    raise RequestError(f"{where} holds {' and '.join(kinds)}.", f"Send {wanted}.", code="datatype")


def numbers(values: list[Any], where: str) -> np.ndarray[Any, Any]:
    """Return JSON numbers as an array: int64 (uint64) if all are whole, bool if all are, else float64; null is NaN."""
    kinds = set(map(type, values))
    if unknown := kinds - {int, float, bool, type(None)}:
        _reject_kinds(unknown, where, "numbers only, or text by the v2 protocol as datatype BYTES")
    try:
        if kinds == {bool}:
            return np.array(values, dtype=np.bool_)
        if values and kinds <= {int, bool}:
            least, most = min(values), max(values)
            if least >= -(2**63) and most < 2**64 and (least >= 0 or most < 2**63):
                return np.array(values, dtype=np.int64 if most < 2**63 else np.uint64)
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise RequestError(f"{where} holds a number that is too large.", RANGE_HINT, code="datatype") from None


def typed(values: list[Any], datatype: str, where: str) -> np.ndarray[Any, Any]:
    """Return values as an array of a v2 datatype, rejecting what numpy would bend to fit."""
    if datatype not in DATATYPES:
        raise RequestError(f"{where} has an unknown datatype.", f"One of {', '.join(DATATYPES)}.", code="datatype")
    allowed: set[type] = {int}
    if datatype in ("BOOL", "BYTES"):
        allowed = {bool} if datatype == "BOOL" else {str, bytes}
    elif datatype.startswith("FP"):
        allowed = {int, float, type(None)}
    if unknown := set(map(type, values)) - allowed:
        _reject_kinds(unknown, where, f"values of datatype {datatype}, or name another datatype")
    dtype = DATATYPES[datatype]
    if allowed == {int} and values:  # numpy 1 wraps silently
        limits = np.iinfo(dtype)
        if min(values) < limits.min or max(values) > limits.max:
            raise RequestError(f"{where} holds a number that {datatype} can't.", RANGE_HINT, code="datatype")
    try:
        with np.errstate(over="raise"):
            return np.array(values, dtype=dtype)
    except (OverflowError, FloatingPointError):
        raise RequestError(f"{where} holds a number that {datatype} can't.", RANGE_HINT, code="datatype") from None


def checked_names(names: Any, shape: tuple[int, ...]) -> list[Any] | None:  # noqa: ANN401 - as it came
    """Return feature names after comparing their number with the columns; None if there are none."""
    if names is None or names == []:
        return None
    if not isinstance(names, list) or any(type(name) not in (str, int) for name in names):
        raise RequestError("data.names must be null or a list of text.", SELDON_HINT, code="names")
    columns = set(shape[1:]) or {1, *shape}  # a flat list is one row or one column
    if len(names) not in columns:
        count = " or ".join(map(str, sorted(columns)))
        text = f"data.names has {len(names)} name(s), but the data has {count} column(s)."
        raise RequestError(text, "Send one name for each column, or null.", code="names")
    return names


def read_seldon(message: Any) -> Batch:  # noqa: ANN401 - as it came
    """Return the rows of a message in Seldon's form.

    Source: https://docs.seldon.io/projects/seldon-core/en/v1.18.2/reference/apis/prediction.html

    Raises:
        RequestError: It is not such a message.

    """
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, dict):
        raise RequestError("The message has no object 'data'.", SELDON_HINT, code="no-data")
    if len(kinds := [kind for kind in data if kind != "names"]) != 1 or kinds[0] not in ("tensor", "ndarray"):
        raise RequestError("'data' must hold either 'tensor' or 'ndarray'.", SELDON_HINT, code="unknown-data")
    form, content = kinds[0], data[kinds[0]]
    if form == "ndarray":
        if not isinstance(content, list):
            raise RequestError("data.ndarray must be a list of rows.", SELDON_HINT, code="unknown-data")
        values, shape = flatten(content, "data.ndarray")
    else:
        if not isinstance(content, dict) or not isinstance(content.get("values"), list):
            raise RequestError(
                "data.tensor must be an object with 'shape' and 'values'.", SELDON_HINT, code="unknown-data"
            )
        values = content["values"]
        shape = checked_shape(content.get("shape"), len(values), "data.tensor")
    rows = numbers(values, f"data.{form}").reshape(shape)
    meta = message.get("meta")
    return Batch(rows, form, checked_names(data.get("names"), shape), meta if isinstance(meta, dict) else {})


def seldon_batch(body: bytes, content_type: str) -> Batch:
    """Return the rows of a request's body in Seldon's form."""
    return read_seldon(read_json(seldon_text(body, content_type), SELDON_HINT))


def read_v1(payload: Any) -> Batch:  # noqa: ANN401 - as it came
    """Return the rows of a v1 request."""
    instances = payload.get("instances") if isinstance(payload, dict) else None
    if not isinstance(instances, list):
        raise RequestError("The request has no list 'instances'.", V1_HINT, code="no-data")
    values, shape = flatten(instances, "'instances'")
    return Batch(numbers(values, "'instances'").reshape(shape), "v1")


def read_v2(request: Any) -> Batch:  # noqa: ANN401 - KServe is untyped
    """Return the rows of a v2 request: its one input, or several inputs as named columns."""
    arrays = {}
    for tensor in request.inputs:
        where = f"Input {str(tensor.name)[:100]!r}"
        values, nested = flatten(tensor.data if isinstance(tensor.data, list) else [], where)
        shape = checked_shape(tensor.shape, len(values), where)
        if len(nested) > 1 and nested != shape:
            raise RequestError(
                f"{where} has shape {list(shape)}, but its data is {list(nested)}.", V2_HINT, code="shape"
            )
        arrays[str(tensor.name)] = typed(values, tensor.datatype, where).reshape(shape)
    if not arrays or len(arrays) != len(request.inputs):
        raise RequestError("The request needs inputs, each with a name of its own.", V2_HINT, code="no-data")
    for output in request.request_outputs or ():
        if output.name != OUTPUT:
            raise RequestError(f"Unknown output {output.name[:100]!r}.", f"The only one is {OUTPUT!r}.", code="output")
    if len(arrays) == 1:
        return Batch(next(iter(arrays.values())), "v2", request=request)
    if any(array.size != max(array.shape[:1], default=-1) for array in arrays.values()) or (
        len({array.size for array in arrays.values()}) > 1
    ):
        text = "Several inputs must be columns of equal length: shape [rows] or [rows, 1]."
        raise RequestError(text, V2_HINT, code="shape")
    return Batch(np.column_stack([a.reshape(-1) for a in arrays.values()]), "v2", list(arrays), request=request)


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever predict returned
    """Return a value that `predict` returned as what JSON can hold."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} can't be sent as JSON")


def as_array(result: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 - whatever predict returned
    """Return what `predict` returned as an array of numbers, or of objects that JSON can hold.

    Raises:
        TypeError: It can't be sent.

    """
    if result is None:
        raise TypeError("predict returned nothing (None)")
    try:
        array = np.asarray(result)
    except ValueError:  # ragged
        array = np.empty(len(result), dtype=object)
        for index, item in enumerate(result):
            array[index] = item
    if array.dtype.kind == "U" and isinstance(result, list | tuple):
        array = np.asarray(result, dtype=object)  # numpy has turned the numbers beside text into text
    array = np.atleast_1d(array)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32 if array.dtype.itemsize == 2 else np.float64)  # noqa: PLR2004 - bytes of a half
    if array.dtype.kind in "biuf":
        return array
    texts = array.astype(str) if array.dtype.kind in "mM" else array
    sent = np.empty(array.size, dtype=object)
    for index, item in enumerate(texts.ravel().tolist()):
        sent[index] = plain(item)
    return sent.reshape(array.shape)


def as_lists(array: np.ndarray[Any, Any]) -> Any:  # noqa: ANN401 - lists as deep as the array
    """Return an array as nested lists: exact floats (a float32 is the same number as a float), null for NaN."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        objects = array.astype(object)
        objects[~np.isfinite(array)] = None
        return objects.tolist()
    return array.tolist()


def seldon_answer(batch: Batch, array: np.ndarray[Any, Any], class_names: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return an answer in Seldon's form: a tensor for a tensor, and an ndarray where there is text."""
    names = [str(name) for name in class_names] if isinstance(class_names, list | tuple | np.ndarray) else []
    data: dict[str, Any] = {"names": names}
    if batch.form == "tensor" and array.dtype.kind != "O":
        data["tensor"] = {"shape": list(array.shape), "values": as_lists(array.ravel())}
    else:
        data["ndarray"] = as_lists(array)
    return {"data": data, "meta": {}}


def v2_answer(batch: Batch, array: np.ndarray[Any, Any], model: str) -> Any:  # noqa: ANN401 - KServe is untyped
    """Return an answer in v2 form: a plain message, or KServe's own object where binary data was asked for."""
    kind, bits = array.dtype.kind, array.dtype.itemsize * 8
    datatype = {"b": "BOOL", "i": f"INT{bits}", "u": f"UINT{bits}", "f": f"FP{bits}", "O": "BYTES"}[kind]
    values = as_lists(array.ravel())
    if kind == "O":
        values = [item if isinstance(item, str) else json.dumps(item) for item in values]
    identity = batch.request.id or str(uuid.uuid4())
    requested = batch.request.request_outputs
    if batch.request.use_binary_outputs or any(output.binary_data for output in requested or ()):
        kserve = importlib.import_module("kserve")
        output = kserve.InferOutput(OUTPUT, list(array.shape), datatype)
        output.set_data_from_numpy(np.array(values, dtype=object).reshape(array.shape) if kind == "O" else array)
        return kserve.InferResponse(identity, model, [output], use_binary_outputs=True, requested_outputs=requested)
    tensor = {"name": OUTPUT, "shape": list(array.shape), "datatype": datatype, "data": values}
    return {"id": identity, "model_name": model, "outputs": [tensor]}


def dumped(answer: Any) -> bytes:  # noqa: ANN401 - JSON is anything
    """Return an answer as JSON, by KServe's fast encoder wherever it can."""
    try:
        encoded: bytes = importlib.import_module("orjson").dumps(answer)
    except TypeError:  # integers beyond 64 bits, half a surrogate pair
        encoded = json.dumps(answer).encode()
    return encoded
