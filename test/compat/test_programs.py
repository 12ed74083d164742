"""Tests that programs written for 0.9.0 run unchanged, and say and send what they did.

Each of `programs` runs in a process of its own against an endpoint that its scenario prepares.
`recorded` has what it printed last, and what it sent, under 0.9.0 and now; `DIFFERENCES` names the
places where the two may differ, each with the reason. With ``LLMMANAGER_COMPAT_PYTHON``, the path of
an interpreter that has 0.9.0, the recording itself is put to the test.

``PYTHONPATH=test python test/compat/test_programs.py`` records anew, for which it needs that
variable, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader

from bestehorn_llmmanager.testing import Fault, LocalBedrock
from moto_services import moto_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bestehorn_llmmanager.testing._replies import ReceivedRequest

    Scenario = Callable[[LocalBedrock], None]

HERE = Path(__file__).parent
PROGRAMS = sorted(path.stem for path in (HERE / "programs").glob("*.py"))
VARIABLE = "LLMMANAGER_COMPAT_PYTHON"
EAST, WEST = "us-east-1", "us-west-2"
LITE = "amazon.nova-lite-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
LONGEST_TEXT = 200

USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}


def output(*blocks: dict[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": USAGE,
        "metrics": {"latencyMs": 5},
        **more,
    }


def failover(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse", model_id=f"us.{HAIKU}")
    bedrock.fail(Fault.unavailable(), operation="Converse", region=EAST, model_id=LITE)


def tool_loop(bedrock: LocalBedrock) -> None:
    uses = [
        {"toolUse": {"toolUseId": f"t{number}", "name": "get_weather", "input": {"city": city}}}
        for number, city in enumerate(["Berlin", "Atlantis"])
    ]
    bedrock.reply_with(output({"text": "Let me see."}, *uses, stop="tool_use"), times=1)
    bedrock.reply_with("In Berlin; Atlantis does not exist.")


def streaming(bedrock: LocalBedrock) -> None:
    def answer(request: ReceivedRequest) -> str:
        said = request.body["messages"][-1]
        goes_on = said["role"] == "assistant"
        return "three four five" if goes_on else "one two three four five"

    bedrock.reply_with(answer)
    bedrock.fail(
        Fault.stream_error("modelStreamErrorException", after_events=3), region=EAST, model_id=LITE
    )
    bedrock.fail(Fault.access_denied(), operation="ConverseStream", model_id=f"us.{HAIKU}")


def response_validation(bedrock: LocalBedrock) -> None:
    bedrock.reply_with("2, 3 and 5", times=1)
    bedrock.reply_with('{"primes": [2, 3, 5]}')


def prompt_caching(bedrock: LocalBedrock) -> None:
    written = {
        "cacheWriteInputTokens": 1200,
        "cacheReadInputTokens": 0,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 1200}],
    }
    bedrock.reply_with(output({"text": "No."}, usage={**USAGE, **written}), times=1)
    bedrock.reply_with(output({"text": "Yes."}, usage={**USAGE, "cacheReadInputTokens": 1200}))


def guardrails_and_errors(bedrock: LocalBedrock) -> None:
    trace = {"guardrail": {"modelOutput": ["You are."]}}
    bedrock.reply_with(
        output({"text": "Ask your agent."}, stop="guardrail_intervened", trace=trace), times=1
    )
    bedrock.fail(Fault.access_denied(), operation="Converse", after=1, times=2)
    bedrock.fail(
        Fault.validation("The guardrail identifier or version provided does not exist."),
        operation="Converse",
        after=1,
        times=1,
    )


def reasoning(bedrock: LocalBedrock) -> None:
    thoughts = {"reasoningText": {"text": "7 times 13.", "signature": "c2lnbmVk"}}
    thinking = output({"reasoningContent": thoughts}, {"text": "No."})

    def answer(request: ReceivedRequest) -> str | dict[str, Any]:
        return thinking if len(request.body["messages"]) == 1 else "Yes."

    bedrock.reply_with(answer)


def parameters(bedrock: LocalBedrock) -> None:
    bedrock.fail(
        Fault.validation("Unsupported parameter: #: extraneous key [flavour] is not permitted"),
        operation="Converse",
        after=3,
        times=1,
    )


SCENARIOS: dict[str, Scenario] = {
    "failover": failover,
    "guardrails_and_errors": guardrails_and_errors,
    "parameters": parameters,
    "prompt_caching": prompt_caching,
    "reasoning": reasoning,
    "response_validation": response_validation,
    "simple_question": lambda bedrock: bedrock.reply_with("Paris."),
    "streaming": streaming,
    "structured_output": lambda bedrock: bedrock.reply_with('{"name": "Ada", "age": 27}'),
    "tool_loop": tool_loop,
}

# Members of the API without which a program does not run; an old botocore may lack them.
NEEDS = {
    "parameters": "serviceTier",
    "prompt_caching": "ttl",
    "reasoning": "reasoningContent",
    "structured_output": "outputConfig",
}

# Why something is not what it was (the number is that of the contract's defect) -> where, by
# program: a place with all that is below it.
DIFFERENCES: dict[str, dict[str, tuple[str, ...]]] = {
    "9: a parameter that is known to be refused is left out, instead of failing": {
        "parameters": ("printed.refused again", "sent[5]"),
    },
    "10: a request is never sent without its guardrail": {
        "guardrails_and_errors": ("printed.no such guardrail", "sent[4]"),
    },
    "14: what one manager prefers is not what another one learns": {
        "access_methods": ("printed.after_preference.methods", "sent[8].model_id"),
    },
    "15: every second call goes to the global profile, and says so": {
        "access_methods": ("printed.half.methods", "sent[9].model_id", "sent[11].model_id"),
    },
    "17: the profile's id, not the model's name": {
        "access_methods": (
            "printed.plain.profiles",
            "printed.rotate.profiles",
            "printed.preferred.profiles",
            "printed.after_preference.profiles",
            "printed.half.profiles",
        ),
    },
    "19: a refused answer is asked for again, of the same target, and reported": {
        "response_validation": (
            "printed.good.attempts",
            "printed.good.errors",
            "printed.good.failures",
            "printed.good.last_error",
            "printed.good.metrics",
            "printed.good.region",
            "printed.good.validations",
            "sent[1].region",
            "sent[3].region",
            "sent[4]",
            "sent[5]",
        ),
    },
    "20: parameters that are left out are reported, and no others are left out": {
        "parameters": (
            "printed.refused.final",
            "printed.refused.had_removed",
            "printed.refused.original",
            "printed.refused.removed",
            "sent[4].body.additionalModelRequestFields",
        ),
    },
    "23: the right share of cached tokens is there as well": {
        "prompt_caching": (
            "printed.automatic[0].efficiency.cached_share",
            "printed.automatic[1].efficiency.cached_share",
        ),
    },
    "25: a schema becomes what the service takes": {
        "structured_output": (
            "printed.failure",
            "sent[0].body.outputConfig",
            "sent[0].body.system",
        ),
    },
    "27: the messages of the caller stay as they were": {
        "streaming": (
            "printed.Nova Lite.messages_untouched",
            "sent[4].body.messages[0].content[0].text",
        ),
    },
    "28: reasoning is no part of the answer": {
        "reasoning": ("printed.streamed.chunks", "printed.streamed.content"),
    },
    "31: the access method of a stream is reported": {
        "streaming": (
            "printed.Claude Haiku 4.5.access_method",
            "printed.Nova Lite.access_method",
            "printed.Nova Micro.access_method",
        ),
    },
    "32: after a break the answer goes on, without repetition": {
        "streaming": (
            "printed.Nova Lite.chunks",
            "printed.Nova Lite.content",
            "printed.Nova Lite.counts",
            "printed.Nova Lite.shown.one two t",
            "printed.Nova Lite.text_form",
            "printed.Nova Lite.usage",
            "sent[4].body.messages[1]",
        ),
    },
    "33: a stream that never begins is a failure": {
        "streaming": (
            "printed.Claude Haiku 4.5.counts.stream_errors",
            "printed.Claude Haiku 4.5.errors",
            "printed.Claude Haiku 4.5.exceptions",
            "printed.Claude Haiku 4.5.recovery.recovered_exceptions",
            "printed.Claude Haiku 4.5.recovery.target_switches",
            "printed.Claude Haiku 4.5.success",
            "printed.Claude Haiku 4.5.switches",
            "printed.Claude Haiku 4.5.text_form",
        ),
    },
    "36: documents get names that the service takes": {
        "image_and_document": (
            "printed.failure",
            "printed.warnings",
            "sent[0].body.messages[0].content[2].document.name",
            "sent[0].body.messages[0].content[4].document.name",
            "sent[0].status",
            "sent[1]",
        ),
    },
    "39: a long system prompt is cached": {
        "prompt_caching": ("sent[0].body.system", "sent[1].body.system"),
    },
    "41: extended context goes by the model, not by its spelling": {
        "parameters": ("sent[0].body.additionalModelRequestFields",),
    },
    "69: that a region serves a model through profiles only is not dropped": {
        "access_methods": ("printed.access[3]",),
    },
}


def outcome(
    python: str, program: str, bedrock: LocalBedrock, environment: Mapping[str, str]
) -> dict[str, Any]:
    """What a program prints in its last line, and what it sends to models."""
    bedrock.reset()
    if prepare := SCENARIOS.get(program):
        prepare(bedrock)
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [python, "-B", str(HERE / "programs" / f"{program}.py")],
        env={**inherited, **environment, **bedrock.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert bedrock.errors == ()
    sent = [
        {
            "operation": request.operation,
            "region": request.region,
            "model_id": request.model_id,
            "status": request.status,
            "body": shortened(request.body),
        }
        for request in bedrock.requests
        if request.operation.startswith("Converse")
    ]
    return {"printed": json.loads(done.stdout.splitlines()[-1]), "sent": sent}


def shortened(value: Any) -> Any:
    """The same without long texts."""
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"<{len(value)} characters>"
    return value


def recorded(program: str, version: str) -> dict[str, Any]:
    text = (HERE / "recorded" / f"{program}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)[version]
    return found


def places(value: Any, place: str = "") -> dict[str, Any]:
    """Every value that holds no other, by its place; empty lists and dicts count as values."""
    if isinstance(value, dict) and value:
        children = [(f"{place}.{name}".strip("."), item) for name, item in value.items()]
    elif isinstance(value, list) and value:
        children = [(f"{place}[{index}]", item) for index, item in enumerate(value)]
    else:
        return {place: value}
    return {deep: leaf for where, item in children for deep, leaf in places(item, where).items()}


def differences(before: Any, now: Any) -> set[str]:
    old, new = places(before), places(now)
    nothing = object()
    return {p for p in {*old, *new} if old.get(p, nothing) != new.get(p, nothing)}


def lies_at(place: str, prefix: str) -> bool:
    return place == prefix or place.startswith((f"{prefix}.", f"{prefix}["))


def home_in(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}


def old_home_in(folder: Path, sts: str) -> dict[str, str]:
    """The same for 0.9.0, which must not find the package of today."""
    return {**home_in(folder), "AWS_ENDPOINT_URL_STS": sts, "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home with a cache that the programs of this module share."""
    return home_in(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalBedrock]:
    with an_endpoint() as bedrock:
        yield bedrock


