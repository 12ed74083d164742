"""Runs the code of the README, block after block in one program, and that of other documents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.models.token_quota import output_weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.testing import LocalBedrock, ReceivedRequest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCALING = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = BLOCK.findall(README)


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


class Model:
    """Calls the tools that it is given, and keeps to a JSON schema; remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def __call__(self, request: ReceivedRequest) -> str | dict[str, Any]:
        body: dict[str, Any] = dict(request.body)
        self.sent.append(body)
        if "outputConfig" in body:
            return json.dumps({"name": "Oslo", "inhabitants": 724290})
        if "toolConfig" not in body or "toolResult" in body["messages"][-1]["content"][0]:
            return "Forty-two."
        name = body["toolConfig"]["tools"][0]["toolSpec"]["name"]
        call = {"toolUseId": "call-1", "name": name, "input": {"city": "Oslo"}}
        return {
            "output": {"message": {"role": "assistant", "content": [{"toolUse": call}]}},
            "stopReason": "tool_use",
            "usage": {"inputTokens": 10, "outputTokens": 10, "totalTokens": 20},
            "metrics": {"latencyMs": 1},
        }


@pytest.mark.needs_member("outputConfig")
@pytest.mark.usefixtures("_here", "fallback")
def test_the_code_runs_and_prints_what_its_comments_say(
    bedrock: LocalBedrock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BLOCKS) >= 12
    model = Model()
    bedrock.reply_with(model)
    namespace: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), namespace)
        printed = capsys.readouterr().out
        for said in re.findall(r"^print\(.*\)\s+# (.*)$", block, re.MULTILINE):
            assert said.partition(":")[0] in printed
    assert list(blocks_of(model, "toolResult")) == [
        {"toolUseId": "call-1", "content": [{"json": {"city": "Oslo", "celsius": 21}}]}
    ]
    assert any("guardrailConfig" in body for body in model.sent)
    assert any("cachePoint" in block for body in model.sent for block in body.get("system", ()))
    assert len(Path("answers.jsonl").read_bytes().splitlines()) == 100


def blocks_of(model: Model, kind: str) -> Iterator[Any]:
    for body in model.sent:
        for message in body["messages"]:
            yield from (block[kind] for block in message["content"] if kind in block)


def test_the_quickstart_prints_what_the_readme_shows() -> None:
    [shown] = re.findall(r"<!-- quickstart -->\n```\n(.*?)```", README, re.DOTALL)
    quickstart = ROOT / "examples" / "quickstart.py"
    done = subprocess.run(
        [sys.executable, str(quickstart)], capture_output=True, text=True, check=True
    )
    port = re.compile(r"127\.0\.0\.1:\d+")
    assert port.sub("PORT", done.stdout) == port.sub("PORT", shown)


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("program", BLOCK.findall(SCALING), ids=["processes", "dask"])
def test_the_programs_about_scaling_run(program: str) -> None:
    if "distributed" in program:
        pytest.importorskip("distributed")
    Path("program.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout == "500 of 500 answered\n"


def test_the_sizing_table_follows_from_its_formulas() -> None:
    table = SCALING.partition("<!-- sizing -->")[2].partition("\n\n")[0].replace(",", "")
    rows = [[float(n) for n in re.findall(r"[\d.]+", row)] for row in table.splitlines()[3:]]
    assert len(rows) == 6
    for row in rows:
        quota, regions, given, most, weight, said, seconds, per_minute, at_once, cores, count = row
        used = given + weight * said
        rate = regions * quota / (60 * used + seconds * (given + most - used))
        assert (per_minute, at_once) == (round(rate * 60), ceil(rate * seconds))
        assert (cores, count) == (round(rate * 0.002, 2), ceil(rate / 250))


@pytest.mark.parametrize(
    ("model_id", "weight"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", 5),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", 5),
        ("anthropic.claude-opus-4-8", 15),
        ("amazon.nova-lite-v1:0", 1),
    ],
)
def test_the_weights_are_those_that_are_told(model_id: str, weight: int) -> None:
    assert output_weight(model_id) == weight


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(
        r"\]\(([^):#]*)(?:#([^):]+))?\)", page.read_text(encoding="utf-8")
    ):
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
