"""No line of a log is lost and none comes twice, whatever happens on the way from a kubelet."""

from __future__ import annotations

import time

from fairing_az_jupyter.clients.kube.watching.events import LogLine, Started, Terminated
from tests.cluster.workloads_kubelet import ended, job, running, stamp, terminated
from tests.cluster.workloads_scene import *  # noqa: F403 - fixtures are found by their names
from tests.cluster.workloads_scene import cut, cuts_connections, finish, pod_of


def test_no_line_is_lost_and_none_comes_twice_over_lost_connections(printing, kubelet, namespace, follow):
    pod, output = printing
    # Many lines have the very same time, and connections end in the middle of lines.
    for number in range(3000):
        output.print(f"line {number}" if number % 7 else "the same", at=(number // 50) * 100_000_000)
    output.cuts = [5000, 12345, 1, 40000, 33, 70000]
    seen = follow("Job", "train")
    seen.wait(lambda event: getattr(event, "text", "") == "line 2999")
    finish(kubelet, namespace, pod, output)
    seen.end()
    assert seen.texts == [f"line {number}" if number % 7 else "the same" for number in range(3000)]


@cuts_connections
def test_lines_that_come_while_the_connection_is_lost_are_given(
    printing, kubelet, namespace, follow, fronted, kubernetes
):
    pod, output = printing
    output.print("one", "two", at=10**9)
    seen = follow("Job", "train", by=fronted)
    seen.wait(lambda event: getattr(event, "text", "") == "two")
    front = kubernetes.kubernetes_front
    front.refuse(502, path="/log", times=2)
    cut(front)
    output.print("three", "four", at=10**9)
    output.print("five", at=3 * 10**9)
    seen.wait(lambda event: getattr(event, "text", "") == "five")
    finish(kubelet, namespace, pod, output)
    seen.end()
    assert seen.error is None
    assert seen.texts == ["one", "two", "three", "four", "five"]


def test_a_very_long_line_comes_whole(printing, kubelet, namespace, follow):
    pod, output = printing
    output.print("x" * (1 << 20), "after", at=1)
    output.cuts = [600_000]
    seen = follow("Job", "train")
    seen.wait(lambda event: getattr(event, "text", "") == "after")
    finish(kubelet, namespace, pod, output)
    seen.end()
    assert [len(text) for text in seen.texts] == [1 << 20, 5]


def test_a_kubelet_that_does_not_answer_yet_is_asked_again(printing, kubelet, namespace, follow):
    pod, output = printing
    waits = 'container "main" in pod "train" is waiting to start: ContainerCreating'
    output.refusals = [(502, "bad gateway"), (400, waits), (500, "dial tcp: refused")]
    output.print("there")
    seen = follow("Job", "train")
    seen.wait(lambda event: getattr(event, "text", "") == "there")
    finish(kubelet, namespace, pod, output)
    seen.end()
    assert seen.texts == ["there"]


def test_the_lines_before_a_restart_come_before_those_after(workloads, kubelet, namespace, follow):
    workloads.create(job(policy="OnFailure", backoffLimit=5))
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    output = kubelet.output(pod, "main")
    output.print("first try", at=10**9)
    seen = follow("Job", "train")
    kubelet.say(namespace, pod, "Running", running())
    seen.wait(lambda event: getattr(event, "text", "") == "first try")
    output.print("its last word", at=2 * 10**9)
    # The kubelet has moved on before the last word was read.
    output.cuts = []
    output.previous, output.lines = list(output.lines), []
    output.print("second try", at=5 * 10**9)
    kubelet.server.kubelet.stop.set()
    kubelet.say(
        namespace,
        pod,
        "Running",
        running(restartCount=1, containerID="containerd://main-1", lastState={"terminated": ended(1)}),
    )
    time.sleep(0.3)
    kubelet.stop.clear()
    seen.wait(lambda event: getattr(event, "text", "") == "second try")
    output.end()
    kubelet.say(namespace, pod, "Succeeded", terminated(0, restartCount=1, containerID="containerd://main-1"))
    seen.end()
    shown = [event for event in seen.events if isinstance(event, (LogLine, Started, Terminated))]
    assert [str(one).partition("/")[2] or str(one) for one in shown] == [
        "main started",
        "first try",
        "its last word",
        "main ended: Error (exit code 1)",
        "main restarted (1)",
        "second try",
        "main ended: Completed (exit code 0)",
    ]


def test_an_answer_that_does_not_end_with_its_container_is_ended(printing, kubelet, namespace, follow):
    pod, output = printing
    output.print("only")
    output.stuck = True
    seen = follow("Job", "train")
    seen.wait(lambda event: getattr(event, "text", "") == "only")
    finish(kubelet, namespace, pod, output)
    seen.end(25)
    assert seen.texts == ["only"]


def test_100000_lines_come_all_and_once(workloads, printing, kubelet, namespace):
    pod, output = printing
    count = 100_000
    texts = [f"line {number} {'x' * 80}" for number in range(count)]
    output.lines = [(stamp(number * 100_000), text.encode()) for number, text in enumerate(texts)]
    finish(kubelet, namespace, pod, output)
    seen = 0
    for event in workloads.follow("Job", "train"):
        if isinstance(event, LogLine):
            assert event.text == texts[seen]
            seen += 1

    assert seen == count
