"""A node for the test stand: pods are scheduled by the real kube-scheduler and run as real containers.

node.py        the node as tests see it, and how its parts belong together
scheduler.py   the real kube-scheduler
kubelet.py     watches the pods bound to the node; a worker for each
pod.py         one pod: volumes, network, order, deadline, deletion, status
pod_container.py  one container of it: image, start, probes, end, restarts
statuses.py    phase and conditions, from the containers' states
environment.py, volumes.py  what a container finds
disruptions.py evictions, drains, nodes that are gone
pools.py       nodes that come late, and an imitated autoscaler
weather.py     what goes wrong for a while when pods start
containers.py  podman and runc;  sandbox.py  the namespaces that all of it ends with
kaniko.py      the image that builds images
images.py      pulls, in containerd's words;  probes.py, events.py, logs.py, watch.py
network.py     a network for each pod;  lead_out.py, relay.py, services.py  what leads out of it and in
log_server.py  the kubelet's HTTPS server: logs and port-forwarding
"""

from __future__ import annotations

from .node import Node

__all__ = ["Node"]
