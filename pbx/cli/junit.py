"""Flow tests as JUnit XML, which CI servers show: a suite a file, a case a test."""

from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pbx.flows.flow_tests import TestResult


def junit(results: Sequence[TestResult]) -> str:
    """The document; files keep their order."""
    root = Element("testsuites")
    for file, group in groupby(results, key=lambda result: result.file):
        cases = list(group)
        failed = sum(not case.passed for case in cases)
        suite = SubElement(
            root, "testsuite", name=str(file), tests=str(len(cases)), failures=str(failed), errors="0"
        )
        for case in cases:
            element = SubElement(
                suite, "testcase", classname=file.name, name=case.name, file=str(file), line=str(case.line)
            )
            if not case.passed:
                what = ", ".join(difference.what for difference in case.differences)
                failure = SubElement(element, "failure", message=f"differs: {what}", type="difference")
                failure.text = "\n".join(
                    f"{each.what}: expected {each.expected}, actual {each.actual}"
                    for each in case.differences
                )
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"
