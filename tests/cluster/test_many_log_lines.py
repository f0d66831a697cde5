"""100,000 lines of a real Job, as the process that launched it prints them: none lost, none twice, memory flat."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.cluster.log_lines_scene import AT_ONCE, COUNT, ONE_BY_ONE, launching, line
from tests.cluster.workloads_scene import cut, cuts_connections

MEGABYTE = 1 << 20
# All of the lines, kept in whatever form, are more than twice that.
FLAT = 6 * MEGABYTE


@pytest.fixture
def launched(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    image = node.push_base(setup.login_server, setup.dockerconfig)
    return lambda code: launching(setup, image, code)


def expect_lines(child, numbers, each_thousand=lambda number: None):
    """Read as many lines; each has to be the next one of the Job."""
    for number in numbers:
        assert child.stdout.readline() == f"{line(number)}\n"
        if number % 1000 == 0:
            each_thousand(number)


def expect_end(child):
    rest, said = child.communicate(timeout=30)
    assert (child.returncode, rest) == (0, ""), said


def memory(child):
    return psutil.Process(child.pid).memory_info().rss


def test_a_job_of_100000_lines_is_printed_whole_once_in_order_and_in_flat_memory(launched):
    used = []
    with launched(ONE_BY_ONE) as child:
        expect_lines(child, range(COUNT), lambda number: used.append(memory(child)))
        expect_end(child)

    third = len(used) // 3
    assert max(used[-third:]) - max(used[:third]) < FLAT


def test_lines_that_nobody_reads_yet_wait_elsewhere_than_in_memory(launched):
    with launched(AT_ONCE) as child:
        expect_lines(child, [0])
        first, used = memory(child), []
        time.sleep(8)

        used.append(memory(child))
        expect_lines(child, range(1, COUNT), lambda number: used.append(memory(child)))
        expect_end(child)

    assert max(used) - first < FLAT


@cuts_connections
def test_none_of_100000_lines_is_lost_or_comes_twice_over_lost_connections(launched, stand):
    def lose(number):
        if number in {20_000, 40_000, 60_000, 80_000}:
            cut(stand.kubernetes_front)

    with launched(ONE_BY_ONE) as child:
        expect_lines(child, range(COUNT), lose)
        expect_end(child)

    assert stand.kubernetes_front.count("/log$", "GET") > 2
