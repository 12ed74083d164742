"""Checks the workflows, and runs what they call as far as it can run without GitHub."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from bestehorn_llmmanager.testing import Fault
from bundle_validation import bundle_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager.testing import LocalBedrock

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
BUNDLE = "src/bestehorn_llmmanager/bedrock/package_data/bedrock_catalog_bundled.json"
BASH = shutil.which("bash") or ""

pytestmark = [
    pytest.mark.skipif(not WORKFLOWS, reason="a source distribution has no workflows"),
    pytest.mark.skipif(sys.platform == "win32" or not BASH, reason="GitHub runs these on Linux"),
]


@cache
def read(path: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return workflow


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for job in read(path)["jobs"].values():
            yield from ((path.name, step) for step in job.get("steps", ()))


RUN_STEPS = [
    pytest.param(step["run"], id=f"{w}: {step['run']}") for w, step in steps() if "run" in step
]
USES = [(w, step["uses"]) for w, step in steps() if "uses" in step]


def run(
    *command: str | Path, folder: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHON": sys.executable, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# What stands in the workflows


def test_there_are_the_four_workflows() -> None:
    names = ["ci.yml", "generate-bundled-data.yml", "nightly.yml", "release.yml"]
    assert [path.name for path in WORKFLOWS] == names


def test_they_fit_the_schema_of_github() -> None:
    check = (sys.executable, "-m", "check_jsonschema", "--builtin-schema")
    done = run(*check, "vendor.github-workflows", *WORKFLOWS)
    assert done.returncode == 0, done.stdout
    done = run(*check, "vendor.dependabot", ROOT / ".github" / "dependabot.yml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_states_its_permissions_and_when_it_gives_up(path: Path) -> None:
    workflow = read(path)
    assert set(workflow["permissions"].items()) <= {("contents", "read")}
    assert "concurrency" in workflow
    for name, job in workflow["jobs"].items():
        assert "uses" in job or job["timeout-minutes"] <= 180, name


def test_leave_to_write_is_given_where_it_is_needed_alone() -> None:
    given = {
        (path.name, name): sorted(
            key for key, value in job["permissions"].items() if value == "write"
        )
        for path in WORKFLOWS
        for name, job in read(path)["jobs"].items()
        if "permissions" in job
    }
    assert given == {
        ("generate-bundled-data.yml", "fetch"): ["id-token"],
        ("generate-bundled-data.yml", "propose"): ["actions", "contents", "pull-requests"],
        ("release.yml", "publish"): ["attestations", "id-token"],
    }


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    lines = [line.strip() for path in WORKFLOWS for line in path.read_text().splitlines()]
    used = [line.removeprefix("- ") for line in lines if line.startswith(("uses:", "- uses:"))]
    remote = [line for line in used if not line.startswith("uses: ./")]
    assert len(remote) == len(USES) > 10
    for line in remote:
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    versions = {line.partition("@")[0]: line for line in remote}
    assert set(versions.values()) == set(remote)  # one version of each


def test_local_workflows_that_are_called_exist_and_can_be_called() -> None:
    called = [
        job["uses"] for path in WORKFLOWS for job in read(path)["jobs"].values() if "uses" in job
    ]
    assert called
    for name in called:
        assert "workflow_call" in read(ROOT / name)["on"], name


def test_every_python_of_the_classifiers_is_tested_on_each_system() -> None:
    matrix = read(FOLDER / "ci.yml")["jobs"]["run"]["strategy"]["matrix"]
    project = (ROOT / "pyproject.toml").read_text()
    classifiers = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert matrix["python"] == classifiers
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    extra = {(entry["what"], entry["os"].partition("-")[0]) for entry in matrix["include"]}
    assert {("lowest", "ubuntu"), ("checks", "ubuntu"), ("package", "windows")} <= extra
    lowest = [entry["python"] for entry in matrix["include"] if entry["what"] == "lowest"]
    assert lowest == classifiers[:1]


def test_nothing_is_published_before_everything_holds() -> None:
    jobs = read(FOLDER / "release.yml")["jobs"]
    assert set(jobs["publish"]["needs"]) == set(jobs) - {"publish"}
    assert jobs["checks"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["publish"]["environment"]["name"] == "pypi"


def test_the_role_is_asked_for_on_main_alone_and_the_restriction_of_its_trust_is_said() -> None:
    path = FOLDER / "generate-bundled-data.yml"
    condition = read(path)["jobs"]["fetch"]["if"]
    assert condition == "github.ref == 'refs/heads/main' && vars.BUNDLED_DATA_ROLE_ARN != ''"
    assert read(path)["jobs"]["propose"]["needs"] == "fetch"
    comment, _, _ = path.read_text(encoding="utf-8").partition("\nname: ")
    assert "\n#   aud: sts.amazonaws.com\n" in comment
    assert "\n#   sub: repo:OWNER/NAME:ref:refs/heads/main\n" in comment


# What their steps run


@pytest.mark.parametrize("script", RUN_STEPS)
def test_a_step_names_scripts_and_options_that_exist(script: str) -> None:
    assert len(script.splitlines()) <= 2, "what is longer is a script of its own"
    assert run(BASH, "-n", "-c", script).returncode == 0
    for line in script.splitlines():
        words = line.split()
        paths = [word for word in words if word.startswith((".ci/", "scripts/", "test/"))]
        for path in paths:
            assert (ROOT / path).is_file(), path
        if words[:2] == ["python", *paths]:
            known = run(sys.executable, *paths, "--help").stdout
            assert {word for word in words if word.startswith("--")} <= set(
                re.findall(r"--[\w-]+", known)
            )
        if paths == [".ci/run"]:
            assert set(modes_given(words)) <= modes_known(), line


def modes_given(words: list[str]) -> list[str]:
    given = words[words.index(".ci/run") + 1]
    if given != "${{":
        return [given]
    matrix = read(FOLDER / "ci.yml")["jobs"]["run"]["strategy"]["matrix"]
    return [*matrix["what"], *(entry["what"] for entry in matrix["include"])]


def modes_known() -> set[str]:
    said = run(BASH, ".ci/run", "--help").stdout
    return set(re.findall(r"^  bash \.ci/run (\w+)", said, re.MULTILINE))


@pytest.mark.parametrize("script", RUN_STEPS)
def test_nothing_that_others_can_choose_is_pasted_into_a_script(script: str) -> None:
    assert set(re.findall(r"\$\{\{ *([\w.]+)", script)) <= {"matrix.what"}


def test_scripts_in_ci_explain_themselves_and_do_nothing_else_when_asked_for_nonsense() -> None:
    assert modes_known() == {"checks", "package", "tests", "lowest", "nightly", "release"}
    for name in ("run", "bundle"):
        done = run(BASH, f".ci/{name}", "nonsense")
        assert (done.returncode, done.stderr) == (2, "")
        assert f"bash .ci/{name}" in done.stdout


def test_the_age_gate_belongs_to_the_release_and_to_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert script.count("--max-age-days") == 1
    release = script.partition("\nrelease)")[2].partition(";;")[0]
    assert "dist/*.whl --max-age-days 30" in release


SIDE_BY_SIDE = """
set -euo pipefail
work=$(mktemp -d)
say() { printf '== %s\\n' "$*"; }
good() { echo good begins; sleep 0.1; echo good ends; }
bad() { echo bad begins; false; echo never; }
worse() { echo worse begins; echo "$undefined"; }
"""


@pytest.mark.parametrize(
    ("names", "failed"),
    [("good", ""), ("good good", ""), ("good bad", " bad"), ("bad good worse", " bad worse")],
)
def test_what_runs_side_by_side_is_shown_in_one_piece_and_fails_as_one(
    names: str, failed: str
) -> None:
    script = (ROOT / ".ci" / "run").read_text()
    together = (
        "together() {" + script.partition("\ntogether() {")[2].partition("\n}\n")[0] + "\n}\n"
    )
    done = run(BASH, "-c", f"{SIDE_BY_SIDE}{together}together {names}; echo and on")
    assert done.returncode == bool(failed)
    assert ("and on" in done.stdout) is not bool(failed)
    assert "good begins\ngood ends\n" in done.stdout
    assert "never" not in done.stdout
    assert failed in done.stdout
    for name in names.split():
        assert f"{name} begins" in done.stdout


AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    done = run("git", *AUTHOR, *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def new_clone(origin: Path, clone: Path) -> None:
    """A repository of what is in `clone`, whose main the new origin has as well."""
    clone.mkdir(exist_ok=True)
    git(origin.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(clone, "init", "--quiet", "--initial-branch=main")
    git(clone, "remote", "add", "origin", str(origin))
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "all")
    git(clone, "push", "--quiet", "origin", "main")


@pytest.mark.skipif(not shutil.which("git"), reason="git compares commits")
def test_a_release_is_built_from_a_commit_of_main_alone(tmp_path: Path) -> None:
    checkout, *others = read(FOLDER / "release.yml")["jobs"]["build"]["steps"]
    assert checkout["with"]["fetch-depth"] == 0
    check = others[0]["run"]
    clone = tmp_path / "clone"
    new_clone(tmp_path / "origin.git", clone)
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "on main")
    refused = run(BASH, "-e", "-c", check, folder=clone)
    assert (refused.returncode, refused.stdout) == (1, "::error::not a commit of main\n")
    git(clone, "push", "--quiet", "origin", "main")
    assert run(BASH, "-e", "-c", check, folder=clone).returncode == 0
    git(clone, "switch", "--quiet", "--detach", "HEAD~1")  # main went on after the tag
    assert run(BASH, "-e", "-c", check, folder=clone).returncode == 0


# The bundled catalogue, from the endpoint to the pull request

ACCOUNT = "123456789012"
REFUSAL = Fault.access_denied(
    f"User: arn:aws:sts::{ACCOUNT}:assumed-role/catalogue/run is not authorized to perform: "
    "bedrock:ListFoundationModels because no identity-based policy allows it"
)


def test_what_is_fetched_is_valid_and_described_for_a_pull_request(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    bedrock.fail(REFUSAL, region="eu-north-1")
    before = (ROOT / BUNDLE).read_bytes()
    done = run(BASH, ".ci/bundle", "fetch", tmp_path / "proposal")
    assert done.returncode == 0, done.stderr
    fetched = json.loads((tmp_path / "proposal" / "bundle.json").read_text(encoding="utf-8"))
    assert bundle_problems(fetched) == []
    assert fetched["metadata"]["origin"] == "api"
    said = (tmp_path / "proposal" / "pull-request.md").read_text(encoding="utf-8")
    assert "## Regions removed (1)\n- **`eu-north-1`**" in said
    sweep = said.partition("## The sweep")[2]
    assert "\n  eu-north-1: denied, AccessDeniedException\n" in sweep
    assert sweep.endswith("\n```\n")
    assert len(said) < 65_536
    kept = {
        path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "proposal").iterdir()
    }
    assert sorted(kept) == ["bundle.json", "changes.md", "pull-request.md"]
    assert not [name for name, text in kept.items() if ACCOUNT in text or "assumed-role" in text]
    assert not [text for text in (done.stdout, done.stderr) if ACCOUNT in text or "arn:" in text]
    assert (ROOT / BUNDLE).read_bytes() == before


def test_where_nobody_answers_nothing_is_proposed(bedrock: LocalBedrock, tmp_path: Path) -> None:
    bedrock.fail(REFUSAL)
    done = run(BASH, ".ci/bundle", "fetch", tmp_path / "proposal")
    assert done.returncode != 0
    assert "no data" in done.stderr
    assert ACCOUNT not in done.stdout + done.stderr
    assert list((tmp_path / "proposal").iterdir()) == []


def test_a_region_of_the_bundle_that_does_not_answer_is_not_proposed_away(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    bedrock.fail(Fault.validation("not now"), region="eu-north-1")
    done = run(BASH, ".ci/bundle", "fetch", tmp_path / "proposal")
    assert (done.returncode, done.stdout) == (4, "")
    assert "\n  eu-north-1: failed, ValidationException\n" in done.stderr
    assert list((tmp_path / "proposal").iterdir()) == []


# Stands for GitHub's program: says how it was called, and lists what $OPEN says.
GH = """#!/usr/bin/env bash
printf 'gh %s\\n' "$*" >&2
[ "$1 $2" = "pr list" ] && printf '%s' "$OPEN"
exit 0
"""


@pytest.fixture
def proposing(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Proposes a bundle from a clone of a small repository; prints what GitHub's program was asked."""
    origin, clone, programs = (tmp_path / name for name in ("origin.git", "clone", "programs"))
    (clone / ".ci").mkdir(parents=True)
    shutil.copy2(ROOT / ".ci" / "bundle", clone / ".ci")
    (clone / BUNDLE).parent.mkdir(parents=True)
    (clone / BUNDLE).write_text("the old one")
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    new_clone(origin, clone)

    def propose(content: str, still_open: str = "") -> subprocess.CompletedProcess[str]:
        proposal = tmp_path / "proposal"
        proposal.mkdir(exist_ok=True)
        (proposal / "bundle.json").write_text(content)
        (proposal / "pull-request.md").write_text("what changed")
        return run(
            BASH,
            ".ci/bundle",
            "propose",
            proposal,
            folder=clone,
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
            OPEN=still_open,
        )

    return propose


