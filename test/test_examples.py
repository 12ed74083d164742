"""Runs each example as a program of its own, in a copy that has nothing of the others beside it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LAMBDA_README = (EXAMPLES / "LAMBDA_EXAMPLES_README.md").read_text(encoding="utf-8")
TESTED_ELSEWHERE = {"quickstart", "parallel_batch"}
HAIKU, NOVA = "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "eu.amazon.nova-lite-v1:0"
LOCAL = "No AWS credentials: using LocalBedrock"

# What each prints, among other things, in this order; each a regular expression.
PRINTED = {
    "caching_example": [
        LOCAL,
        "Claude Haiku 4.5 caches prompts from 4096 tokens on",
        "put by the manager:",
        r"Who may travel\? +written +[1-9]\d+, read +0\n",
        r"What about a taxi\? +written +0, read +[1-9]\d+\n",
        "put by the caller:",
        r"Who may travel\? +written +[1-9]\d+, read +0\n",
        r"What about a taxi\? +written +0, read +[1-9]\d+\n",
    ],
    "catalog_basic_usage": [
        LOCAL,
        "us-east-1: source api",
        "Nova Lite in us-east-1: DIRECT",
        "on demand: amazon.nova-lite-v1:0",
        "Nova Lite in eu-central-1: REGIONAL_CRIS\n  on demand: None",
        f"regional profile: {NOVA}",
        "5 ways to write it, models found: Claude Haiku 4.5\n",
        "context window: 200,000 tokens",
        f"{HAIKU} routes from eu-central-1 to eu-central-1, eu-north-1",
        r"[1-9]\d+ in eu-central-1: ",
        "There is no model 'Claude Haiku 4'. Closest: Claude Haiku 4.5",
        "Nova Premier .* is retired",
    ],
    "catalog_cache_modes": [
        LOCAL,
        "CacheMode.FILE",
        f"first object: {NOVA}, source api, 4 requests",
        "the same again: .*, 0 requests",
        "second object: .*, source cache, 0 requests",
        "on disk: bedrock_catalog.json",
        r"after clear_cache\(\): False\n  after that: .*, source api, 4 requests",
        "CacheMode.MEMORY",
        "the same again: .*, 0 requests",
        "second object: .*, source api, 4 requests",
        "file: None",
        "CacheMode.NONE",
        "first object: .*, source api, 4 requests",
        'refresh="never", a cache: .*, source cache, 0 requests',
        'refresh="never", no cache: .*, source bundled, 0 requests',
        "force_refresh=True, a cache: .*, source api, 4 requests",
    ],
    "catalog_lambda_usage": [
        LOCAL,
        *(
            f"cache mode {mode}:\n  cold: .*'us.amazon.nova-lite-v1:0'.*\n  requests to Bedrock: 2"
            "\n  warm: .*\n  requests to Bedrock: 0"
            for mode in ("file", "memory", "none")
        ),
        "unknown: {'callable': False, 'reason': .*Closest: Nova Lite",
    ],
    "lambda_complete_serverless_app": [
        LOCAL,
        r'"route": "GET /models", "status": 200',
        r'GET /models: 200 .*"eu-central-1": \[.*"Nova Lite"',
        r'"route": "POST /answers", "status": 200, .*"model": "Claude Haiku 4.5"',
        f"POST /answers: 200 .*{HAIKU} in eu-central-1 received 4 words",
        "POST /answers: 400 ",
        "GET /prices: 404 ",
        f'"status": 503, .*"attempts": .*"{HAIKU}".*"eu-west-1", "{NOVA}"',
        "POST /answers: 503 ",
    ],
    "lambda_llm_manager_with_model_cache": [
        LOCAL,
        *(f"cache mode {mode}: .*{HAIKU} in eu-central-1" for mode in ("file", "memory", "none")),
        f"eu-central-1 fails: .*{HAIKU} in eu-west-1.*'requests': 2",
    ],
    "lambda_unified_model_manager": [
        "Nobody is asked",
        r"'provider': 'Amazon'}\n  [1-9]\d* models: .*Nova",
        r"'global_cris'}\n  [1-9]\d* models: .*Claude",
        "boto3 is imported: False",
    ],
    "region_discovery_example": [
        LOCAL,
        r"botocore knows [1-9]\d regions",
        r"asked, [1-9]\d* answer for this account \([1-9]\d* requests\)",
        r"asked again, [1-9]\d* answer for this account \(0 requests\)",
        "not to be used: .*ap-south-1",
        r"kept: [1-9]\d* regions, valid: True",
        "Claude Haiku 4.5 can be called in",
    ],
    "streaming_example": [
        LOCAL,
        "An answer:\nA region is a .* runs.\n  success: True",
        r"'us-east-1: answered'\]",
        "Left after some characters.*\nA region is.*\n  closed: True",
        "can continue a given beginning:\nA region is a .* runs.\n  success: True",
        "'us-west-2: answered'",
        r"cannot:\nA region.*\n\[23 characters are void; again in us-west-2\]\nA region .* runs.\n",
        "'us-west-2: answered'",
    ],
}


# Cache points are newer than the oldest botocore that the library works with.
MARKS = {"caching_example": pytest.mark.needs_member("cachePoint")}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=MARKS.get(name, ())) for name in PRINTED]
)
def test_an_example_runs_by_itself_prints_what_it_shows_and_leaves_nothing(
    name: str, tmp_path: Path
) -> None:
    program = shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    rest = done.stdout
    for expected in PRINTED[name]:
        found = re.search(expected, rest)
        assert found, f"{expected!r} is not in:\n{rest}"
        rest = rest[found.end() :]
    # Nor has it left anything, also not in the user's cache, which is below `tmp_path` here.
    assert [path.name for path in tmp_path.rglob("*")] == [f"{name}.py"]


def test_each_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*PRINTED, *TESTED_ELSEWHERE}


@pytest.mark.parametrize("name", sorted({*PRINTED, *TESTED_ELSEWHERE}))
def test_an_example_says_how_to_run_it_and_has_a_main(name: str) -> None:
    module = ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
    assert f"python examples/{name}.py" in (ast.get_docstring(module) or "")
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert "main" in functions
    assert ("handler" in functions) == (f"{name}.py" in LAMBDA_README)
