"""What a notebook shows of a launch: its phases, its events, its last lines, its end."""

from __future__ import annotations

import re
import threading
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from fairing_az_jupyter.frontends.views import launch
from fairing_az_jupyter.frontends.views.launch import LaunchView, duration
from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
from fairing_az_jupyter.launch_events import Interrupted, Launched, Output, Phase, PodEvent, Progress

MEGABYTE = 1_000_000


@pytest.fixture
def view():
    return LaunchView("Training HousingServe", backend="KubeflowAzureBackend")


def page(view):
    """Return the HTML as a tree; whatever is no well-formed markup is an error."""
    return ET.fromstring(re.sub(r"<(details) open>", r'<\1 open="">', view.html()))  # noqa: S314 - it was made here


def text(view):
    """Return what the HTML says, without its markup."""
    return "".join(page(view).itertext())


def lines(view):
    """Return the lines of the output that are shown."""
    return [each.removeprefix("  | ") for each in view.plain().splitlines() if each.startswith("  | ")]


def test_a_launch_that_has_just_begun_says_what_it_is_and_where(view):
    assert re.fullmatch(r"Training HousingServe on KubeflowAzureBackend: running, 0\.\d s", view.plain())
    assert "Training HousingServe on KubeflowAzureBackend ● running" in text(view)


def test_phases_are_shown_in_their_order_with_what_has_become_of_them(view):
    for name, value in [("context", "started"), ("context", "finished"), ("build", "skipped"), ("run", "started")]:
        view.take(Phase(name, value, "the image is there" if value == "skipped" else ""))

    packed, built, runs = view.plain().splitlines()[1:]

    assert re.fullmatch(r"  Pack files: 0\.\d s", packed)
    assert built == "  Build image: skipped, the image is there"
    assert re.fullmatch(r"  Run: running for 0\.\d s", runs)
    assert re.search(r"✓ Pack files: .*- Build image: skipped.*● Run: running for ", text(view))


def test_a_phase_that_fails_says_why_in_one_line(view):
    view.take(Phase("push", "started"))
    view.take(Phase("push", "failed", "denied:\n  no access"))

    assert "✗ Push image: failed, denied: no access" in text(view)


def test_a_phase_that_nobody_has_named_is_shown_by_its_own_name(view):
    view.take(Phase("polish", "started"))

    assert "● polish: running for " in text(view)


def test_a_phase_that_goes_on_when_the_launch_ends_is_not_finished(view):
    view.take(Phase("run", "started"))
    view.end("cancelled")

    assert "  Run: not finished" in view.plain()
    assert "Run: not finished" in text(view)


def test_the_last_events_of_the_cluster_are_shown(view):
    for number in range(20):
        view.take(PodEvent(f"pod-{number}", "Pulling", "image\nx" if number == 19 else ""))

    shown = [each.strip() for each in view.plain().splitlines() if "pod-" in each]

    assert shown == [*(f"pod-{number}: Pulling" for number in range(12, 19)), "pod-19: Pulling, image x"]
    assert "Cluster events" in text(view)


