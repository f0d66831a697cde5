"""Try again what is worth another try, within a time that the caller sets.

The waits are exponential with full jitter, so that many notebooks that were rejected together do not come back together
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

import math
import random
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 4.0
_A_MINUTE, _A_DAY = 60.0, 86400.0
# A try with less time than this can only end in a time-out, which would hide the error that is known already.
_LEAST_TRY = 0.1
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_DELAY_SECONDS = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Retry:
    """Says that a failed call is worth another try.

    Args:
        after: How long the service asked to wait, in seconds; None where it did not say.

    """

    after: float | None = None


def retrying(
    call: Callable[[float], T],
    *,
    deadline: float,
    timeout: float,
    classify: Callable[[BaseException], Retry | None],
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    random: Callable[[], float] = random.random,
    attempts: int = 6,
) -> T:
    """Call until it succeeds, fails for good, or there is no time for another try.

    Args:
        call: What to do; it gets the time-out of this attempt in seconds, and has to keep it.
        deadline: Seconds for all attempts and the waits between them.
        timeout: Seconds for one attempt; cut to what is left of the deadline.
        classify: Tells whether an exception is worth another try, and what wait the service asked for.
        sleep: Waits for so many seconds.
        clock: Tells a time in seconds that never goes back.
        random: Gives a number from 0 up to 1.
        attempts: How many times to call at most.

    Returns:
        What the call returned.

    Raises:
        BaseException: What the last attempt raised. Where the service asked for a wait that ends after the deadline,
            that is at once: coming back sooner than asked would be rejected again.

    """
    end = clock() + deadline
    for attempt in range(attempts - 1):
        try:
            return call(_time_for_one(timeout, end - clock()))
        except Exception as error:
            retry = classify(error)
            if retry is None:
                raise
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt) * random() if retry.after is None else retry.after
            wait = max(wait, 0.0)
            if wait + _LEAST_TRY > end - clock():
                raise
        sleep(wait)
    return call(_time_for_one(timeout, end - clock()))


def retry_after(headers: Mapping[str, str] | None, *, now: Callable[[], float] = time.time) -> float | None:
    """Read how long a service asks to wait.

    A date is compared with the answer's own Date where there is one: the clock of a node may be wrong.

    Args:
        headers: The answer's headers, in any case.
        now: Tells the seconds since 1970.

    Returns:
        Seconds, never negative; None where the header is absent or is neither a number nor a date.
        (RFC 9110, section 10.2.3.)

    """
    fields = {str(name).lower(): str(value).strip() for name, value in (headers or {}).items()}
    asked = fields.get("retry-after", "")
    if _DELAY_SECONDS.fullmatch(asked):
        return float(asked)
    moment = _http_date(asked)
    if moment is None:
        return None
    sent = _http_date(fields.get("date", ""))
    return max(0.0, moment - (now() if sent is None else sent))


def come_back(wait: float | None) -> str:
    """Say when to try again what a service has rejected for now.

    Args:
        wait: Seconds that it asked to wait; None where it did not say.

    Returns:
        A sentence; a wait of more than a day is not believed.

    """
    if wait is None or not _A_MINUTE < wait <= _A_DAY:
        return "Try again in a minute."
    return f"Try again in {math.ceil(wait / _A_MINUTE)} minutes."


def classify_http(status: int, headers: Mapping[str, str] | None = None) -> Retry | None:
    """Tell from an HTTP answer whether the same request is worth another try.

    Args:
        status: The answer's status.
        headers: The answer's headers, in any case.

    Returns:
        A Retry for 408, 429, 500, 502, 503 and 504, with the wait that Retry-After asks for; None for all others.

    """
    return Retry(retry_after(headers)) if status in _TRANSIENT else None


def _time_for_one(timeout: float, left: float) -> float:
    # Zero would mean 'for ever' or be rejected, depending on the library that gets it.
    return max(min(timeout, left), 0.001)


def _http_date(text: str) -> float | None:
    try:
        moment: datetime = parsedate_to_datetime(text)
        # The two older forms that RFC 9110, section 5.6.7, still allows may name no zone: they are in GMT.
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
