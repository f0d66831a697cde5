"""A container's log as lines, whatever pieces and connections it comes in."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairing_az_jupyter.clients.kube.watching.log_lines import LONGEST_LINE, Joined, shown


def at(second, nanoseconds=0, zone="Z"):
    return f"2026-11-22T10:{second // 60:02d}:{second % 60:02d}.{nanoseconds:09d}{zone}"


def log(*lines):
    return b"".join(f"{time} {text}\n".encode() for time, text in lines)


def texts(lines):
    return [text for _, text in lines]


def served(lines, since):
    """Return what the kubelet sends: without the lines of earlier seconds."""
    return log(*((time, text) for time, text in lines if since is None or time[:19] >= since[:19]))


def test_nothing_is_asked_again_before_anything_came():
    assert Joined().since() is None


def test_it_asks_again_from_the_second_before_the_newest():
    joined = Joined()
    joined.take(log((at(65, 5), "a")))
    assert joined.since() == "2026-11-22T10:01:04Z"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_the_size_of_the_pieces_changes_nothing(size):
    content = log(*((at(number // 3, number), f"zeile {number} ä€😀") for number in range(50)))
    joined, found = Joined(), []
    joined.begin()
    for start in range(0, len(content), size):
        found += joined.take(content[start : start + size])
    assert texts(found) == [f"zeile {number} ä€😀" for number in range(50)]


def test_equal_lines_of_the_same_time_are_kept_apart_by_their_number():
    joined = Joined()
    joined.begin()
    first = texts(joined.take(log((at(1), "same"), (at(1), "same"))))
    joined.begin()
    second = texts(joined.take(log(*[(at(1), "same")] * 4, (at(2), "next"))))
    assert (first, second) == (["same"] * 2, ["same"] * 2 + ["next"])


def test_an_unfinished_line_comes_once_and_whole():
    joined = Joined()
    joined.begin()
    assert texts(joined.take(log((at(1), "one")) + f"{at(1, 5)} tw".encode())) == ["one"]
    joined.begin()
    assert texts(joined.take(log((at(1), "one"), (at(1, 5), "two")))) == ["two"]


def test_the_rest_of_a_line_that_began_before_is_no_line():
    joined = Joined()
    joined.begin()
    joined.take(log((at(1), "a long line in parts"), (at(2), "next")))
    joined.begin()
    # The kubelet leaves out the parts with earlier times.
    assert texts(joined.take(log((at(1, 9), "in parts"), (at(2), "next"), (at(3), "new")))) == ["new"]


def test_the_last_words_without_a_line_end_come_at_the_end():
    joined = Joined()
    joined.begin()
    assert joined.take(f"{at(1)} no end".encode()) == []
    assert texts(joined.end()) == ["no end"]
    assert joined.end() == []


def test_times_that_are_out_of_order_lose_and_repeat_nothing():
    lines = [(at(2, 5), "a"), (at(1, 9), "b"), (at(2, 1), "c"), (at(3), "d"), (at(2, 7), "e"), (at(3), "f")]
    for cut in range(len(lines) + 1):
        joined = Joined()
        joined.begin()
        found = joined.take(log(*lines[:cut]))
        since = joined.since()
        joined.begin()
        found += joined.take(served(lines, since))
        assert texts(found) == ["a", "b", "c", "d", "e", "f"], cut


def test_a_nodes_own_time_zone_and_the_end_of_summer_time_do_no_harm():
    joined = Joined()
    joined.begin()
    lines = log(("2026-10-25T02:59:59.000000000+02:00", "a"), ("2026-10-25T02:00:00.000000000+01:00", "b"))
    assert texts(joined.take(lines)) == ["a", "b"]
    assert joined.since() == "2026-10-25T00:59:59Z"
    joined.begin()
    assert texts(joined.take(lines)) == []


def test_a_rotated_log_gives_what_is_new_in_it():
    joined = Joined()
    joined.begin()
    joined.take(log((at(1), "old"), (at(1, 1), "older file")))
    joined.begin()
    assert texts(joined.take(log((at(1, 2), "same second, new file"), (at(4), "later")))) == [
        "same second, new file",
        "later",
    ]


def test_what_the_kubelet_says_itself_is_a_complaint_and_no_line():
    joined = Joined()
    joined.begin()
    assert joined.take(b"unable to retrieve container logs for containerd://abc\n") == []
    assert "unable to retrieve" in joined.complaint
    assert texts(joined.take(b"a line without a time\n")) == ["a line without a time"]


def test_bytes_that_are_no_text_do_no_harm():
    joined = Joined()
    joined.begin()
    assert texts(joined.take(f"{at(1)} ".encode() + b"\xff\xfe caf\xc3\xa9\n")) == ["\ufffd\ufffd café"]


def test_only_line_feeds_end_lines():
    joined = Joined()
    joined.begin()
    assert texts(joined.take(log((at(1), "a\x0bb\u2028c\x85d"), (at(1), "")))) == ["a\x0bb\u2028c\x85d", ""]


@pytest.mark.parametrize(
    ("text", "seen"),
    [("a\r", "a"), ("0%\r50%\r100%", "100%"), ("0%\r50%\r", "50%"), ("\r", ""), ("", ""), ("\r\r\rx\r\r", "x")],
)
def test_a_progress_bar_is_shown_as_it_ended(text, seen):
    assert shown(text) == seen


def test_a_line_without_an_end_does_not_take_all_memory_and_comes_once():
    joined, piece = Joined(), b"x" * (1 << 20)
    joined.begin()
    tracemalloc.start()
    joined.take(f"{at(1)} ".encode())
    for _ in range(40):
        assert joined.take(piece) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * LONGEST_LINE
    ((_, text),) = joined.take(b"\n")
    assert len(text) == LONGEST_LINE
    assert "cut" in text
    joined.begin()
    again = f"{at(1)} ".encode() + piece * 40 + b"\n" + log((at(1), "next"))
    found = [line for start in range(0, len(again), 777_777) for line in joined.take(again[start : start + 777_777])]
    assert texts(found) == ["next"]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_is_cut_wherever_every_line_comes_once_and_in_order(data):
    steps = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, 500_000_000, 3_000_000_000]), min_size=1, max_size=30))
    total, lines = 0, []
    for number, step in enumerate(steps):
        total += step
        lines.append(
            (at(total // 10**9, total % 10**9), data.draw(st.sampled_from(["same", f"line {number}", "ä", ""])))
        )
    joined, found = Joined(), []
    for _ in range(data.draw(st.integers(0, 4))):
        content = served(lines, joined.since())
        joined.begin()
        end = data.draw(st.integers(0, len(content)))
        middle = data.draw(st.integers(0, end))
        found += joined.take(content[:middle]) + joined.take(content[middle:end])
    since = joined.since()
    joined.begin()
    found += joined.take(served(lines, since)) + joined.end()
    assert found == lines