def test_a_long_wait_is_one_line_that_changes_and_says_how_to_stop(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(launch, "time", SimpleNamespace(monotonic=lambda: now[0]))
    view = LaunchView("Training Model", backend="KubeflowAzureBackend", stop="To delete it: delete NAME")
    view.take(Launched("job", "fairing-job-1a2b3c4d", "team-a"))
    view.take(Phase("schedule", "started"))
    for minutes in range(30):
        now[0] = 100.0 + 60 * minutes
        waited = f"0/3 nodes are available. Waiting for {minutes} min so far, at most 30 min."
        view.take(PodEvent("fairing-job-1a2b3c4d-x7k2p", "unschedulable", waited))
        if not minutes:
            assert "To delete it" not in text(view)

    assert text(view).count("Waiting for 29 min so far, at most 30 min.") == 2, "one line, and the list that is folded"
    assert "28 min" not in text(view)
    assert "To delete it: delete fairing-job-1a2b3c4d" in text(view)
    assert [each for each in view.plain().splitlines() if "0/3" in each or "delete" in each] == [
        f"  fairing-job-1a2b3c4d-x7k2p: unschedulable, {waited}",
        "  To delete it: delete fairing-job-1a2b3c4d",
    ]
    view.take(Phase("run", "started"))
    assert "To delete it" not in text(view) + view.plain()


def test_a_build_that_waits_for_long_says_how_to_stop_the_build_and_a_job_that_follows_takes_its_place(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(launch, "time", SimpleNamespace(monotonic=lambda: now[0]))
    view = LaunchView("Training Model", backend="KubeflowAzureBackend", stop="To delete it: delete NAME")
    view.take(Phase("build", "started"))
    view.take(Launched("build", "fairing-build-0123abcd", "team-a"))
    view.take(PodEvent("some", "unschedulable", "No node yet."))
    assert "To delete it" not in text(view)

    now[0] += 60

    assert "To delete it: delete fairing-build-0123abcd" in text(view)
    assert view.job == "", "an interrupt deletes what is named there"
    view.take(Phase("build", "finished"))
    view.take(Phase("schedule", "started"))
    view.take(PodEvent("some", "unschedulable", "No node yet."))
    now[0] += 60
    assert "To delete it" not in text(view)
    view.take(Launched("job", "fairing-job-1a2b3c4d", "team-a"))
    assert "To delete it: delete fairing-job-1a2b3c4d" in text(view)


@pytest.mark.parametrize(("state", "opened"), [("failed", True), ("succeeded", False)])
def test_what_the_cluster_says_is_open_where_it_may_tell_why(view, state, opened):
    view.take(PodEvent("pod-1", "BackOff"))
    view.end(state)

    assert (page(view).find("details").get("open") is not None) is opened


def test_something_large_that_is_sent_has_a_bar_until_it_is_there(view):
    view.take(Progress("build context", 5 * MEGABYTE, 20 * MEGABYTE))
    bar = page(view).find(".//progress")

    assert (bar.get("value"), bar.get("max")) == (str(5 * MEGABYTE), str(20 * MEGABYTE))
    assert bar.get("aria-label") == "Uploading the build context"
    assert "Uploading the build context: 25 % of 20.0 MB" in text(view)
    assert "  Uploading the build context: 25 % of 20.0 MB" in view.plain()

    view.take(Progress("build context", 20 * MEGABYTE, 20 * MEGABYTE))

    assert page(view).find(".//progress") is None
    assert "Uploading" not in view.plain()


@pytest.mark.parametrize("size", [0, 1000])
def test_something_small_has_no_bar(view, size):
    view.take(Progress("build context", 0, size))

    assert page(view).find(".//progress") is None


def test_a_bar_ends_with_the_launch(view):
    view.take(Progress("layer", 1, 20 * MEGABYTE))
    view.take(Phase("build", "started"))
    view.end("failed", "The connection was lost.")

    assert page(view).find(".//progress") is None


def test_a_build_has_a_bar_without_an_end_and_the_time_it_takes(view):
    view.take(Phase("build", "started"))

    bar = page(view).find(".//progress")

    assert bar.get("aria-label") == "Building the image"
    assert bar.get("value") is None
    assert re.search(r"Building the image: 0\.\d s", text(view))


def test_of_ten_thousand_lines_the_last_twenty_are_shown(view):
    for number in range(10_000):
        view.take(Output(f"line {number}\n"))

    assert lines(view) == [f"line {number}" for number in range(9_980, 10_000)]
    assert "Output, last 20 of 10,000 lines" in text(view)
    assert view.lines == 10_000


def test_what_is_shown_stays_small_however_much_is_printed(view):
    view.take(Output(('<&">' * 50_000 + "\n") * 20 + "x" * 1_000_000))
    for number in range(1_000):
        view.take(PodEvent("pod", "Event", "y" * 100_000))
        view.take(Output(f"[{number}] loss:{number}.5 " + "z" * 1_000 + "\n"))
    view.end("failed", "w" * 100_000)

    assert len(view.html()) < 200_000
    assert len(view.plain()) < 50_000


def test_a_long_line_says_that_it_goes_on(view):
    view.take(Output("x" * 1_000 + "\n"))

    (line,) = lines(view)

    assert line == "x" * 296 + " ..."


def test_colours_and_cursor_movements_are_left_out(view):
    view.take(Output("\x1b[1;31mred\x1b[0m \x1b]8;;https://example.org\x07link\x1b]8;;\x07\x1b[2K\n"))

    assert lines(view) == ["red link"]


def test_a_colour_that_comes_in_two_pieces_is_left_out(view):
    for piece in ("a\x1b", "[3", "1mred\x1b[", "0m\n"):
        view.take(Output(piece))

    assert lines(view) == ["ared"]


def test_letters_that_can_not_be_shown_become_spaces(view):
    view.take(Output("a\x00b\tc\x08d\u200e\ud800\n"))

    assert lines(view) == ["a b c d  "]
    view.html().encode()


def test_a_carriage_return_writes_its_line_anew(view):
    view.take(Output("10 %\r50 %"))
    view.take(Output("\r100 %\ndone\r\n"))

    assert lines(view) == ["100 %", "done"]


@pytest.mark.parametrize("pieces", [("done\r", "\n"), ("50 %\rdone\r", "\r\n"), ("50 %\rdone\r\n",)])
def test_a_line_that_ends_as_on_windows_is_kept_wherever_its_pieces_end(view, pieces):
    for piece in pieces:
        view.take(Output(piece))

    assert lines(view) == ["done"]


def test_a_line_without_an_end_is_shown_at_the_end(view):
    view.take(Output("first\nlast without"))
    view.take(Output(" end"))
    view.end("succeeded")

    assert lines(view) == ["first", "last without end"]


def test_output_is_no_markup(view):
    view.take(Output('<script>alert("x")</script> & <b>\n'))
    view.take(PodEvent("<i>", "<u>", "<s>"))
    view.take(Phase("<p>", "failed", "<q>"))
    view.end("failed", '<img src=x onerror="x">')

    for said in ('<script>alert("x")</script> & <b>', "<i>: <u>, <s>", "<p>: failed, <q>", '<img src=x onerror="x">'):
        assert said in text(view)
    assert {each.tag for each in page(view).iter()} <= {"div", "strong", "span", "details", "summary", "pre"}


def test_what_is_launched_is_no_markup_either():
    view = LaunchView("Training <b>", backend="<i>")
    view.job = "<u>"
    view.take(Progress('"><img>', 1, 20 * MEGABYTE))

    assert "Training <b> on <i> " in text(view)
    assert "<u>" in text(view)
    assert page(view).find(".//progress").get("aria-label") == 'Uploading the "><img>'


@pytest.mark.parametrize(
    ("state", "badge"),
    [
        ("succeeded", "✓ succeeded"),
        ("ready", "✓ ready"),
        ("failed", "✗ failed"),
        ("cancelled", "- cancelled"),
        ("left", "● still running in the cluster"),
    ],
)
def test_the_end_is_told_in_words_and_not_by_a_colour_alone(view, state, badge):
    view.end(state, "Because\nof this.")

    assert badge in text(view)
    assert badge[2:] in view.plain().splitlines()[0]
    assert view.plain().splitlines()[-1] == "Because of this."


def test_nothing_changes_after_the_end(view, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    view.log = LaunchLog("Model")
    view.take(Output("before\n"))
    view.take(Phase("run", "finished"))
    view.end("succeeded", "All is well.")
    shown, revision = (view.html(), view.plain(), view.lines), view.revision

    view.take(Output("after\n"))
    view.take(Phase("run", "failed"))
    view.take(PodEvent("pod", "Killing"))
    view.take(Progress("layer", 1, 20 * MEGABYTE))
    view.end("failed", "Later.")

    assert (view.html(), view.plain(), view.lines) == shown
    assert view.revision == revision
    assert view.log.path.read_text() == "before\n"


def test_what_an_interrupt_leaves_is_known_from_the_launch_and_not_from_what_is_printed(view):
    view.take(Output("Interrupted, but this is only what the program prints.\n"))
    assert (view.interrupted, view.remains) == ("", False)
    view.take(Interrupted("Interrupted: job fairing-job-1a2b3c4d is stopped.", remains=False))
    view.end("cancelled", view.interrupted)

    assert view.interrupted == "Interrupted: job fairing-job-1a2b3c4d is stopped."
    assert view.plain().endswith("\nInterrupted: job fairing-job-1a2b3c4d is stopped.")


def test_the_job_is_named_as_soon_as_it_is_launched_whatever_is_printed(view):
    view.take(Output("Job fairing-job-99999999 is what the program prints.\n"))
    assert view.job == ""
    view.take(Launched("job", "fairing-job-1a2b3c4d", "team-a"))

    assert view.job == "fairing-job-1a2b3c4d"
    assert "· fairing-job-1a2b3c4d" in text(view)


def test_metrics_in_the_output_are_drawn_and_their_last_values_told(view):
    for step in range(10):
        view.take(Output(f"[{step}]\ttrain-rmse:{1 / (step + 1):.3f}\n"))

    assert page(view).find(".//svg[@role='img']").get("aria-label") == "train-rmse from step 0 to step 9"
    assert "  train-rmse 0.1" in view.plain()


def test_all_of_the_output_is_in_the_log_that_the_notebook_links_to(view, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    view.log = LaunchLog("HousingServe & <Co>")
    for number in range(1_000):
        view.take(Output(f"\x1b[32mline {number}\x1b[0m\r\n"))
    view.end("succeeded")

    link = page(view).find(".//a")

    assert (tmp_path / link.get("href")).read_text() == "".join(f"line {number}\n" for number in range(1_000))
    assert link.text == view.log.path.name
    assert view.plain().splitlines()[-1] == f"Log: {view.log.path}"


def test_a_view_may_be_told_and_drawn_by_several_threads_at_once(view):
    def tell(name):
        for number in range(500):
            view.take(Output(f"{name} {number}\n"))
            view.take(PodEvent(name, str(number)))

    threads = [threading.Thread(target=tell, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        page(view)
    for thread in threads:
        thread.join()

    assert view.lines == 1_500


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (12.4, "12 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7440, "2 h 4 min")],
)
def test_a_duration_is_said_as_people_say_it(seconds, said):
    assert duration(seconds) == said
