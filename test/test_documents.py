"""Runs the code and the commands of the documents, and follows what they name."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import document_code
import performance_chart
from bestehorn_llmmanager.bedrock.models.token_quota import output_weight
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDE = DOCS / "MIGRATION_GUIDE.md"  # until 4.0.0
SCALING = DOCS / "scaling.md"
SECURITY = DOCS / "security.md"
TROUBLES = DOCS / "INFERENCE_PROFILE_TROUBLESHOOTING.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
# Programs of their own, and what needs an S3, are run further down.
RUN = [page for page in PAGES[1:] if page.name not in {"scaling.md", "batch.md"}]
NEEDS = {
    # Members of Converse that not every botocore knows.
    "caching.md": pytest.mark.needs_member("ttl"),
    "howto.md": pytest.mark.needs_member("outputConfig"),
    "security.md": pytest.mark.skipif(sys.platform == "win32", reason="shows modes of files"),
}
LANGUAGES = {"", "json", "python", "text", "toml"}


def shortened(page: Path) -> str:
    return page.stem


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_here", "fallback")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=NEEDS.get(page.name, ()), id=page.stem) for page in RUN],
)
def test_the_code_runs_and_prints_what_its_comments_say(page: Path, bedrock: LocalBedrock) -> None:
    assert document_code.run(page, bedrock) >= len(document_code.blocks(page))


@pytest.fixture
def bedrock_with_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    from moto.server import ThreadedMotoServer

    monkeypatch.setattr(logging.getLogger("werkzeug"), "level", logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with LocalBedrock(s3_endpoint=f"http://{host}:{port}") as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        endpoint.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(
            Bucket="my-bucket"
        )
        yield endpoint
    server.stop()


@pytest.mark.needs_member("modelInvocationType")
@pytest.mark.usefixtures("_here")
def test_the_code_about_batch_jobs_runs(bedrock_with_s3: LocalBedrock) -> None:
    page = DOCS / "batch.md"
    assert document_code.run(page, bedrock_with_s3) > len(document_code.blocks(page)) == 4


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("program", document_code.blocks(SCALING), ids=["processes", "dask"])
def test_the_programs_about_scaling_run(program: str) -> None:
    if "distributed" in program:
        pytest.importorskip("distributed")
    Path("program.py").write_text(program, encoding="utf-8")
    done = python("program.py")
    assert done.stdout == "500 of 500 answered\n", done.stderr


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=100
    )


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print(1)  # 2", "nothing like '2' in ['1']"),
        ("print(1)  # 1\n# 2", "nothing like '2' in ['1']"),
        ("print('ab')\nprint(\n    'a'\n)  # b…", "nothing like 'b…' in ['ab', 'a']"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", "old"),
        ("import warnings\nwarnings.warn('new')  # DeprecationWarning", "new"),
        ("x = 1  # DeprecationWarning", "warnings in [4] expected, got []"),
    ],
)
def test_a_block_that_does_something_else_than_it_says_is_found(
    code: str, problem: str, bedrock: LocalBedrock, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n```python\n{code}\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError) as caught:
        document_code.run(page, bedrock)
    assert problem in str(caught.value)


@pytest.mark.parametrize("page", PAGES, ids=shortened)
def test_every_block_has_a_language_that_is_looked_at(page: Path) -> None:
    fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) % 2 == 0
    assert set(fences) <= LANGUAGES


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / "examples").glob("*.md")], ids=shortened)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^):#]*)(?:#([^):]+))?\)", text):
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=shortened)
def test_what_is_said_to_be_in_the_repository_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/.])((?:docs|examples|scripts|test)/[\w./-]*\w)", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing, f"{page.name} names {missing}"


def test_every_document_can_be_reached_from_the_readme() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if page.name not in text] == []


def test_the_structure_names_every_room_and_none_that_is_gone() -> None:
    package = ROOT / "src" / "bestehorn_llmmanager"
    text = (DOCS / "ProjectStructure.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| where \| what \|\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
    cells = [row.split("|")[1] for table in tables for row in table.splitlines()[1:]]
    names = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert len(names) > 60
    found, folder = [], package
    is_clone = (ROOT / ".git").exists()  # the sdist has nothing that begins with a dot
    for name in (name for name in names if is_clone or not name.startswith(".")):
        places = (package / name, folder / name, ROOT / name)
        found.append(next((place for place in places if place.exists()), None))
        assert found[-1], f"there is no {name}"
        folder = found[-1].parent
    rooms = {init.parent for init in package.glob("**/__init__.py")} - {package}
    named = {room for place in found if place for room in (place, place.parent)}
    assert sorted(str(room.relative_to(package)) for room in rooms - named) == []


def test_the_structure_names_every_script_and_nothing_twice() -> None:
    text = (DOCS / "ProjectStructure.md").read_text(encoding="utf-8")
    scripts = {f"`scripts/{path.name}`" for path in (ROOT / "scripts").glob("*.py")}
    assert len(scripts) > 10
    assert {script for script in scripts if script not in text} == set()
    beside = text.partition("Beside the package:\n\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", beside, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(names) > len(rows) > 15
    assert sorted(set(names)) == sorted(names)


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.")[0]
    text = (
        (DOCS / "ProjectStructure.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    )
    declared = set(re.findall(r'^\s+"([\w-]+)[>=\[]', project, re.MULTILINE))
    declared |= set(re.findall(r'= \["([\w-]+)>', project))
    unexplained = {
        name
        for name in declared - {"bestehorn-llmmanager"}
        if name not in text and name.replace("pytest-", "-") not in text
    }
    assert len(declared) > 20
    assert not unexplained


def test_every_trouble_has_its_sentence_and_its_line() -> None:
    text = TROUBLES.read_text(encoding="utf-8")
    sections = re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    assert len(sections) > 20
    for name, body in sections:
        assert "```python" in body, name
        assert name == "Nothing comes back" or "```text\n" in body, name
        assert "invisible-code-block" in body, f"{name} is not provoked"


def test_the_policies_are_valid_and_name_actions_that_exist(tmp_path: Path) -> None:
    resources = {
        f"Policy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": json.loads(policy)},
        }
        for number, policy in enumerate(document_code.blocks(SECURITY, "json"))
    }
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    done = python("-c", "from cfnlint.runner import main; main()", str(path))
    assert len(resources) == 2
    assert done.returncode == 0, done.stdout + done.stderr


def test_models_of_profiles_are_permitted_through_their_profile_alone() -> None:
    policy = json.loads(document_code.blocks(SECURITY, "json")[0])
    calls = [each for each in policy["Statement"] if each["Resource"] != "*"]
    conditions = [each.get("Condition") for each in calls if ":inference-profile/" in str(each)]
    [profile] = [each["Resource"] for each in calls if isinstance(each["Resource"], str)]
    assert ":inference-profile/" in profile
    assert conditions == [None, {"StringEquals": {"bedrock:InferenceProfileArn": profile}}]
    of_models = [each for each in calls if "::foundation-model/" in str(each["Resource"])]
    assert [each["Condition"] for each in of_models] == conditions[1:]


PROSE = [page for page in PAGES if page.name != "forLLMConsumption.md"]


@pytest.mark.parametrize("page", [*PROSE, *(ROOT / "examples").glob("*.md")], ids=shortened)
def test_lines_of_text_are_wrapped(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = re.compile(r"^```.*?^```|^<!-- invisible.*?^-->", re.DOTALL | re.MULTILINE)
    lines = [line for line in shown.sub("", text).splitlines() if not line.startswith(("|", "- ["))]
    assert [line for line in lines if len(line) > 120] == []


def test_the_chart_shows_what_the_document_says() -> None:
    text = performance_chart.SOURCE.read_text(encoding="utf-8")
    drawn = performance_chart.draw(performance_chart.ratios(text))
    assert performance_chart.PICTURE.read_text(encoding="utf-8") == drawn
    with pytest.raises(ValueError, match="no ratio in a row that begins with 'stream, per event'"):
        performance_chart.ratios(text.replace("stream, per event", "stream"))


# until 4.0.0
OLD_BLOCKS = [block for block in document_code.blocks(GUIDE) if "# DeprecationWarning" in block]


@pytest.mark.usefixtures("_here", "bedrock")
@pytest.mark.parametrize("number", range(3))
def test_the_command_of_the_guide_stops_at_the_first_use(number: int) -> None:
    Path("your_program.py").write_text(OLD_BLOCKS[number], encoding="utf-8")
    text = GUIDE.read_text(encoding="utf-8")
    [command] = re.findall(r"^python (-W \S+) your_program\.py$", text, re.MULTILINE)
    done = python(*command.split(), "your_program.py")
    assert done.returncode == 1
    assert "goes with 4.0.0; use `from bestehorn_llmmanager import" in done.stderr


@pytest.mark.usefixtures("_here", "bedrock")
def test_the_filter_of_the_guide_fails_a_test_that_uses_a_manager() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    [settings] = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    Path("pyproject.toml").write_text(settings, encoding="utf-8")
    body = OLD_BLOCKS[0].replace("\n", "\n    ").rstrip()
    other = "import warnings\n\ndef test_b():\n    warnings.warn('of others', DeprecationWarning)\n"
    Path("test_it.py").write_text(f"{other}\ndef test_a():\n    {body}\n", encoding="utf-8")
    done = python("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "test_it.py")
    assert "1 failed, 1 passed" in done.stdout
    assert "goes with 4.0.0" in done.stdout


def test_the_search_of_the_guide_finds_each_use_and_nothing_new() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    [pattern] = re.findall(r'^grep -rnE "(.*?)"', text, re.MULTILINE)
    assert len(OLD_BLOCKS) == 4
    assert all(re.search(pattern, block) for block in OLD_BLOCKS)
    new = [block for block in document_code.blocks(GUIDE) if block not in OLD_BLOCKS]
    assert not any(re.search(pattern, block) for block in new)


# end


def test_the_sizing_table_follows_from_its_formulas() -> None:
    text = SCALING.read_text(encoding="utf-8")
    table = text.partition("<!-- sizing -->")[2].partition("\n\n")[0].replace(",", "")
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
