"""Tests what each target is sent of one request."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterBuilder
from bestehorn_llmmanager.bedrock.builders.request_features import features_used
from bestehorn_llmmanager.bedrock.cache.cache_point_manager import CachePointManager
from bestehorn_llmmanager.bedrock.calls.learning import Learned
from bestehorn_llmmanager.bedrock.calls.preparation import Preparation, Prepared
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
IMAGE = {"image": {"format": "png", "source": {"bytes": b"png"}}}
POINT = {"cachePoint": {"type": "default"}}
TEXT = {"text": "What is this?"}
LONG = {"text": "word " * 1_200}
TOOLS = {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}
GUARDRAIL = {"guardrailIdentifier": "g", "guardrailVersion": "1"}
ONE = Target("a", "r1", CLAUDE, (Way("direct", CLAUDE),), cache_min_tokens=1024)
ELSEWHERE = Target("a", "r2", CLAUDE, (Way("direct", CLAUDE),), cache_min_tokens=1024)
OTHER = Target("b", "r1", "b", (Way("direct", "b"),))


def user(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def preparation(
    request: dict[str, Any], learned: Learned | None = None, **more: Any
) -> Preparation:
    return Preparation(request, learned or Learned(), parameters=ParameterBuilder(), **more)


def caching(**options: Any) -> CachePointManager:
    return CachePointManager(CacheConfig(enabled=True, **options))


def test_a_request_that_nothing_changes_is_sent_as_it_is() -> None:
    request = {"messages": user(TEXT), "additionalModelRequestFields": {"top_k": 5}}
    learned = Learned()
    learned.refuses_parameters("b", ["top_k"])
    learned.lacks_feature("c", "tool_use")
    prepared = preparation(request, learned).for_target(ONE)
    assert prepared == Prepared(request, {"top_k": 5})
    assert prepared.request is request


def test_parameters_that_a_model_refused_are_left_out_for_it_alone() -> None:
    fields = {"top_k": 5, "foo": 1, "bar": 2}
    request = {"messages": user(TEXT), "additionalModelRequestFields": fields}
    learned = Learned()
    learned.refuses_parameters(CLAUDE, ["foo"])
    learned.refuses_parameters(CLAUDE, ["bar", "baz"])
    prepared = preparation(request, learned)
    changed = prepared.for_target(ONE)
    assert changed == Prepared(
        {"messages": user(TEXT), "additionalModelRequestFields": {"top_k": 5}},
        fields,
        ("foo", "bar"),
    )
    assert changed.fields == {"top_k": 5}
    assert prepared.for_target(ELSEWHERE) == changed
    assert prepared.for_target(OTHER).request is request


def test_no_empty_member_is_left_behind() -> None:
    learned = Learned()
    learned.refuses_parameters("b", ["foo"])
    request = {"messages": user(TEXT), "additionalModelRequestFields": {"foo": 1}}
    prepared = preparation(request, learned).for_target(OTHER)
    assert prepared == Prepared({"messages": user(TEXT)}, {"foo": 1}, ("foo",))
    assert prepared.fields == {}


def test_what_is_learned_in_between_counts_at_once() -> None:
    request = {"messages": user(TEXT), "additionalModelRequestFields": {"foo": 1}}
    learned = Learned()
    prepared = preparation(request, learned)
    assert prepared.for_target(OTHER).fields == {"foo": 1}
    learned.refuses_parameters("b", ["foo"])
    assert prepared.for_target(OTHER).fields == {}


def test_the_config_of_a_model_makes_its_additional_fields() -> None:
    request = {"messages": user(TEXT), "additionalModelRequestFields": {"top_k": 5}}
    config = ModelSpecificConfig(enable_extended_context=True, custom_fields={"foo": 1})
    prepared = preparation(request, model_specific_config=config)
    assert prepared.for_target(OTHER).fields == {"top_k": 5, "foo": 1}
    extended = prepared.for_target(ONE).fields
    assert extended == {"top_k": 5, "foo": 1, "anthropic_beta": ["context-1m-2025-08-07"]}
    assert request["additionalModelRequestFields"] == {"top_k": 5}


@pytest.mark.parametrize(
    ("feature", "block", "last"),
    [
        ("image_processing", IMAGE, {"b"}),
        # A model that does not cache answers as well as any.
        ("prompt_caching", POINT, set()),
    ],
)
def test_a_feature_that_a_model_lacks_is_left_out_for_it_alone(
    feature: str, block: dict[str, Any], last: set[str]
) -> None:
    learned = Learned()
    learned.lacks_feature("b", feature)
    prepared = preparation({"messages": user(TEXT, block)}, learned)
    assert prepared.lacks("b") is bool(last)
    assert prepared.for_target(OTHER) == Prepared(
        {"messages": user(TEXT)}, disabled_features=(feature,)
    )
    assert prepared.for_target(ONE).request == {"messages": user(TEXT, block)}


def test_several_features_and_parameters_go_together() -> None:
    learned = Learned()
    for feature in ("tool_use", "image_processing", "video_processing"):
        learned.lacks_feature("b", feature)
    learned.refuses_parameters("b", ["foo"])
    request = {
        "messages": user(TEXT, IMAGE),
        "toolConfig": TOOLS,
        "guardrailConfig": GUARDRAIL,
        "additionalModelRequestFields": {"foo": 1},
    }
    prepared = preparation(request, learned).for_target(OTHER)
    assert prepared == Prepared(
        {"messages": user(TEXT), "guardrailConfig": GUARDRAIL},
        {"foo": 1},
        ("foo",),
        ("image_processing", "tool_use"),
    )


def test_models_that_lack_what_the_request_does_not_use_are_as_good_as_any() -> None:
    learned = Learned()
    learned.lacks_feature("b", "image_processing")
    assert preparation({"messages": user(TEXT)}, learned).lacks("b") is False


def test_what_would_ask_something_else_is_not_left_out() -> None:
    learned = Learned()
    learned.lacks_feature("b", "image_processing")
    request = {"messages": user(IMAGE)}
    prepared = preparation(request, learned)
    assert not prepared.can_do_without("image_processing")
    assert prepared.for_target(OTHER) == Prepared(request)


RESULT = {"toolResult": {"toolUseId": "1", "content": [IMAGE]}}
CALL = {"toolUse": {"toolUseId": "1", "name": "t", "input": {}}}


@pytest.mark.parametrize(
    ("request_", "feature", "can"),
    [
        ({"messages": user(TEXT, IMAGE)}, "image_processing", True),
        ({"messages": user(TEXT)}, "image_processing", False),
        ({"messages": user(TEXT, IMAGE)}, "document_processing", False),
        ({"messages": user(TEXT), "toolConfig": TOOLS}, "tool_use", True),
        ({"messages": user(TEXT), "guardrailConfig": GUARDRAIL}, "tool_use", False),
        # Refused may be the image in the result of the tool alone.
        (
            {
                "messages": [
                    *user(TEXT, IMAGE),
                    {"role": "assistant", "content": [CALL]},
                    *user(RESULT),
                ],
                "toolConfig": TOOLS,
            },
            "image_processing",
            False,
        ),
    ],
)
def test_whether_a_request_can_do_without_a_feature(
    request_: dict[str, Any], feature: str, can: bool
) -> None:
    assert preparation(request_).can_do_without(feature) is can


# --- cache points --------------------------------------------------------------------------------------


def test_cache_points_are_put_in_where_the_model_takes_them() -> None:
    request = {"messages": user(LONG, TEXT)}
    prepared = preparation(request, cache_points=caching())
    pointed = prepared.for_target(ONE)
    assert pointed.request == {"messages": user(LONG, POINT, TEXT)}
    assert pointed.has_points
    llama = Target("l", "r1", "meta.llama3-1-8b-instruct-v1:0", (Way("direct", "l"),))
    assert prepared.for_target(llama) == Prepared(request)
    assert request == {"messages": user(LONG, TEXT)}


@pytest.mark.parametrize("cache_points", [None, caching()])
def test_a_target_that_refuses_cache_points_gets_none_not_even_the_callers(
    cache_points: CachePointManager | None,
) -> None:
    request = {"messages": user(LONG, POINT, TEXT), "system": [LONG, POINT]}
    prepared = preparation(request, cache_points=cache_points)
    assert prepared.leave_out_cache_points(ONE)
    assert not prepared.leave_out_cache_points(ONE)
    assert prepared.for_target(ONE) == Prepared(
        {"messages": user(LONG, TEXT), "system": [LONG]}, disabled_features=("prompt_caching",)
    )
    assert prepared.for_target(ELSEWHERE).request["system"] == [LONG, POINT]


def test_points_that_were_taken_out_are_no_points() -> None:
    points = caching()
    points.refused(CLAUDE, "r1")
    prepared = preparation({"messages": user(LONG, POINT, TEXT)}, cache_points=points)
    assert prepared.for_target(ONE) == Prepared(
        {"messages": user(LONG, TEXT)}, disabled_features=("prompt_caching",)
    )
    assert prepared.for_target(ELSEWHERE).has_points


def test_points_of_ours_that_are_refused_are_no_feature_of_the_request() -> None:
    request = {"messages": user(LONG, TEXT)}
    prepared = preparation(request, cache_points=caching())
    assert prepared.for_target(ONE).has_points
    prepared.leave_out_cache_points(ONE)
    assert prepared.for_target(ONE) == Prepared(request)


# --- laws ------------------------------------------------------------------------------------------------

FEATURES = [
    "image_processing",
    "document_processing",
    "video_processing",
    "audio_processing",
    "tool_use",
    "prompt_caching",
]
GUARDED = {"guardContent": {"text": {"text": "g"}}}
blocks: st.SearchStrategy[dict[str, Any]] = st.sampled_from([TEXT, IMAGE, POINT, LONG, GUARDED])
messages = st.lists(blocks, min_size=1, max_size=5).map(lambda some: user(*some, TEXT))
requests = st.fixed_dictionaries(
    {"messages": messages},
    optional={
        "toolConfig": st.just(TOOLS),
        "guardrailConfig": st.just(GUARDRAIL),
        "system": st.just([LONG, POINT]),
        "additionalModelRequestFields": st.dictionaries(
            st.sampled_from(["foo", "bar", "top_k"]), st.integers(), min_size=1
        ),
    },
)


@given(
    request=requests,
    lacking=st.sets(st.sampled_from(FEATURES)),
    refused=st.sets(st.sampled_from(["foo", "bar"])),
    cached=st.booleans(),
    without=st.booleans(),
)
def test_whatever_is_left_out_the_question_and_the_guardrail_stay_and_nothing_is_modified(
    request: dict[str, Any], lacking: set[str], refused: set[str], cached: bool, without: bool
) -> None:
    before = copy.deepcopy(request)
    learned = Learned()
    for feature in lacking:
        learned.lacks_feature(CLAUDE, feature)
    learned.refuses_parameters(CLAUDE, refused)
    prepared = preparation(request, learned, cache_points=caching() if cached else None)
    if without:
        prepared.leave_out_cache_points(ONE)
    sent = prepared.for_target(ONE)
    assert request == before
    assert sent.request.get("guardrailConfig") == before.get("guardrailConfig")
    assert TEXT in sent.request["messages"][-1]["content"]
    contents = [each["messages"][0]["content"] for each in (before, sent.request)]
    assert contents[0].count(GUARDED) == contents[1].count(GUARDED)
    wanted = before.get("additionalModelRequestFields", {})
    assert {*sent.fields, *sent.removed_parameters} == set(wanted)
    assert refused.isdisjoint(sent.fields)
    assert set(sent.disabled_features) <= {*lacking, "prompt_caching"}
    missed = set(sent.disabled_features) - {"prompt_caching"}
    assert prepared.lacks(CLAUDE) is bool(missed)
    if "prompt_caching" in sent.disabled_features:
        assert "prompt_caching" not in features_used(sent.request)
