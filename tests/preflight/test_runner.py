"""Checks at the same time, each as soon as it can, and never longer than told."""

from __future__ import annotations

import threading
import time

import pytest

from fairing_az_jupyter.exceptions import (
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks


def check(name, run=None, needs=()):
    return Check(name, f"title of {name}", "why", f"thing {name}", run or (lambda _: passing(name)), tuple(needs))


def passing(value=None):
    return Finding("pass", "thing", "fine", value=value)


def raising(error):
    def run(_):
        raise error

    return run


def statuses(*checks, **options):
    return {result.check: result.status for result in run_checks(checks, **options)}


def test_every_check_has_one_result():
    assert statuses(check("a"), check("b"), check("c")) == {"a": "pass", "b": "pass", "c": "pass"}


def test_no_checks_have_no_results():
    assert statuses() == {}


def test_independent_checks_run_at_the_same_time():
    barrier = threading.Barrier(5, timeout=5)

    def together(_):
        barrier.wait()
        return passing()

    assert set(statuses(*(check(str(number), together) for number in range(5))).values()) == {"pass"}


def test_results_come_as_they_are_found():
    gate = threading.Event()

    def slow(_):
        gate.wait(5)
        return passing()

    results = run_checks([check("slow", slow), check("quick")])

    assert next(results).check == "quick"
    gate.set()
    assert next(results).check == "slow"


def test_a_check_gets_what_those_before_it_have_fetched():
    seen = {}

    def later(found):
        seen.update({name: finding.value for name, finding in found.items()})
        return passing()

    statuses(check("later", later, ["first"]), check("first", lambda _: passing("fetched")))

    assert seen == {"first": "fetched"}


def test_what_builds_on_a_failure_is_skipped_and_says_on_which():
    failing = Finding("fail", "thing", "broken")

    results = {
        r.check: r
        for r in run_checks([check("c", needs=["b"]), check("b", needs=["a"]), check("a", lambda _: failing)])
    }

    assert [results[name].status for name in "abc"] == ["fail", "skipped", "skipped"]
    assert "title of a" in results["b"].message
    assert "title of a" in results["c"].message


def test_a_check_may_go_on_although_nobody_could_look_at_what_it_needs():
    unseen = check("a", raising(NotAllowedError("403")))
    missing = check("m", raising(NotFoundError("404")))
    tolerant = [
        Check(f"after-{name}", "t", "w", "l", lambda _: passing(), (name,), even_unseen=(name,)) for name in "am"
    ]

    found = statuses(unseen, missing, *tolerant, check("strict", needs=["a"]))

    assert found == {"a": "unknown", "m": "fail", "after-a": "pass", "after-m": "skipped", "strict": "skipped"}


def test_a_check_can_wait_for_another_whatever_comes_of_it():
    seen = {}

    def run(given):
        seen.update({name: finding.status for name, finding in given.items()})
        return passing()

    found = statuses(Check("b", "t", "w", "l", run, after=("a",)), check("a", raising(NotFoundError("gone"))))

    assert found == {"a": "fail", "b": "pass"}
    assert seen == {"a": "fail"}


def test_a_duration_is_that_of_the_check_with_all_that_it_builds_on():
    def takes(seconds):
        def run(_):
            time.sleep(seconds)
            return passing()

        return run

    results = {r.check: r for r in run_checks([check("b", takes(0.2), ["a"]), check("a", takes(0.3))])}

    assert results["a"].duration == pytest.approx(0.3, abs=0.15)
    assert results["b"].duration == pytest.approx(0.5, abs=0.2)


def test_a_warning_does_not_stop_what_builds_on_it():
    assert statuses(check("b", needs=["a"]), check("a", lambda _: Finding("warn", "thing", "odd")))["b"] == "pass"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("gone"), "fail"),
        (CredentialError("wrong"), "fail"),
        (ServiceError("refused", status=400), "fail"),
        (ServiceError("out of order", status=503), "unknown"),
        (NotAllowedError("403"), "unknown"),
        (UnreachableError("a proxy's page", code="not-the-service"), "fail"),
        (UnreachableError("untrusted", code="untrusted-certificate"), "fail"),
        (UnreachableError("no answer", code="timeout"), "unknown"),
        (ThrottledError("429"), "unknown"),
    ],
)
def test_what_says_nothing_about_what_is_there_is_no_failure(error, status):
    [result] = run_checks([check("a", raising(error))])

    assert (result.status, result.code) == (status, error.code)


def test_an_errors_hint_is_the_cure():
    [result] = run_checks([check("a", raising(NotFoundError("gone", hint="make it")))])

    assert [fix.command for fix in result.fixes] == ["make it"]


def test_a_bug_in_a_check_hides_no_other_and_shows_no_values():
    results = {r.check: r for r in run_checks([check("a", raising(KeyError("hunter2"))), check("b")])}

    assert results["a"].status == "unknown"
    assert "KeyError" in results["a"].message
    assert "hunter2" not in str(results)
    assert results["b"].status == "pass"


def test_what_hangs_is_given_up_at_the_deadline():
    release = threading.Event()

    def hang(_):
        release.wait(30)
        return passing()

    begin = time.monotonic()
    found = statuses(check("hangs", hang), check("after", needs=["hangs"]), check("quick"), deadline=0.5)
    release.set()

    assert found == {"quick": "pass", "hangs": "unknown", "after": "unknown"}
    assert time.monotonic() - begin < 5


def test_values_are_in_no_result():
    [result] = run_checks([check("a", lambda _: passing("fetched-secret"))])

    assert "fetched-secret" not in repr(result)
    assert "fetched-secret" not in repr(passing("fetched-secret"))


@pytest.mark.parametrize("others", [[], [check("fails", raising(NotFoundError("gone")))]])
def test_what_checks_have_handed_to_each_other_is_closed_once_all_have_ended(others):
    class Open:
        closed = False

        def close(self):
            self.closed = True

    opened, seen = Open(), []
    uses = check("uses", lambda given: seen.append(given["opens"].value.closed) or passing(), needs=["opens"])
    statuses(check("opens", lambda _: passing(opened)), uses, *others)
    assert seen == [False]
    assert opened.closed
