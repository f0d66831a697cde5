"""A JUnit report as CI systems read it, with the rules that they all share.

Source: the schema of Ant's JUnit task, as https://llg.cubic.org/docs/junit/ and
https://github.com/windyroad/JUnit-Schema describe it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

_CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase", "system-out", "system-err"],
    "properties": ["property"],
    "testcase": ["skipped", "error", "failure", "system-out", "system-err"],
}
_NEEDED = {
    "testsuite": {"name", "tests", "failures", "errors", "time", "timestamp"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "property": {"name", "value"},
}


class Report:
    """What a CI system shows of a report."""

    def __init__(self, root):
        (self.suite,) = root
        self.cases = self.suite.findall("testcase")
        self.tests, self.failures = (int(self.suite.get(name)) for name in ("tests", "failures"))
        self.properties = {each.get("name"): each.get("value") for each in self.suite.iter("property")}

    def output(self, number):
        """Return what the test case of this number, from 0, has printed."""
        return self.cases[number].findtext("system-out")


def read_report(path):
    """Read a report, and assert that it keeps the rules."""
    root = ET.fromstring(Path(path).read_bytes())  # noqa: S314 - written by the test
    assert root.tag == "testsuites"
    for element in root.iter():
        _check_element(element)
    for element in (root, *root.findall("testsuite")):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests")) == len(cases)
        for kind in ("failure", "error", "skipped"):
            counted = element.get({"failure": "failures", "error": "errors"}.get(kind, kind), "0")
            assert int(counted) == sum(case.find(kind) is not None for case in cases)
    for case in root.iter("testcase"):
        assert case.get("name")
        assert case.get("classname")
        assert len([each for each in case if each.tag in {"failure", "error", "skipped"}]) <= 1
    return Report(root)


def _check_element(element):
    order = _CHILDREN.get(element.tag, [])
    places = [order.index(child.tag) for child in element]
    assert places == sorted(places), f"{element.tag}: {[child.tag for child in element]}"
    assert _NEEDED.get(element.tag, set()) <= element.attrib.keys(), element.tag
    if "time" in element.attrib:
        assert float(element.get("time")) >= 0
