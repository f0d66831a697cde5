"""What tests hear of a launch, in short."""

from __future__ import annotations

from fairing_az_jupyter.launch_events import Phase, PodEvent


def short(event):
    """Return the kind, the name, the value and the message of a phase or a pod's event; None of another event."""
    if isinstance(event, Phase):
        return "phase", event.name, event.state, event.message
    return ("pod-event", event.pod, event.reason, event.message) if isinstance(event, PodEvent) else None


def into(found):
    """Return what appends each phase and each pod's event to a list, in short."""

    def hear(event):
        if told := short(event):
            found.append(told)

    return hear