@pytest.fixture(scope="module")
def old_python() -> str:
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no interpreter that has 0.9.0")
    return python


@contextmanager
def an_endpoint() -> Iterator[LocalBedrock]:
    """Bedrock at a time in which all models that the programs call were alive."""
    snapshot = HERE.parent / "data" / "bedrock_api_snapshot.json.gz"
    then = datetime(2026, 11, 1, tzinfo=timezone.utc)
    with LocalBedrock(snapshot, record_bodies=True, now=lambda: then) as bedrock:
        yield bedrock


@pytest.fixture(scope="module")
def old_environment(
    old_python: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The same for 0.9.0, which asks an STS who it is before it asks a model."""
    with moto_server() as url:
        yield old_home_in(tmp_path_factory.mktemp("old-home"), url)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_says_and_sends_what_is_recorded(
    program: str, endpoint: LocalBedrock, own_environment: dict[str, str]
) -> None:
    model = create_loader().load_service_model("bedrock-runtime", "service-2")
    needed = NEEDS.get(program)
    if needed and f'"{needed}"' not in json.dumps(model):
        pytest.skip(f"this botocore has no `{needed}`")
    assert outcome(sys.executable, program, endpoint, own_environment) == recorded(program, "now")


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_what_was_wrong_differs_from_0_9_0(program: str) -> None:
    found = differences(recorded(program, "0.9.0"), recorded(program, "now"))
    listed = [place for where in DIFFERENCES.values() for place in where.get(program, ())]
    assert {place for place in found if not any(lies_at(place, each) for each in listed)} == set()
    assert {each for each in listed if not any(lies_at(place, each) for place in found)} == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_0_9_0_says_and_sends_what_is_recorded(
    program: str, endpoint: LocalBedrock, old_python: str, old_environment: dict[str, str]
) -> None:
    assert outcome(old_python, program, endpoint, old_environment) == recorded(program, "0.9.0")


def record() -> None:
    """Write what the programs say and send now, under 0.9.0 and here."""
    with (
        an_endpoint() as bedrock,
        moto_server() as sts,
        tempfile.TemporaryDirectory() as here,
        tempfile.TemporaryDirectory() as there,
    ):
        own = home_in(Path(here))
        old = old_home_in(Path(there), sts)
        for program in PROGRAMS:
            found = {
                "0.9.0": outcome(os.environ[VARIABLE], program, bedrock, old),
                "now": outcome(sys.executable, program, bedrock, own),
            }
            text = json.dumps(found, indent=1, ensure_ascii=False)
            (HERE / "recorded" / f"{program}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    record()
