from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.retries import Retry, classify_http, come_back, retry_after, retrying


class Time:
    """A clock that only waiting and working move on."""

    def __init__(self):
        self.now = 1000.0
        self.waits = []
        self.timeouts = []

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def run(self, outcomes, *, deadline=12.0, timeout=5.0, takes=0.0, random=lambda: 1.0, after=None, **more):
        outcomes = iter(outcomes)

        def call(seconds):
            self.timeouts.append(seconds)
            self.now += min(takes, seconds)
            outcome = next(outcomes)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return retrying(
            call,
            deadline=deadline,
            timeout=timeout,
            classify=lambda error: Retry(after) if isinstance(error, OSError) else None,
            sleep=self.sleep,
            clock=lambda: self.now,
            random=random,
            **more,
        )


@pytest.fixture
def time():
    return Time()


def test_a_call_that_works_is_made_once_with_the_whole_time_out(time):
    assert time.run(["done"]) == "done"
    assert time.timeouts == [5.0]
    assert time.waits == []


def test_transient_failures_are_tried_again_until_one_works(time):
    assert time.run([OSError("a"), OSError("b"), "done"]) == "done"
    assert time.waits == [0.25, 0.5]


def test_what_is_not_transient_is_raised_at_once(time):
    with pytest.raises(ValueError, match="mine"):
        time.run([ValueError("mine"), "never"])
    assert time.waits == []


def test_the_wait_is_a_random_part_of_a_growing_limit(time):
    numbers = iter([0.0, 0.5, 0.1])
    time.run([OSError(), OSError(), OSError(), "done"], random=lambda: next(numbers))
    assert time.waits == [0.0, 0.25, pytest.approx(0.1)]


def test_a_wait_that_the_service_asks_for_is_kept(time):
    assert time.run([OSError(), "done"], after=3.0) == "done"
    assert time.waits == [3.0]


@pytest.mark.parametrize("after", [12.0, 30.0, float("inf")])
def test_a_wait_past_the_deadline_raises_at_once_what_the_call_raised(time, after):
    with pytest.raises(OSError, match="busy"):
        time.run([OSError("busy"), "never"], after=after)
    assert time.waits == []


def test_a_negative_wait_is_no_wait(time):
    assert time.run([OSError(), "done"], after=-3.0) == "done"
    assert time.waits == [0.0]


def test_the_time_out_of_an_attempt_is_cut_to_what_is_left(time):
    with pytest.raises(OSError, match="3"):
        time.run([OSError("1"), OSError("2"), OSError("3"), "never"], takes=5.0, random=lambda: 0.0)
    assert time.timeouts == [5.0, 5.0, 2.0]


def test_attempts_and_waits_together_never_pass_the_deadline(time):
    with pytest.raises(OSError, match="busy"):
        time.run([OSError("busy")] * 50, deadline=3.0, takes=0.4, attempts=50)
    assert time.now - 1000.0 <= 3.0


def test_a_service_that_fails_at_once_is_not_asked_for_ever(time):
    with pytest.raises(OSError, match="6"):
        time.run([OSError(str(number)) for number in range(1, 60)], random=lambda: 0.0)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stop_by_the_user_is_never_tried_again(time, stop):
    with pytest.raises(stop):
        time.run([stop(), "never"])
    assert time.waits == []


def test_an_attempt_after_the_deadline_gets_no_endless_time_out(time):
    assert time.run(["done"], deadline=-1.0) == "done"
    assert 0 < time.timeouts[0] < 0.01


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 400, float("inf")),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Friday, 31-Dec-99 23:59:59 GMT", 59.0),
        ("Fri Dec 31 23:59:59 1999", 59.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
    ],
)
def test_retry_after_understands_seconds_and_every_form_of_date(value, seconds):
    assert retry_after({"retry-AFTER": value}, now=lambda: 946684740.0) == seconds


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "1e3", "٣", "0x10", "Fri, 99 Dec 1999 23:59:59 GMT"])
def test_retry_after_that_is_neither_is_as_if_it_were_absent(value):
    assert retry_after({"Retry-After": value}) is None


@pytest.mark.parametrize("headers", [None, {}, {"Date": "Fri, 31 Dec 1999 23:59:59 GMT"}])
def test_without_retry_after_there_is_no_wait_asked_for(headers):
    assert retry_after(headers) is None


def test_a_date_is_measured_from_the_services_own_clock():
    headers = {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT", "Date": "Fri, 31 Dec 1999 23:59:49 GMT"}
    assert retry_after(headers, now=lambda: 0.0) == 10.0


@pytest.mark.parametrize(
    ("wait", "sentence"),
    [
        (None, "Try again in a minute."),
        (0.0, "Try again in a minute."),
        (60.0, "Try again in a minute."),
        (61.0, "Try again in 2 minutes."),
        (3600.0, "Try again in 60 minutes."),
        (1e12, "Try again in a minute."),
    ],
)
def test_it_is_told_when_to_come_back(wait, sentence):
    assert come_back(wait) == sentence


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_transient_statuses_are_worth_another_try(status):
    assert classify_http(status, {"Retry-After": "7"}) == Retry(7.0)
    assert classify_http(status) == Retry(None)


@pytest.mark.parametrize("status", [200, 202, 307, 400, 401, 403, 404, 409, 501, 505])
def test_other_statuses_are_final(status):
    assert classify_http(status, {"Retry-After": "7"}) is None
