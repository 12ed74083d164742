"""Runs the Lambda examples in AWS's own runtime client, as their template sets them up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.testing import Fault
from lambda_runtime_api import LambdaError, LambdaFunction, why_not_isolated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.testing import LocalBedrock

EXAMPLES = Path(__file__).parents[2] / "examples"
TEMPLATE = EXAMPLES / "template.yaml"
SMALLEST_MEMORY_MB = 128
HAIKU, NOVA = "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "eu.amazon.nova-lite-v1:0"
PROMPT = "What is a region?"
ANSWER = f"LocalBedrock: {HAIKU} in eu-central-1 received 4 words."

pytest.importorskip("runtime_client", reason="awslambdaric has no wheel here")


@cache
def isolation_problem() -> str | None:
    return why_not_isolated()


@pytest.fixture
def _isolation() -> None:
    if problem := isolation_problem():
        pytest.skip(problem)


@cache
def template() -> dict[str, Any]:
    decoded, problems = pytest.importorskip("cfnlint.decode").decode(str(TEMPLATE))
    assert not problems
    return dict(decoded)


def resources(kind: str) -> dict[str, dict[str, Any]]:
    found = template()["Resources"].items()
    return {name: entry["Properties"] for name, entry in found if entry["Type"] == kind}


def functions() -> dict[str, dict[str, Any]]:
    return resources("AWS::Serverless::Function")


def variables(name: str) -> dict[str, str]:
    everywhere = template()["Globals"]["Function"]["Environment"]["Variables"]
    return {**everywhere, **functions()[name].get("Environment", {}).get("Variables", {})}


def request(method: str, path: str, body: Any = None) -> dict[str, Any]:
    http = {"requestContext": {"http": {"method": method}}, "rawPath": path}
    return {**http, "body": None if body is None else json.dumps(body)}


# An event of each function of the template, and what the answer to it contains.
EVENTS: dict[str, tuple[dict[str, Any], str]] = {
    "CatalogFunction": ({"model": "Claude Haiku 4.5"}, HAIKU),
    "ModelsFunction": ({"region": "eu-central-1", "provider": "Amazon"}, "Nova Lite"),
    "AnswerFunction": ({"prompt": PROMPT}, ANSWER),
    "WebFunction": (request("POST", "/answers", {"prompt": PROMPT}), ANSWER),
}
# The calls of a cold start that asks AWS: two for each region.
LISTINGS = {"CatalogFunction": 2, "ModelsFunction": 0, "AnswerFunction": 4, "WebFunction": 4}


def cold_start(
    name: str, bedrock: LocalBedrock, *, isolated: bool = False, **further: str
) -> LambdaFunction:
    environment = {**bedrock.environment(), **variables(name), **further}
    handler = functions()[name]["Handler"]
    return LambdaFunction(handler, EXAMPLES, environment, isolated=isolated)


def listings(bedrock: LocalBedrock) -> int:
    return bedrock.count("ListFoundationModels") + bedrock.count("ListInferenceProfiles")


def starts() -> Iterator[tuple[str, str]]:
    for name in EVENTS:
        if name == "ModelsFunction":
            yield name, "none"
        else:
            yield from ((name, mode) for mode in ("file", "memory", "none"))


@pytest.mark.usefixtures("_isolation")
@pytest.mark.parametrize(("name", "mode"), list(starts()))
def test_where_only_tmp_can_be_written_a_handler_starts_cold_and_goes_on_warm_in_128_mb(
    name: str, mode: str, bedrock: LocalBedrock, record_property: Any
) -> None:
    event, expected = EVENTS[name]
    with cold_start(name, bedrock, isolated=True, CATALOG_CACHE_MODE=mode) as function:
        assert expected in str(function.invoke(event))
        assert listings(bedrock) == LISTINGS[name]
        for _ in range(3):
            assert expected in str(function.invoke(event))
        assert listings(bedrock) == LISTINGS[name]
        kept = ["bedrock-catalog/bedrock_catalog.json", "bedrock-catalog/bedrock_catalog.json.lock"]
        assert function.files_in_tmp() == (kept if mode == "file" else [])
        peak = function.peak_megabytes
    print(f"{name}, cache mode {mode}: peak {peak:.1f} MB of {SMALLEST_MEMORY_MB} MB")  # noqa: T201  (shown by `-s`)
    record_property("peak_megabytes", round(peak, 1))
    assert peak < SMALLEST_MEMORY_MB


# A handler as people write it who have not thought of the file system.
UNTOLD = """
from bestehorn_llmmanager import LLMManager
manager = LLMManager(models=["Nova Lite"], regions=["eu-central-1"])
def handler(event, context):
    response = manager.converse([{"role": "user", "content": [{"text": event["prompt"]}]}])
    return response.get_content()
"""


@pytest.mark.usefixtures("_isolation")
def test_a_handler_that_says_nothing_of_caches_finds_tmp_by_itself(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    (tmp_path / "untold.py").write_text(UNTOLD)
    with LambdaFunction("untold.handler", tmp_path, bedrock.environment(), isolated=True) as run:
        assert "received 4 words" in run.invoke({"prompt": PROMPT})
        assert "bestehorn-llmmanager-cache/bedrock_catalog.json" in run.files_in_tmp()
        assert "Traceback" not in run.log


PROBE = """
import os, tempfile
def handler(event, context):
    refused = {}
    for folder in (".", os.getcwd(), os.path.expanduser("~"), "/var/tmp", os.path.dirname(os.__file__)):
        try:
            with open(os.path.join(folder, "probe"), "w"):
                refused[folder] = None
        except OSError as error:
            refused[folder] = error.strerror
    with tempfile.TemporaryFile() as file:
        refused["/tmp"] = file.write(b"1")
    return refused