def proposed(tmp_path: Path) -> tuple[str, int]:
    """The bundle that the branch of the origin has, and the number of its commits above main."""
    origin = tmp_path / "origin.git"
    content = run("git", "show", f"bundled-data:{BUNDLE}", folder=origin).stdout
    commits = run("git", "rev-list", "main..bundled-data", folder=origin).stdout.split()
    return content, len(commits)


def asked(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What GitHub's program was asked by a proposal that went well."""
    assert done.returncode == 0, done.stderr
    return [line[3:] for line in done.stderr.splitlines() if line.startswith("gh ")]


@pytest.mark.skipif(not shutil.which("git"), reason="git commits it")
def test_a_proposal_is_one_commit_on_a_branch_and_one_pull_request(
    proposing: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    listed, created, checked = asked(proposing("a new one"))
    assert listed.startswith("pr list --head bundled-data --base main --state open ")
    title = "--title Bundled catalogue of 20"
    assert created.startswith(f"pr create --head bundled-data --base main {title}")
    assert created.endswith("/pull-request.md")
    assert checked == "workflow run ci.yml --ref bundled-data"
    assert proposed(tmp_path) == ("a new one", 1)

    listed, edited, checked = asked(proposing("a newer one", still_open="17"))
    assert edited.startswith("pr edit 17 --title ")
    assert checked == "workflow run ci.yml --ref bundled-data"
    assert proposed(tmp_path) == ("a newer one", 1)


@pytest.mark.skipif(not shutil.which("git"), reason="git commits it")
def test_what_is_there_already_is_not_proposed_and_that_is_said(
    proposing: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = proposing("the old one", still_open="17")
    assert asked(done) == []
    assert "Nothing is proposed, nothing is closed." in done.stdout


@pytest.mark.skipif(not shutil.which("git"), reason="git commits it")
def test_commits_that_are_not_on_main_are_not_proposed(
    proposing: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git(clone, "switch", "--quiet", "--create", "mine")
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "not for others")
    assert len(asked(proposing("a new one"))) == 3
    assert proposed(tmp_path) == ("a new one", 1)


@pytest.mark.skipif(not shutil.which("git"), reason="git commits it")
def test_what_somebody_else_committed_to_the_branch_is_not_overwritten(
    proposing: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    assert len(asked(proposing("a new one"))) == 3
    (clone / BUNDLE).write_text("corrected by hand")
    git(clone, "commit", "--quiet", "--all", "-m", "a correction")
    git(clone, "push", "--quiet", "origin", "bundled-data")
    done = proposing("a newer one", still_open="17")
    assert done.returncode == 1
    assert done.stderr.startswith("The last commit of bundled-data is not the bot's.")
    assert proposed(tmp_path) == ("corrected by hand", 2)


# Stands for somebody who commits to the branch while the bot does.
INTRUDER = """#!/usr/bin/env bash
git -c core.hooksPath=/dev/null push --quiet --force origin main:bundled-data
"""


@pytest.mark.skipif(not shutil.which("git"), reason="git commits it")
@pytest.mark.parametrize("is_there", [False, True])
def test_what_comes_to_the_branch_meanwhile_is_not_overwritten(
    proposing: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, is_there: bool
) -> None:
    if is_there:
        proposing("a new one")
    hook = tmp_path / "clone" / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(INTRUDER)
    hook.chmod(0o755)
    done = proposing("a newer one")
    assert done.returncode != 0
    assert "rejected" in done.stderr
    assert proposed(tmp_path) == ("the old one", 0)
