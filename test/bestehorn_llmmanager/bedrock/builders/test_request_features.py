"""Tests which features a request is seen to use, and what is left of it without one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.builders.request_features import (
    REMOVABLE_FEATURES,
    features_used,
    without_feature,
)
from bestehorn_llmmanager.bedrock.validators.converse_request import check_request

TEXT = {"text": "What is it?"}
MORE = {"text": "And that?"}
ANSWER = {"role": "assistant", "content": [{"text": "It is a cat."}]}
IMAGE = {"image": {"format": "png", "source": {"bytes": b"png"}}}
DOCUMENT = {"document": {"format": "pdf", "name": "d", "source": {"bytes": b"pdf"}}}
VIDEO = {"video": {"format": "mp4", "source": {"bytes": b"mp4"}}}
AUDIO = {"audio": {"format": "mp3", "source": {"bytes": b"mp3"}}}
POINT = {"cachePoint": {"type": "default"}}
GUARD = {"guardContent": {"text": TEXT}}
TOOL = {"toolSpec": {"name": "look_up", "inputSchema": {"json": {}}}}
TOOL_USE = {"toolUse": {"toolUseId": "t1", "name": "look_up", "input": {"q": "ß"}}}
ADDITION = {"toolAddition": {"tool": {"name": "look_up"}}}
REMOVAL = {"toolRemoval": {"tool": {"name": "look_up"}}}
MEDIA = {
    "image_processing": IMAGE,
    "document_processing": DOCUMENT,
    "video_processing": VIDEO,
    "audio_processing": AUDIO,
}
NOTHING_TO_SHOW = {"text": "(The result is of a kind that cannot be shown.)"}


def result(*content: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": "t1", "content": list(content)}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def system(*blocks: Any) -> dict[str, Any]:
    return {"role": "system", "content": list(blocks)}


def asking(*messages: Any, **members: Any) -> dict[str, Any]:
    return {"messages": list(messages), **members}


def messages_without(feature: str, *messages: Any) -> Any:
    request = without_feature(asking(*messages), feature)
    return None if request is None else request["messages"]


# --- what is used ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "features"),
    [
        (asking(user(TEXT), system=[TEXT], inferenceConfig={"maxTokens": 1}), set()),
        (asking(user(TEXT, IMAGE)), {"image_processing"}),
        (asking(user(TEXT, DOCUMENT)), {"document_processing"}),
        (asking(user(TEXT, VIDEO)), {"video_processing"}),
        (asking(user(TEXT, AUDIO)), {"audio_processing"}),
        (asking(user(TEXT), ANSWER, user(result(TEXT, IMAGE))), {"tool_use", "image_processing"}),
        (asking(user(TEXT), toolConfig={"tools": [TOOL]}), {"tool_use"}),
        (asking(user(TEXT), assistant(TOOL_USE)), {"tool_use"}),
        (asking(system(ADDITION), user(TEXT)), {"tool_use"}),
        (asking(system(REMOVAL), user(TEXT)), {"tool_use"}),
        (asking(user(TEXT, POINT)), {"prompt_caching"}),
        (asking(user(TEXT), system=[TEXT, POINT]), {"prompt_caching"}),
        (asking(user(TEXT), toolConfig={"tools": [TOOL, POINT]}), {"prompt_caching", "tool_use"}),
        (asking(user(TEXT), guardrailConfig={"guardrailIdentifier": "g"}), {"guardrails"}),
        (asking(user(GUARD)), {"guardrails"}),
        (asking(user(TEXT), system=[GUARD]), {"guardrails"}),
        (asking(user(TEXT, *MEDIA.values())), set(MEDIA)),
        ({"messages": ({"role": "user", "content": (TEXT, IMAGE)},)}, {"image_processing"}),
        ({}, set()),
        ({"messages": None, "toolConfig": None, "system": "x"}, set()),
        (
            {"messages": [None, {"content": "image"}, user(None, "image", {"toolResult": 1})]},
            {"tool_use"},
        ),
    ],
)
def test_the_features_that_a_request_uses_are_seen(
    request_: dict[str, Any], features: set[str]
) -> None:
    assert features_used(request_) == features


# --- what is left without -------------------------------------------------------------------------------


@pytest.mark.parametrize("feature", MEDIA)
def test_without_a_medium_its_blocks_go_and_all_others_stay(feature: str) -> None:
    others = [block for name, block in MEDIA.items() if name != feature]
    content = [TEXT, IMAGE, DOCUMENT, VIDEO, AUDIO, POINT, MORE]
    request = without_feature(asking(user(*content), ANSWER, user(MORE)), feature)
    assert request is not None
    kept = [b for b in content if b is not MEDIA[feature]]
    assert request == asking(user(*kept), ANSWER, user(MORE))
    assert features_used(request) == {
        "prompt_caching",
        *(name for name, block in MEDIA.items() if block in others),
    }


def test_a_medium_goes_from_the_results_of_tools_which_stay() -> None:
    history = [user(TEXT), assistant(TOOL_USE)]
    assert messages_without("image_processing", *history, user(result(IMAGE, TEXT, VIDEO))) == [
        *history,
        user(result(TEXT, VIDEO)),
    ]
    assert messages_without("image_processing", *history, user(result(IMAGE))) == [
        *history,
        user(result(NOTHING_TO_SHOW)),
    ]
    assert messages_without("image_processing", *history, user(result())) == [
        *history,
        user(result()),
    ]


def test_a_message_that_becomes_empty_goes_and_roles_still_alternate() -> None:
    assert messages_without(
        "image_processing", user(TEXT), assistant(IMAGE), user(MORE), ANSWER, user(TEXT)
    ) == [user(TEXT, MORE), ANSWER, user(TEXT)]


def test_a_message_of_which_nothing_but_a_cache_point_is_left_goes() -> None:
    assert messages_without(
        "image_processing", user(TEXT), assistant(IMAGE, POINT), user(MORE)
    ) == [user(TEXT, MORE)]
    assert messages_without("image_processing", user(POINT), user(MORE, IMAGE)) == [
        user(POINT),
        user(MORE),
    ]


def test_neighbours_that_the_caller_made_stay_apart() -> None:
    assert messages_without(
        "image_processing", user(TEXT), assistant(IMAGE), user(MORE), user(TEXT)
    ) == [user(TEXT, MORE), user(TEXT)]
    assert messages_without("image_processing", user(TEXT), user(MORE, IMAGE)) == [
        user(TEXT),
        user(MORE),
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [user(IMAGE)],
        [user(IMAGE), user(IMAGE, POINT)],
        [user(TEXT), ANSWER, user(IMAGE)],
        [user(TEXT), ANSWER, user(IMAGE), system(TEXT)],
        [user(IMAGE), ANSWER, user(MORE)],
        [system(TEXT), user(IMAGE), ANSWER, user(MORE)],
    ],
)
def test_a_request_that_would_ask_something_else_is_none(messages: list[Any]) -> None:
    assert messages_without("image_processing", *messages) is None


def test_a_system_message_may_go_from_any_place() -> None:
    assert messages_without(
        "tool_use", system(ADDITION), user(TEXT), ANSWER, user(MORE), system(REMOVAL)
    ) == [user(TEXT), ANSWER, user(MORE)]


def test_without_tools_the_configuration_goes_and_the_history_becomes_text() -> None:
    request = asking(
        user(TEXT),
        assistant(MORE, TOOL_USE),
        user(result({"text": "a cat"}, {"json": {"legs": 4}}, {"text": " "}, IMAGE), MORE),
        toolConfig={"tools": [TOOL], "toolChoice": {"auto": {}}},
        system=[TEXT],
    )
    left = without_feature(request, "tool_use")
    assert left == asking(
        user(TEXT),
        assistant(MORE, {"text": '[Tool call t1: look_up({"q": "ß"})]'}),
        user(
            {"text": "[Result of tool call t1:]"},
            {"text": "a cat"},
            {"text": '{"legs": 4}'},
            IMAGE,
            MORE,
        ),
        system=[TEXT],
    )
    check_request(left)
    assert features_used(left) == {"image_processing"}


def test_a_question_that_is_nothing_but_the_result_of_a_tool_survives_as_text() -> None:
    messages = [user(TEXT), assistant(TOOL_USE), user(result())]
    assert messages_without("tool_use", *messages)[-1] == user(
        {"text": "[Result of tool call t1:]"}
    )


def test_without_prompt_caching_cache_points_go_from_everywhere() -> None:
    request = asking(
        user(TEXT, POINT, MORE, POINT),
        ANSWER,
        user(MORE),
        system=[TEXT, POINT],
        toolConfig={"tools": [TOOL, POINT], "toolChoice": {"auto": {}}},
    )
    left = without_feature(request, "prompt_caching")
    assert left == asking(
        user(TEXT, MORE),
        ANSWER,
        user(MORE),
        system=[TEXT],
        toolConfig={"tools": [TOOL], "toolChoice": {"auto": {}}},
    )
    assert "cachePoint" not in json.dumps(left)


def test_a_system_that_was_nothing_but_a_cache_point_goes() -> None:
    request = asking(user(TEXT), system=[POINT])
    assert without_feature(request, "prompt_caching") == asking(user(TEXT))


@pytest.mark.parametrize("feature", sorted(REMOVABLE_FEATURES))
def test_a_request_without_the_feature_is_the_same_and_shares_its_messages(feature: str) -> None:
    request = asking(user(TEXT), ANSWER, user(MORE), guardrailConfig={"guardrailIdentifier": "g"})
    left = without_feature(request, feature)
    assert left == request
    assert left is not request
    assert all(a is b for a, b in zip(left["messages"], request["messages"], strict=True))


@pytest.mark.parametrize("feature", sorted(REMOVABLE_FEATURES))
def test_a_request_of_a_prompt_has_no_messages_to_lose(feature: str) -> None:
    request = {"promptVariables": {"a": {"text": "b"}}}
    assert without_feature(request, feature) == request


@pytest.mark.parametrize("feature", sorted(REMOVABLE_FEATURES))
def test_what_is_given_is_not_changed_and_the_rest_is_shared(feature: str) -> None:
    request = asking(
        user(TEXT, *MEDIA.values(), POINT),
        assistant(MORE, TOOL_USE),
        user(TEXT, result(IMAGE, DOCUMENT, VIDEO), POINT),
        system=[TEXT, POINT],
        toolConfig={"tools": [TOOL, POINT]},
        guardrailConfig={"guardrailIdentifier": "g"},
    )
    before = copy.deepcopy(request)
    left = without_feature(request, feature)
    assert request == before
    assert left is not None
    assert feature not in features_used(left)
    assert left["guardrailConfig"] is request["guardrailConfig"]
    if feature not in {"prompt_caching", "tool_use"}:
        assert left["toolConfig"] is request["toolConfig"]
    assert left["messages"][0]["content"][0] is TEXT
    check_request(left)


def test_a_guardrail_is_never_removed() -> None:
    request = asking(user(TEXT, GUARD), guardrailConfig={"guardrailIdentifier": "g"})
    with pytest.raises(ValueError, match="never sent without its guardrail"):
        without_feature(request, "guardrails")
    assert "guardrails" not in REMOVABLE_FEATURES


@pytest.mark.parametrize("feature", ["streaming", "", "Tool_Use"])
def test_a_feature_that_there_is_not_is_refused_with_those_that_there_are(feature: str) -> None:
    with pytest.raises(ValueError, match=r"no feature .*audio_processing, document_processing"):
        without_feature(asking(user(TEXT)), feature)
