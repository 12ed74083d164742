"""Shows further defects of 0.9.0 put right, beside those that other tests of a subject show.

The number is that of the contract.
"""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bestehorn_llmmanager
from bestehorn_llmmanager import LLMManager, ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.testing import LocalBedrock

PACKAGE = Path(bestehorn_llmmanager.__file__).parent
PROMPT = [{"role": "user", "content": [{"text": "Hello"}]}]
MODELS = ["Nova Micro", "Nova Lite"]
OPTIONS: dict[str, Any] = {
    "retry_config": RetryConfig(retry_delay=0),
    "catalog_cache_mode": CacheMode.NONE,
    "catalog_refresh": "never",
}
GUARDRAIL = {"guardrailIdentifier": "gr12345678", "guardrailVersion": "1"}

# --- 1: dependencies ------------------------------------------------------------------------------


def imported_when_run(node: ast.AST) -> Iterator[str]:
    """What the code imports, at whatever depth; not what only type checkers see."""
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield (node.module or "").partition(".")[0]
    only_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    children = node.orelse if isinstance(node, ast.If) and only_for_types else None
    for child in ast.iter_child_nodes(node) if children is None else children:
        yield from imported_when_run(child)


def required_by(distribution: str) -> set[str]:
    """What comes with it, and with its extras for users."""
    lines = [line for line in metadata.requires(distribution) or () if '"dev"' not in line]
    return {re.split(r"[^A-Za-z0-9_.-]", line)[0] for line in lines if '"docs"' not in line}


def test_an_import_that_runs_is_told_from_one_for_types() -> None:
    code = "if TYPE_CHECKING:\n    import a\nelse:\n    import b.c\ndef f():\n    from d import e"
    assert set(imported_when_run(ast.parse(code))) == {"b", "d"}


def test_defect_01_what_is_imported_is_declared() -> None:
    used = {
        name
        for path in PACKAGE.rglob("*.py")
        if path.name != "pytest_plugin.py"  # pytest itself imports it
        for name in imported_when_run(ast.parse(path.read_text(encoding="utf-8")))
    }
    foreign = used - sys.stdlib_module_names - {"bestehorn_llmmanager"}
    assert {"boto3", "botocore", "filelock"} <= foreign
    assert foreign - required_by("bestehorn-llmmanager") - required_by("boto3") == set()


# --- 10: guardrails -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["stream", "parallel"])
def test_defect_10_nor_is_a_guardrail_dropped_from_other_kinds_of_calls(
    bedrock: LocalBedrock, way: str
) -> None:
    bedrock.fail(Fault.validation("This model doesn't support guardrails."), times=1)
    if way == "stream":
        manager = LLMManager(MODELS, ["us-east-1"], **OPTIONS)
        assert "".join(manager.converse_stream(PROMPT, guardrail_config=GUARDRAIL))
    else:
        together = ParallelLLMManager(MODELS, ["us-east-1"], **OPTIONS)
        asked = BedrockConverseRequest(PROMPT, guardrail_config=GUARDRAIL)
        assert together.converse_parallel([asked]).get_success_rate() == 100.0
    sent = [(r.model_id, r.body) for r in bedrock.requests if r.operation.startswith("Converse")]
    assert [model_id for model_id, _ in sent] == ["amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"]
    for _, body in sent:
        assert body is not None
        assert {**GUARDRAIL, **body["guardrailConfig"]} == body["guardrailConfig"]
