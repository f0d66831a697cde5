"""A launch while it runs, for people: phases, events, progress, last lines, metrics; as HTML and as plain text."""

from __future__ import annotations

import collections
import dataclasses
import re
import threading
import time
from html import escape
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.frontends.views import metric_plot
from fairing_az_jupyter.frontends.views.checks.check_report import line
from fairing_az_jupyter.launch_events import Interrupted, Output, Phase, PodEvent, Progress
from fairing_az_jupyter.records.log_text import without_ansi

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
    from fairing_az_jupyter.launch_events import LaunchEvent

__all__ = ["PHASES", "LaunchView", "ViewState", "badge"]

ViewState = Literal["running", "succeeded", "ready", "failed", "cancelled", "left"]
"""`left` is what is still running in the cluster without anybody watching."""

PHASES = {
    "context": "Pack files",
    "build": "Build image",
    "push": "Push image",
    "schedule": "Schedule pod",
    "run": "Run",
    "serve": "Serve",
}
"""What people call the phases of a launch."""

_SHOWN_LINES = 20
_LONGEST_LINE = 300
_LONGEST_MESSAGE = 2000
"""Letters of an event or an error; the longest message of Kubernetes' own events has 1024."""
_SHOWN_EVENTS = 8
_WORTH_SHOWING = 1 << 20
"""Bytes: what is smaller is sent before anybody has read how far it is."""
# The beginning of a code whose rest comes with the next piece.
_HALF_CODE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*)?$")
_WORDS: dict[ViewState, str] = {"left": "still running in the cluster"}
_SYMBOLS = {"running": "●", "succeeded": "✓", "ready": "✓", "failed": "✗", "cancelled": "-", "left": "●"}
_EMPHASIS = {
    "failed": "font-weight:bold;border-width:2px;color:var(--jp-error-color0,#d9432f)",
    "cancelled": "font-weight:bold;color:var(--jp-warn-color0,#b26a00)",
    "running": "font-weight:bold",
    "left": "font-weight:bold",
}
_BADGE = "display:inline-block;border:1px solid currentColor;border-radius:0.3em;padding:0 0.4em;white-space:nowrap"
_PHASE_SYMBOLS = {"started": "●", "finished": "✓", "skipped": "-", "failed": "✗"}
_WAIT = "margin:0.2em 0;padding-left:0.6em;border-left:3px solid var(--jp-info-color1,#0277bd)"
_LONG_SECONDS = 30.0
"""After this time in one phase the view says how to stop it."""
_PRE = (
    "margin:0.3em 0;padding:0.3em 0.6em;border-left:3px solid currentColor;white-space:pre-wrap;"
    "word-break:break-word;max-height:32em;overflow:auto"
)


@dataclasses.dataclass
class _Phase:
    state: str
    began: float
    seconds: float | None = None
    message: str = ""


