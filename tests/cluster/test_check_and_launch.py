"""What `check` says is what a launch meets: one property, over clusters of many configurations.

Where a launch succeeds, no check may have failed; where it fails, a check has failed or warned, for the same reason.
So nothing is refused that would work, and nothing is waved through that would not.
"""

from __future__ import annotations

import pytest

from tests.cluster.cluster_configurations import CONFIGURATIONS
from tests.cluster.verdicts_scene import as_in_a_notebook, cluster, holds  # noqa: F401 - fixtures


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda one: one.name)
def test_what_check_says_is_what_a_launch_meets(cluster, configuration):  # noqa: F811
    cluster.take(configuration)

    found, errors = holds(cluster)

    if configuration.aspect == "nothing":
        assert (found, errors) == ({}, {})
