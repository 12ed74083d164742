"""The fixture that the package gives to its users' tests."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from bestehorn_llmmanager.testing.process import _python_path

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock


@pytest.fixture
def local_bedrock_options(snapshot: dict[str, Any]) -> dict[str, Any]:
    return {"snapshot": snapshot}


@pytest.fixture
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")


@pytest.mark.usefixtures("_machine")
def test_an_unconfigured_boto3_talks_to_it(
    request: pytest.FixtureRequest,
) -> None:
    local_bedrock: LocalBedrock = request.getfixturevalue("local_bedrock")
    boto3.client("bedrock").list_foundation_models()
    assert local_bedrock.count("ListFoundationModels", "us-east-1") == 1
    assert "AWS_PROFILE" not in os.environ


def test_loading_the_plugin_loads_neither_boto3_nor_the_server() -> None:
    program = (
        "import sys, bestehorn_llmmanager.testing.pytest_plugin as _;"
        "print([m for m in ('boto3', 'botocore', 'socketserver',"
        " 'bestehorn_llmmanager.testing.local_bedrock') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": _python_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_importing_the_server_does_not_load_botocore() -> None:
    program = (
        "import sys; from bestehorn_llmmanager.testing import LocalBedrock, Fault;"
        "print('botocore' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": _python_path()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