"""


@pytest.mark.usefixtures("_isolation")
def test_of_an_isolated_function_really_only_tmp_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    with LambdaFunction("probe.handler", tmp_path, {}, isolated=True) as function:
        outcome = function.invoke({})
    assert outcome.pop("/tmp") == 1
    assert len(outcome) >= 4
    assert set(outcome.values()) == {"Read-only file system"}


def test_a_region_that_fails_costs_a_request_and_no_invocation(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.unavailable(), operation="Converse", region="eu-central-1")
    with cold_start("AnswerFunction", bedrock) as function:
        answer = function.invoke({"prompt": PROMPT})
    assert (answer["region"], answer["requests"]) == ("eu-west-1", 2)


def test_when_all_regions_are_silent_the_handler_still_answers_in_time(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.hang(), operation="Converse")
    with cold_start("WebFunction", bedrock) as function:
        function.wait_for_initialisation()
        event = request("POST", "/answers", {"prompt": PROMPT})
        answer = function.invoke(event, seconds=2.2)
        [line] = [line for line in function.log.splitlines() if line.startswith("{")]
    assert answer["statusCode"] == 503
    record = json.loads(line)
    assert 1.0 <= record["seconds"] < 2.2
    assert PROMPT not in line


def test_regions_that_do_not_list_their_models_do_not_keep_a_function_from_answering(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.access_denied(), operation="ListFoundationModels")
    bedrock.fail(Fault.access_denied(), operation="ListInferenceProfiles")
    with cold_start("AnswerFunction", bedrock) as function:
        assert function.invoke({"prompt": PROMPT})["answer"] == ANSWER
        assert "using the bundled model catalogue" in function.log


def test_a_model_that_does_not_exist_is_an_error_of_the_initialisation(
    bedrock: LocalBedrock,
) -> None:
    with (
        cold_start("AnswerFunction", bedrock, MODELS="Nova Light") as function,
        pytest.raises(LambdaError, match="Nova Lite") as caught,
    ):
        function.wait_for_initialisation()
    assert caught.value.payload["errorType"] == "ConfigurationError"


def test_an_invocation_that_no_target_answers_is_an_error_without_the_prompt(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse")
    with cold_start("AnswerFunction", bedrock) as function:
        with pytest.raises(LambdaError) as caught:
            function.invoke({"prompt": PROMPT})
        assert PROMPT not in function.log
        bedrock.clear_faults()
        assert function.invoke({"prompt": PROMPT})["answer"]
    assert caught.value.payload["errorType"] == "RetryExhaustedError"
    assert PROMPT not in json.dumps(caught.value.payload)


def test_the_template_passes_cfn_lint() -> None:
    pytest.importorskip("cfnlint")
    command = [
        sys.executable,
        "-c",
        "import cfnlint.runner, sys; sys.exit(cfnlint.runner.main())",
        str(TEMPLATE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_each_function_of_the_template_is_tried_and_all_cache_modes_are_shown() -> None:
    assert functions().keys() == EVENTS.keys()
    modes = {variables(name).get("CATALOG_CACHE_MODE", "none") for name in functions()}
    assert modes == {mode.value for mode in CacheMode}


def test_the_policies_allow_every_target_of_the_template_and_nothing_else(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse")
    with cold_start("AnswerFunction", bedrock) as function, pytest.raises(LambdaError):
        function.invoke({"prompt": PROMPT})
    targets = [(region, name) for region in ("eu-central-1", "eu-west-1") for name in (HAIKU, NOVA)]
    assert [bedrock.count("Converse", *target) for target in targets] == [1, 1, 1, 1]
    assert bedrock.count("Converse") == len(targets)
    profiles = {f"arn:aws:bedrock:{region}:1:inference-profile/{name}" for region, name in targets}
    assert set(allowed("CallProfiles")) == profiles

    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    destinations = variables("AnswerFunction")["ALLOWED_DESTINATION_REGIONS"].split(", ")
    for region, name in targets:
        model = catalog.find_model(name)
        assert model is not None
        [profile] = [entry for entry in model.profiles if entry.profile_id == name]
        routes = profile.routes[region]
        assert set(routes) <= set(destinations)
        for destination in routes:
            arn = f"arn:aws:bedrock:{destination}::foundation-model/{model.model_id}"
            assert any(
                fnmatchcase(arn, pattern) for pattern in allowed("CallModelsThroughProfiles")
            )


def allowed(sid: str) -> list[str]:
    policy = resources("AWS::IAM::ManagedPolicy")["CallModels"]["PolicyDocument"]
    [statement] = [entry for entry in policy["Statement"] if entry["Sid"] == sid]
    assert statement["Action"] == "bedrock:InvokeModel"
    arns = [entry["Fn::Sub"] for entry in statement["Resource"]]
    return [
        arn.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", "1") for arn in arns
    ]


def test_the_handler_of_the_readme_answers(bedrock: LocalBedrock, tmp_path: Path) -> None:
    readme = (EXAMPLES / "LAMBDA_EXAMPLES_README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    (tmp_path / "shortest.py").write_text(code)
    with LambdaFunction("shortest.handler", tmp_path, bedrock.environment()) as function:
        assert function.invoke({"prompt": PROMPT}) == {"answer": ANSWER, "region": "eu-central-1"}


def test_the_readme_names_the_cache_modes_of_the_template() -> None:
    readme = (EXAMPLES / "LAMBDA_EXAMPLES_README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| \[(\w+)\.py\].*`(\w+)` \|$", readme, re.MULTILINE))
    assert told == {
        entry["Handler"].partition(".")[0]: variables(name).get("CATALOG_CACHE_MODE", "none")
        for name, entry in functions().items()
    }
