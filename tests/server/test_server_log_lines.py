"""Windows of logs, and searches in them: of any length, while they grow."""

from __future__ import annotations

import time

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairing_az_jupyter.records.log_lines import LONGEST_LINE, SEARCH_BYTES, LogLines, log_lines


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.txt"


def test_a_window_has_the_lines_that_were_asked_for(log):
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    lines = LogLines(log)
    assert lines.window(54_321, 2).lines == ("line 54321", "line 54322")
    assert lines.window(-2, 10).lines == ("line 99998", "line 99999")
    assert lines.window(-1_000_000, 1).lines == ("line 0",)
    assert lines.window(99_999, 10).lines == ("line 99999",)
    assert lines.window(5, 0).lines == ()
    past = lines.window(200_000, 10)
    assert (past.first, past.lines, past.total) == (100_000, (), 100_000)


def test_a_log_that_is_not_there_has_no_lines(log):
    lines = LogLines(log)
    assert lines.window(0, 10).total == 0
    assert lines.search("x", 0).line is None
    log.write_bytes(b"x\n")
    assert lines.window(0, 10).lines == ("x",)


def test_a_log_that_grows_shows_what_was_added_also_to_its_last_line(log):
    lines = LogLines(log)
    log.write_bytes(b"a\nb")
    assert lines.window(0, 10) == lines.window(0, 10)
    assert lines.window(0, 10).lines == ("a", "b")
    with log.open("ab") as file:
        file.write(b"b\n")
    assert lines.window(0, 10).lines == ("a", "bb")
    assert lines.window(0, 10).total == 2
    with log.open("ab") as file:
        file.write(b"c\n" * 300_000)
    assert lines.window(-1, 1).first == 300_001


def test_a_log_that_was_replaced_or_made_shorter_is_read_anew(log):
    lines = LogLines(log)
    log.write_bytes(b"old\n" * 10)
    assert lines.window(0, 1).lines == ("old",)
    log.write_bytes(b"new\n")
    assert lines.window(0, 10).lines == ("new",)
    other = log.with_name("other")
    other.write_bytes(b"another log\nof more lines\n")
    other.replace(log)
    assert lines.window(0, 10).lines == ("another log", "of more lines")


def test_progress_shows_its_last_state_and_windows_line_ends_are_none(log):
    log.write_bytes(b"10%\r50%\r100%\nplain\r\n\r\n 5%\r99%")
    assert LogLines(log).window(0, 10).lines == ("100%", "plain", "", "99%")


def test_a_long_line_is_cut_and_says_so(log):
    log.write_bytes(b"x" * 20_000 + b"\n" + b"y" * 3_000_000 + b"\nend\n")
    first, second, last = LogLines(log).window(0, 3).lines
    assert first.startswith("x" * LONGEST_LINE + " ... [20,000 characters")
    assert second.startswith("y" * LONGEST_LINE + " ... [3,000,000 bytes")
    assert len(second) < LONGEST_LINE + 100
    assert last == "end"


def test_a_long_line_of_progress_shows_its_end(log):
    log.write_bytes(b"".join(b"%d%%\r" % (number % 100) for number in range(1_000_000)) + b"done\n")
    assert LogLines(log).window(0, 1).lines == ("done",)


def test_what_is_no_utf_8_is_replaced(log):
    log.write_bytes(b"\xff\xfe caf\xc3\xa9 \xc3\n")
    assert LogLines(log).window(0, 1).lines == ("\ufffd\ufffd café \ufffd",)


def test_other_characters_that_end_lines_elsewhere_end_none_here(log):
    log.write_text("a\u2028b\x0bc\x0cd\x85e\nf\n", encoding="utf-8")
    assert LogLines(log).window(0, 9).lines == ("a\u2028b\x0bc\x0cd\x85e", "f")


def test_a_window_of_long_lines_has_fewer_of_them(log):
    log.write_bytes((b"x" * 9000 + b"\n") * 2000)
    found = LogLines(log).window(0, 2000)
    assert 0 < len(found.lines) < 1000
    assert found.total == 2000


