#!/usr/bin/env python3
"""Print the names of what a pipeline's own run has launched and has left in the cluster, one a line.

`fairing-azure cleanup` leaves endpoints alone that can answer: they may be in use. Those of a run that is over are not.

    fairing-azure status --json > launches.json
    python ci/own_launches.py launches.json | xargs --no-run-if-empty fairing-azure delete
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    owner = os.environ["NB_PREFIX"].strip("/").rpartition("/")[2]
    launches = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["launches"]
    sys.stdout.writelines(f"{launch['name']}\n" for launch in launches if owner and launch["owner"] == owner)