class LaunchView:
    """What is seen of one launch; any thread may tell it of events, and any thread may draw it.

    Args:
        what: What is done, such as `Training HousingServe`.
        backend: The backend that it runs on.
        log: Where all of its output is kept; None for nowhere.
        stop: How to stop it, shown while it has been waiting for a while; NAME stands for the job or the endpoint, or
            for the build while the image is being built.

    """

    def __init__(self, what: str, *, backend: str, log: LaunchLog | None = None, stop: str = "") -> None:
        self._what, self._backend, self.log, self._stop = what, backend, log, stop
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._seconds: float | None = None
        self._phases: dict[str, _Phase] = {}
        # By pod and reason: what is reported again while it lasts takes the place of what was reported before.
        self._events: dict[tuple[str, str], str] = {}
        self._latest = ""
        self._sent: dict[str, tuple[int, int]] = {}
        self._lines: collections.deque[str] = collections.deque(maxlen=_SHOWN_LINES)
        self._count, self._open, self._half_code, self._message = 0, "", "", ""
        self.state: ViewState = "running"
        self.metrics = metric_plot.MetricSeries()
        self.revision = 0
        """Grows with each change."""
        # Apart from the job: an interrupt deletes the job, and a build may be somebody else's as well.
        self._build = ""
        self.job = ""
        """The name of the job or the endpoint; empty until it has one."""
        self.interrupted = ""
        """What an interrupt has left, in the launch's own words; empty if it has said nothing."""
        self.remains = False
        """Whether something of an interrupted launch is still there, or may be."""

    def take(self, event: LaunchEvent) -> None:
        """Take what has happened.

        Args:
            event: What.

        """
        if isinstance(event, Output):
            self._take_output(event.text)
            return
        with self._lock:
            if self.state != "running":
                return
            self.revision += 1
            if isinstance(event, Phase):
                self._take_phase(event)
            elif isinstance(event, PodEvent):
                self._take_pod_event(event)
            elif isinstance(event, Progress):
                self._sent[event.what] = (event.done, event.size)
            elif isinstance(event, Interrupted):
                self.interrupted, self.remains = line(event.message), event.remains
            elif event.kind == "build":
                self._build = event.name
            else:
                self.job = event.name

    def _take_output(self, text: str) -> None:
        """Take what is printed; a carriage return starts its line again."""
        with self._lock:
            if self.state != "running":
                return
            text = self._half_code + text
            half = _HALF_CODE.search(text)
            self._half_code = half[0] if half is not None else ""
            clean = without_ansi(text.removesuffix(self._half_code)).replace("\r\n", "\n")
            if self.log is not None:
                self.log.write(clean)
            *whole, self._open = (self._open + clean).split("\n")
            for each in whole:
                self._add(_after_carriage_return(each))
            self._open = self._open[-4 * _LONGEST_LINE :]
            self.revision += 1

    def _take_pod_event(self, event: PodEvent) -> None:
        self._latest = _short(event.message or event.reason, _LONGEST_MESSAGE)
        self._events.pop((event.pod, event.reason), None)
        text = f"{event.pod}: {event.reason}{f', {event.message}' if event.message else ''}"
        self._events[event.pod, event.reason] = _short(text, _LONGEST_MESSAGE)
        if len(self._events) > _SHOWN_EVENTS:
            del self._events[next(iter(self._events))]

    def _take_phase(self, event: Phase) -> None:
        now = time.monotonic()
        self._latest = ""
        if event.state == "started":
            self._phases[event.name] = _Phase(event.state, now)
            return
        began = self._phases.setdefault(event.name, _Phase(event.state, now))
        began.state, began.message = event.state, _short(event.message, _LONGEST_MESSAGE)
        began.seconds = None if event.state == "skipped" else now - began.began

    def end(self, state: ViewState, message: str = "") -> None:
        """Note how it has ended; nothing changes afterwards.

        Args:
            state: How.
            message: Why, or what comes next, in one line.

        """
        with self._lock:
            if self.state != "running":
                return
            if self._open:
                self._add(_after_carriage_return(self._open))
                self._open = ""
            self.state, self._message = state, _short(message, _LONGEST_MESSAGE)
            self._seconds = time.monotonic() - self._began
            self.revision += 1
            if self.log is not None:
                self.log.close()

    def quote(self, lines: Sequence[str]) -> str:
        """Take the last lines of what has failed, where they were not printed: an endpoint's are in its log.

        Args:
            lines: The lines, oldest first.

        Returns:
            What was taken, as text; empty if it was there.

        """
        with self._lock:
            if not lines or _shown(without_ansi(lines[-1])) in self._last_lines():
                return ""
            text = "".join(f"{each}\n" for each in lines)
            self._take_output(text)
            return text

    @property
    def lines(self) -> int:
        """How many lines were printed."""
        return self._count

    @property
    def seconds(self) -> float:
        """How long it takes, or has taken."""
        return time.monotonic() - self._began if self._seconds is None else self._seconds

    def plain(self) -> str:
        """Return it as plain text."""
        with self._lock:
            rows = [f"{self._what} on {self._backend}: {self._state()}, {duration(self.seconds)}"]
            rows += [f"  {title}: {text}" for title, _, text in self._phase_rows()]
            rows += [f"  Uploading the {what}: {_share(*sent)}" for what, sent in self._sending()]
            rows += [f"  {event}" for event in self._events.values()]
            rows += [f"  {each}" for each in self._wait_lines()[1:]]
            if lines := self._last_lines():
                rows += [f"  {self._heading()}:", *(f"  | {each}" for each in lines)]
            if self.metrics.points:
                rows.append("  " + ", ".join(f"{name} {value:.6g}" for name, value in self.metrics.last.items()))
            rows += [self._message] if self._message else []
            rows += [f"Log: {self.log.path}"] if self.log is not None and self.log.path is not None else []
            return "\n".join(rows)

    def html(self) -> str:
        """Return it as HTML for a notebook; colours are the theme's, and say nothing that the words don't."""
        with self._lock:
            return f'<div class="fairing-az-launch">{"".join(self._parts())}</div>'

    def _parts(self) -> Iterator[str]:
        took = duration(self.seconds)
        yield (
            f"<div><strong>{escape(self._what)}</strong> on {escape(self._backend)} "
            f"{badge(self._state(), self.state)} {took}{f' · {escape(self.job)}' if self.job else ''}</div>"
        )
        phases = [
            f'<span style="white-space:nowrap;margin-right:1.2em">{symbol} {escape(title)}: {escape(text)}</span>'
            for title, symbol, text in self._phase_rows()
        ]
        yield f'<div style="opacity:0.85">{" ".join(phases)}</div>' if phases else ""
        yield from self._bars()
        for each in self._wait_lines():
            yield f'<div style="{_WAIT}">{escape(each)}</div>'
        if self._events:
            yield _folded("Cluster events", self._events.values(), opened=self.state == "failed")
        if lines := self._last_lines():
            yield _folded(self._heading(), lines, opened=True)
        if self.metrics.worth_drawing():
            yield metric_plot.svg(self.metrics)
        if self._message:
            yield f'<div style="margin:0.3em 0">{escape(self._message)}</div>'
        if self.log is not None and self.log.path is not None:
            link = f'<a href="{escape(self.log.link)}">{escape(self.log.path.name)}</a>' if self.log.link else ""
            yield f"<div>Log: {link or escape(str(self.log.path))}</div>"

    def _bars(self) -> Iterator[str]:
        for what, (done, size) in self._sending():
            label = f"Uploading the {what}"
            bar = f'<progress max="{size}" value="{done}" aria-label="{escape(label)}"></progress>'
            yield f"<div>{bar} {escape(label)}: {_share(done, size)}</div>"
        build = self._phases.get("build")
        if self.state == "running" and build is not None and build.state == "started":
            # Nobody knows how much there is to do: the bar only says that it is being done.
            text = f"Building the image: {duration(time.monotonic() - build.began)}"
            yield f'<div><progress aria-label="Building the image"></progress> {text}</div>'

    def _sending(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for what, (done, size) in self._sent.items():
            if size >= _WORTH_SHOWING and (done < size and self.state == "running"):
                yield what, (done, size)

    def _phase_rows(self) -> Iterator[tuple[str, str, str]]:
        for name, phase in self._phases.items():
            symbol = _PHASE_SYMBOLS.get(phase.state, "")
            if phase.state == "started":
                over = self.state != "running"
                text = "not finished" if over else f"running for {duration(time.monotonic() - phase.began)}"
            elif phase.state == "finished":
                text = duration(phase.seconds or 0.0)
            else:
                text = phase.state + (f", {phase.message}" if phase.message else "")
            yield PHASES.get(name, name), symbol, text

    def _wait_lines(self) -> list[str]:
        """Return what the cluster says of the current phase; after a while also how to stop the launch."""
        found = next((each for each in reversed(self._phases.items()) if each[1].state == "started"), None)
        if found is None or self.state != "running" or not self._latest:
            return []
        name = self.job or (self._build if found[0] == "build" else "")
        is_long = bool(self._stop and name) and time.monotonic() - found[1].began >= _LONG_SECONDS
        return [self._latest, *([self._stop.replace("NAME", name)] if is_long else [])]

    def _last_lines(self) -> list[str]:
        """Return the lines that are shown; the one that is being written, such as a progress bar, is the last."""
        shown = _shown(_after_carriage_return(self._open))
        return [*self._lines, *([shown] if shown.strip() else [])]

    def _heading(self) -> str:
        shown = len(self._lines)
        if not shown:
            return "Current output"
        if shown == self._count:
            return f"Output, {shown} line{'' if shown == 1 else 's'}"
        return f"Output, last {shown} of {self._count:,} lines"

    def _state(self) -> str:
        return _WORDS.get(self.state, self.state)

    def _add(self, text: str) -> None:
        self._count += 1
        self.metrics.add(text)
        self._lines.append(_shown(text))


def _shown(text: str) -> str:
    return _short(text.expandtabs(4), _LONGEST_LINE, keep_spaces=True)


def badge(text: str, state: str) -> str:
    """Return the state of something as HTML: a word in a frame.

    Args:
        text: The word or words.
        state: Which emphasis they get: as of a `ViewState`; any other gets none.

    """
    symbol = _SYMBOLS.get(state, "")
    return f'<span style="{_BADGE};{_EMPHASIS.get(state, "")}">{f"{symbol} " if symbol else ""}{escape(text)}</span>'


def duration(seconds: float) -> str:
    """Return a duration as people say it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`."""
    if seconds < 10:  # noqa: PLR2004 - below, tenths matter
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _short(text: str, most: int, *, keep_spaces: bool = False) -> str:
    """Return a text as one line of letters that can be shown, cut where it is longer than `most`."""
    text = text[: most + 1]
    shown = "".join(each if each.isprintable() else " " for each in text) if keep_spaces else line(text)
    return shown if len(shown) <= most else f"{shown[: most - 4]} ..."


def _after_carriage_return(text: str) -> str:
    """Return a line as a terminal shows it at its end; a piece may end between a carriage return and its line feed."""
    return text.rstrip("\r").rpartition("\r")[2]


def _share(done: int, size: int) -> str:
    return f"{100 * done // size if size else 100} % of {size / 1e6:.1f} MB"


def _folded(title: str, rows: Iterable[str], *, opened: bool) -> str:
    text = escape("\n".join(rows))
    lines = f'<pre style="{_PRE}">{text}</pre>'
    return f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>{lines}</details>"