def test_a_window_of_a_million_lines_takes_milliseconds(log):
    log.write_bytes(b"".join(b"epoch %d loss 0.123 accuracy 0.456\n" % number for number in range(1_000_000)))
    lines = LogLines(log)
    lines.window(0, 1)
    begin = time.perf_counter()
    for first in range(0, 1_000_000, 50_000):
        lines.window(first, 200)
    assert (time.perf_counter() - begin) / 20 < 0.05


def test_a_search_goes_on_step_by_step_until_it_finds_the_line(log):
    log.write_bytes(b"some words of a line\n" * 600_000 + b"the Needle\n" + b"more\n" * 10)
    lines = LogLines(log)
    steps, first = 0, 0
    while True:
        found = lines.search("needle", first)
        steps += 1
        if found.line is not None:
            break
        assert first < found.scanned_to
        first = found.scanned_to
    assert found.line == 600_000
    assert steps == 600_000 * 21 // SEARCH_BYTES + 1
    over = lines.search("needle", found.scanned_to)
    assert over.line is None
    assert over.scanned_to == 600_011


def test_a_search_backward_finds_the_nearest_line_before(log):
    log.write_bytes(b"needle\n" + b"some words of a line\n" * 600_000)
    lines = LogLines(log)
    first, steps = 600_000, 0
    while (found := lines.search("needle", first, backward=True)).line is None:
        assert found.scanned_to < first
        first = found.scanned_to
        steps += 1
    assert (found.line, steps) == (0, 600_000 * 21 // SEARCH_BYTES)
    assert found.scanned_to == -1


def test_a_search_minds_case_only_if_told_to(log):
    log.write_bytes("GRÜẞE\ngrüße\n".encode())
    lines = LogLines(log)
    assert lines.search("grü", 0).line == 0
    assert lines.search("grü", 0, ignore_case=False).line == 1
    assert lines.search("GRÜ", 1, backward=True, ignore_case=False).line == 0


def test_a_search_does_not_find_what_progress_has_written_over(log):
    log.write_bytes(b"failed\rdone\nx\nfailed\n")
    assert LogLines(log).search("failed", 0).line == 2
    assert LogLines(log).search("failed", 1, backward=True).line is None


def test_a_search_passes_a_line_that_is_longer_than_a_step(log):
    log.write_bytes(b"a\n" + b"x" * (3 * SEARCH_BYTES) + b"\nneedle\n")
    lines = LogLines(log)
    first, steps = 0, 0
    while (found := lines.search("needle", first)).line is None:
        assert found.scanned_to > first
        first, steps = found.scanned_to, steps + 1
    assert found.line == 2
    assert steps <= 3
    first = 1
    while (found := lines.search("a", first, backward=True)).line is None:
        assert found.scanned_to < first
        first = found.scanned_to
    assert found.line == 0


@settings(max_examples=150, deadline=None)
@given(
    data=st.lists(st.sampled_from([b"a", b"b\n", b"\n", b"\r", b"needle", b"\xc3\xa9", b"x" * 70_000]), max_size=40),
    first=st.integers(-10, 50),
    count=st.integers(0, 20),
)
def test_windows_and_searches_agree_with_all_lines_at_once(tmp_path_factory, data, first, count):
    path = tmp_path_factory.mktemp("log") / "log.txt"
    whole = b"".join(data)
    path.write_bytes(whole)
    pieces = whole.split(b"\n")
    expected = pieces[:-1] if pieces[-1] == b"" else pieces
    lines = log_lines(path)
    every = lines.window(0, 2000)
    assert every.total == len(expected) == len(every.lines)
    begin = max(0, len(expected) + first) if first < 0 else min(first, len(expected))
    found = lines.window(first, count)
    assert (found.first, found.lines) == (begin, every.lines[begin : begin + count])
    shown = [number for number, line in enumerate(every.lines) if "needle" in line]
    # What is cut off is found as well.
    if all(len(line) <= LONGEST_LINE for line in every.lines):
        assert lines.search("needle", 0).line == (shown[0] if shown else None)
        assert lines.search("needle", 10**6, backward=True).line == (shown[-1] if shown else None)


def test_no_file_stays_open(log):
    log.write_bytes(b"a\n")
    lines = LogLines(log)
    before = psutil.Process().num_fds()
    for _ in range(50):
        lines.window(0, 1)
        lines.search("a", 0)
    assert psutil.Process().num_fds() <= before
