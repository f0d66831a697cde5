"""A namespace whose pods the stand's node runs, and what tests ask of them."""

from __future__ import annotations

import time

BATCH = "/apis/batch/v1/namespaces"


SERVER = """
import http.server, os
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HOSTNAME"].encode())
http.server.HTTPServer(("", 8080), Page).serve_forever()
"""


class Team:
    """One namespace, the image that its pods run, and what tests ask of them."""

    def __init__(self, stand, setup, image):
        self.admin, self.setup, self.image = stand.control_plane.admin, setup, image
        self.namespace = setup.namespace
        self.core = f"/api/v1/namespaces/{setup.namespace}"
        self.stand = stand

    def container(self, script, **more):
        return {"name": "main", "image": self.image, "command": ["python3", "-u", "-c", script], **more}

    def spec(self, script, *, container=None, **more):
        base = {"serviceAccountName": "default-editor", "restartPolicy": "Never"}
        return {**base, "containers": [self.container(script, **(container or {}))], **more}

    def pod(self, name, script, **more):
        return self.admin.post(f"{self.core}/pods", {"metadata": {"name": name}, "spec": self.spec(script, **more)})

    def job(self, name, script, *, limit=0, **more):
        template = {"spec": self.spec(script, **more)}
        body = {"metadata": {"name": name}, "spec": {"backoffLimit": limit, "template": template}}
        return self.admin.post(f"{BATCH}/{self.namespace}/jobs", body)

    def status(self, name):
        return self.admin.get(f"{self.core}/pods/{name}")["status"]

    def pods(self, selector):
        return self.admin.get(f"{self.core}/pods", labelSelector=selector)["items"]

    def events(self, name):
        found = self.admin.get(f"{self.core}/events", fieldSelector=f"involvedObject.name={name}")["items"]
        return [(event["reason"], event["message"]) for event in found]

    def log(self, name, **query):
        return self.admin.call("GET", f"{self.core}/pods/{name}/log", query=query).text

    def be_alone(self):
        """Take away what other tests have left running: the room of the node is counted."""
        core = "/api/v1/namespaces"
        names = {one["metadata"]["name"] for one in self.admin.get(core)["items"]}
        others = {name for name in names if name.startswith("team-")} - {self.namespace}
        for name in others:
            self.admin.call("DELETE", f"{core}/{name}")

        def over():
            return not any(
                one["metadata"]["namespace"] in others
                and one["spec"].get("nodeName") == "stand-node"
                and one["status"].get("phase") in {"Pending", "Running"}
                for one in self.admin.get("/api/v1/pods")["items"]
            )

        self.until(over, "the end of what other tests have left", 100)

    def until(self, done, what, seconds=30):
        end = time.monotonic() + seconds
        while not (found := done()):
            assert time.monotonic() < end, f"Waited {seconds} s in vain for {what}."
            time.sleep(0.05)
        return found

    def ended(self, name):
        def done():
            status = self.status(name)
            return status if status.get("phase") in {"Succeeded", "Failed"} else None

        return self.until(done, f"the end of pod {name}")

    def waits(self, name, reason):
        def done():
            entry = (self.status(name).get("containerStatuses") or [{}])[0]
            waiting = entry.get("state", {}).get("waiting", {})
            return waiting if waiting.get("reason") == reason else None

        return self.until(done, f"{reason} of pod {name}")

    def last_end(self, name):
        return self.ended(name)["containerStatuses"][0]["state"]["terminated"]
