"""What `check` says is what a launch meets, also where two configurations come together."""

from __future__ import annotations

import pytest

from tests.cluster.cluster_configurations import pairs
from tests.cluster.verdicts_scene import as_in_a_notebook, cluster, holds  # noqa: F401 - fixtures


@pytest.mark.parametrize("two", pairs(12, seed=13), ids=lambda two: " + ".join(one.name for one in two))
def test_what_check_says_is_what_a_launch_meets_also_where_two_come_together(cluster, two):  # noqa: F811
    for configuration in two:
        cluster.take(configuration)

    holds(cluster)
