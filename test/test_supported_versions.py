"""Tests that what is promised about versions is one promise, and what the lowest boto3 can do."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import botocore.session
import pytest

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text()
PYTHONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)


def listed(name: str) -> list[str]:
    """The strings of a list in pyproject.toml (Python 3.10 has no `tomllib`)."""
    found = re.search(rf"^{name} = \[\n(.*?)^\]", PROJECT, re.MULTILINE | re.DOTALL)
    assert found, name
    return re.findall(r'^ +"(.*?)",', found[1], re.MULTILINE)


def test_the_classifiers_name_every_python_from_the_lowest_on() -> None:
    lowest = re.search(r'^requires-python = ">=3\.(\d+)"', PROJECT, re.MULTILINE)
    assert lowest
    assert [f"3.{minor}" for minor in range(int(lowest[1]), int(lowest[1]) + 5)] == PYTHONS


def test_this_python_is_one_of_them() -> None:
    assert f"3.{sys.version_info.minor}" in PYTHONS


def test_every_tool_looks_at_the_lowest_python() -> None:
    lowest = PYTHONS[0]
    assert f'target-version = "py{lowest.replace(".", "")}"' in PROJECT
    assert f'python_version = "{lowest}"' in PROJECT


def test_ci_looks_for_what_the_lowest_python_does_not_have() -> None:
    script = ROOT / ".ci" / "run"
    if not script.is_file():
        pytest.skip("a source distribution has no CI")
    assert f"-t={PYTHONS[0]}- " in script.read_text()


def test_the_lowest_dependencies_that_are_allowed_are_those_that_are_tested() -> None:
    allowed = sorted(bound.split(">=") for bound in listed("dependencies"))
    pinned = (ROOT / "test" / "constraints-lowest.txt").read_text().split()
    for (name, bound), pin in zip(allowed, sorted(pinned), strict=True):
        tested_name, tested = pin.split("==")
        assert (tested_name, tested.removesuffix(".0")) == (name, bound)


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("bedrock-runtime", "Converse"),
        ("bedrock-runtime", "ConverseStream"),
        ("bedrock", "ListFoundationModels"),
        ("bedrock", "ListInferenceProfiles"),
    ],
)
def test_the_installed_botocore_knows_what_the_library_cannot_do_without(
    service: str, operation: str
) -> None:
    model = botocore.session.get_session().get_service_model(service)
    assert operation in model.operation_names
