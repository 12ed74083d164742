"""Tests where cache points go, and what is learned from how they fare."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import signal
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.cache import CachePointManager
from bestehorn_llmmanager.bedrock.cache.request_points import (
    Place,
    has_points,
    points_in,
    without_points,
)
from bestehorn_llmmanager.bedrock.models.cache_structures import (
    CacheConfig,
    CacheErrorHandling,
    CachePointInfo,
    CacheStrategy,
)
from bestehorn_llmmanager.bedrock.tracking import (
    AccessMethodTracker,
    ParameterCompatibilityTracker,
)

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

AGGRESSIVE, CUSTOM = CacheStrategy.AGGRESSIVE, CacheStrategy.CUSTOM
CLAUDE = "anthropic.claude-sonnet-4-6"
OLD_CLAUDE = "anthropic.claude-sonnet-4-20250514-v1:0"
NOVA = "amazon.nova-lite-v1:0"
REGION = "eu-west-1"

LONG, SHORT = {"text": "x" * 4000}, {"text": "q"}
IMAGE = {"image": {"format": "png", "source": {"bytes": b"1"}}}
PDF = {"document": {"format": "pdf", "name": "a", "source": {"bytes": b"1"}}}
DOCX = {"document": {"format": "docx", "name": "b", "source": {"bytes": b"1"}}}
VIDEO = {"video": {"format": "mp4", "source": {"bytes": b"1"}}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
TOOL_USE = {"toolUse": {"toolUseId": "1", "name": "clock", "input": {}}}
TOOL_RESULT = {"toolResult": {"toolUseId": "1", "content": [{"text": "noon"}]}}
POINT = {"cachePoint": {"type": "default"}}
HOUR = {"cachePoint": {"type": "default", "ttl": "1h"}}
TOOL = {
    "toolSpec": {
        "name": "clock",
        "description": "Tells the time. " * 50,
        "inputSchema": {"json": {"type": "object"}},
    }
}


def manager(**options: Any) -> CachePointManager:
    return CachePointManager(CacheConfig(**{"enabled": True, **options}))


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def kinds(blocks: list[dict[str, Any]]) -> list[str]:
    return [
        "hour" if block == HOUR else "point" if block == POINT else next(iter(block))
        for block in blocks
    ]


def injected(*blocks: Any, model: str | None = None, **options: Any) -> list[str]:
    (message,) = manager(**options).inject_cache_points([user(*blocks)], model, REGION)
    return kinds(message["content"])


def prepared(
    request: dict[str, Any], *, model: str = CLAUDE, min_tokens: int | None = None, **options: Any
) -> dict[str, Any]:
    return manager(**options).with_cache_points(
        request, model=model, region=REGION, min_tokens=min_tokens
    )


def places(request: dict[str, Any]) -> list[Place]:
    return [point.place for point in points_in(request)]


# In messages


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([LONG, SHORT], ["text", "point", "text"]),
        ([LONG, LONG, SHORT], ["text", "text", "point", "text"]),
        ([LONG], ["text", "point"]),
        ([SHORT, LONG], ["text", "text", "point"]),
        ([SHORT], ["text"]),
        ([LONG, {"text": "x" * 2000}, LONG], ["text", "text", "text", "point"]),
        ([LONG, {"text": "x" * 800}], ["text", "point", "text"]),
        ([IMAGE, SHORT], ["image", "point", "text"]),
        ([LONG, VIDEO], ["text", "point", "video"]),
        ([LONG, PDF, SHORT], ["text", "document", "point", "text"]),
        ([LONG, DOCX, SHORT], ["text", "document", "text", "point"]),
        ([PDF, SHORT], ["document", "text", "point"]),
        ([DOCX], ["document"]),
        ([LONG, THOUGHT], ["text", "point", "reasoningContent"]),
        ([THOUGHT, LONG], ["reasoningContent", "text", "point"]),
        ([LONG, HOUR, LONG], ["text", "hour", "text"]),
        ([{"text": ""}, {"hologram": 1}], ["text", "hologram"]),
    ],
)
def test_the_conservative_strategy_puts_one_point_after_the_bulk_of_a_message(
    blocks: list[Any], expected: list[str]
) -> None:
    assert injected(*blocks) == expected


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([LONG, IMAGE, LONG, SHORT], ["text", "point", "image", "text", "point", "text"]),
        ([IMAGE, IMAGE, SHORT], ["image", "image", "point", "text"]),
        ([SHORT, LONG], ["text", "text", "point"]),
        ([*([{"text": "x" * 396}] * 8)], ["text"] * 8),
        ([LONG, DOCX, SHORT, SHORT], ["text", "point", "document", "text", "point", "text"]),
        ([LONG] * 6, ["text", "text", *["text", "point"] * 4]),
    ],
)
def test_the_aggressive_strategy_puts_a_point_after_every_substantial_block(
    blocks: list[Any], expected: list[str]
) -> None:
    assert injected(*blocks, strategy=AGGRESSIVE) == expected


@pytest.mark.parametrize(
    ("rules", "blocks", "expected"),
    [
        (
            {"cache_all_images": True},
            [IMAGE, LONG, SHORT],
            ["image", "point", "text", "point", "text"],
        ),
        ({"cache_text_blocks_over": 2000}, [LONG, LONG, SHORT], ["text", "text", "point", "text"]),
        ({"cache_text_blocks_over": 5000}, [LONG, IMAGE], ["text", "image"]),
        ({"cache_all_images": False}, [IMAGE, SHORT], ["image", "point", "text"]),
        ({"cache_all_images": True}, [DOCX, SHORT], ["document", "text", "point"]),
        ({}, [LONG, LONG, SHORT], ["text", "text", "point", "text"]),
    ],
)
def test_the_custom_strategy_goes_by_its_rules(
    rules: dict[str, Any], blocks: list[Any], expected: list[str]
) -> None:
    assert injected(*blocks, strategy=CUSTOM, custom_rules=rules) == expected


@pytest.mark.parametrize("block", [TOOL_USE, TOOL_RESULT])
@pytest.mark.parametrize(("model", "expected"), [(CLAUDE, ["point"]), (NOVA, []), (None, [])])
def test_only_claude_gets_points_after_tool_blocks(
    model: str | None, expected: list[str], block: dict[str, Any]
) -> None:
    result = injected(LONG, block, model=model, cache_point_threshold=1010)
    assert result == [*kinds([LONG, block]), *expected]


def test_a_rest_below_the_threshold_is_left_out() -> None:
    rest = {"text": "x" * 3996}
    assert injected(LONG, rest, cache_point_threshold=1000) == ["text", "point", "text"]
    assert injected(LONG, LONG, cache_point_threshold=1000) == ["text", "text", "point"]


def test_a_text_of_the_threshold_is_substantial() -> None:
    options: dict[str, Any] = {"strategy": AGGRESSIVE, "cache_point_threshold": 1000}
    assert injected(LONG, SHORT, **options) == ["text", "point", "text"]
    assert injected({"text": "x" * 3996}, SHORT, **options) == ["text", "text"]


def test_a_threshold_is_reached_by_estimated_tokens() -> None:
    assert injected({"text": "x" * 400}) == ["text", "point"]
    assert injected({"text": "x" * 399}) == ["text"]
    assert injected(IMAGE, cache_point_threshold=450) == ["image", "point"]
    assert injected(IMAGE, cache_point_threshold=451) == ["image"]


def test_disabled_caching_returns_what_it_was_given() -> None:
    messages, request = [user(LONG)], {"messages": [user(LONG)]}
    off = manager(enabled=False)
    assert off.inject_cache_points(messages) is messages
    given = off.with_cache_points(request, model=CLAUDE, region=REGION, min_tokens=None)
    assert given is request


def test_a_request_with_nothing_to_cache_is_passed_on_as_it_is() -> None:
    request = {"messages": [user(SHORT)], "inferenceConfig": {"maxTokens": 1}}
    assert prepared(request) is request


# In the whole request


def test_system_prompt_and_messages_get_points_and_the_rest_stays_the_same_object() -> None:
    messages = [user(LONG, SHORT), user(SHORT)]
    request = {"messages": messages, "system": [LONG], "inferenceConfig": {"maxTokens": 1}}
    result = prepared(request)
    assert result == {
        "messages": [user(LONG, POINT, SHORT), user(SHORT)],
        "system": [LONG, POINT],
        "inferenceConfig": {"maxTokens": 1},
    }
    assert result["messages"][1] is messages[1]
    assert result["inferenceConfig"] is request["inferenceConfig"]


@pytest.mark.parametrize(
    ("system", "options", "expected"),
    [
        ([LONG], {}, [LONG, POINT]),
        ([SHORT, LONG], {}, [SHORT, LONG, POINT]),
        ([{"text": "x" * 400}], {}, [{"text": "x" * 400}, POINT]),
        ([{"text": "x" * 399}], {}, [{"text": "x" * 399}]),
        ([LONG], {"auto_cache_system_messages": False}, [LONG]),
        ([LONG], {"cache_point_threshold": 1001}, [LONG]),
        ([LONG, POINT, SHORT], {}, [LONG, POINT, SHORT]),
        ([LONG, {"guardContent": {}}], {}, [LONG, POINT, {"guardContent": {}}]),
    ],
)
def test_a_long_system_prompt_gets_a_point_at_its_end(
    system: list[Any], options: dict[str, Any], expected: list[Any]
) -> None:
    assert prepared({"messages": [user(SHORT)], "system": system}, **options)["system"] == expected


@pytest.mark.parametrize(
    ("request_", "model", "options", "expected"),
    [
        ({"toolConfig": {"tools": [TOOL, TOOL]}}, CLAUDE, {}, [Place(-2, 2)]),
        ({"toolConfig": {"tools": [TOOL]}, "system": [SHORT]}, CLAUDE, {}, [Place(-2, 1)]),
        ({"toolConfig": {"tools": [TOOL]}}, NOVA, {}, []),
        ({"toolConfig": {"tools": [TOOL]}}, CLAUDE, {"cache_point_threshold": 1000}, []),
        # A point after the system prompt covers the tools, too.
        ({"toolConfig": {"tools": [TOOL]}, "system": [LONG]}, CLAUDE, {}, [Place(-1, 1)]),
        ({"toolConfig": {"tools": [TOOL]}, "system": [SHORT, POINT]}, CLAUDE, {}, [Place(-1, 1)]),
        (
            {"toolConfig": {"tools": [TOOL]}, "system": [LONG]},
            CLAUDE,
            {"strategy": AGGRESSIVE},
            [Place(-2, 1), Place(-1, 1)],
        ),
    ],
)
def test_tools_get_a_point_where_the_model_takes_it_and_nothing_else_covers_them(
    request_: dict[str, Any], model: str, options: dict[str, Any], expected: list[Place]
) -> None:
    request = {"messages": [user(SHORT)], **request_}
    assert places(prepared(request, model=model, **options)) == expected


def test_there_are_four_points_at_most_and_the_latest_messages_have_them() -> None:
    request = {"messages": [user(LONG) for _ in range(6)], "system": [LONG]}
    assert places(prepared(request)) == [Place(-1, 1), Place(3, 1), Place(4, 1), Place(5, 1)]


@pytest.mark.parametrize(
    ("own", "expected"),
    [(0, [-2, -1, 1, 2]), (1, [-2, -1, 0, 2]), (2, [-2, -1, 0, 0]), (3, [-1, 0, 0, 0])],
)
def test_the_latest_of_tools_and_system_prompt_takes_the_last_room(
    own: int, expected: list[int]
) -> None:
    request = {
        "messages": [user(*[SHORT, POINT] * own), user(LONG), user(LONG)],
        "system": [LONG],
        "toolConfig": {"tools": [TOOL]},
    }
    result = prepared(request, strategy=AGGRESSIVE)
    assert [place.section for place in places(result)] == expected


@pytest.mark.parametrize("own", [4, 5, 6])
def test_a_request_that_has_all_its_points_gets_no_other(own: int) -> None:
    request = {
        "messages": [user(*[SHORT, POINT] * own), user(LONG)],
        "system": [LONG],
        "toolConfig": {"tools": [TOOL]},
    }
    assert prepared(request, strategy=AGGRESSIVE) is request


def test_points_of_the_caller_count() -> None:
    messages = [user(LONG, POINT, SHORT), user(LONG), user(LONG, POINT), user(LONG)]
    request = {"messages": messages, "system": [SHORT, POINT]}
    added = [Place(0, 1), Place(2, 1), Place(3, 1)]
    assert places(prepared(request)) == [Place(-1, 1), *added]


@pytest.mark.parametrize(
    ("min_tokens", "expected"),
    [
        (None, [Place(-1, 1), Place(0, 1), Place(1, 1)]),
        (1000, [Place(-1, 1), Place(0, 1), Place(1, 1)]),
        (1024, [Place(0, 1), Place(1, 1)]),
        (2048, [Place(1, 1)]),
        (4096, []),
    ],
)
def test_no_point_stands_before_the_shortest_prefix_that_the_model_caches(
    min_tokens: int | None, expected: list[Place]
) -> None:
    request = {"messages": [user(LONG), user(LONG)], "system": [LONG]}
    assert places(prepared(request, min_tokens=min_tokens)) == expected


def test_the_tools_count_towards_the_prefix() -> None:
    request = {"messages": [user(LONG)], "toolConfig": {"tools": [TOOL]}}
    assert places(prepared(request, min_tokens=1100)) == [Place(0, 1)]


# Time to live


@pytest.mark.parametrize(
    ("model", "longest", "expected"),
    [
        (CLAUDE, None, [POINT]),
        (CLAUDE, 3600, [HOUR]),
        (CLAUDE, 86400, [HOUR]),
        (CLAUDE, 3599, [POINT]),
        (CLAUDE, 300, [POINT]),
        (CLAUDE, 299, []),
        (CLAUDE, 0, []),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 3600, [HOUR]),
        ("Claude Haiku 4.5", 3600, [HOUR]),
        (OLD_CLAUDE, 3600, [POINT]),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 3600, [POINT]),
        (NOVA, 3600, [POINT]),
    ],
)
def test_entries_live_as_long_as_allowed_and_offered(
    model: str, longest: int | None, expected: list[Any]
) -> None:
    result = prepared({"messages": [user(LONG)]}, model=model, max_cache_ttl=longest)
    assert result["messages"] == [user(LONG, *expected)]


@pytest.mark.parametrize(
    ("longest", "second", "expected"),
    [
        # An hour must not come after five minutes.
        (None, [SHORT, HOUR], ["hour", "hour", "hour", "point"]),
        (3600, [SHORT, POINT], ["hour", "hour", "point", "point"]),
        (None, [SHORT, POINT], ["point", "point", "point", "point"]),
        (300, [SHORT, HOUR], ["hour", "point"]),
    ],
)
def test_the_time_to_live_fits_the_points_of_the_caller(
    longest: int | None, second: list[Any], expected: list[str]
) -> None:
    request = {"messages": [user(LONG), user(*second), user(LONG)], "system": [LONG]}
    result = prepared(request, max_cache_ttl=longest)
    assert ["point" if p.ttl == "5m" else "hour" for p in points_in(result)] == expected


# Where points are refused


@pytest.mark.parametrize(
    "entry",
    [
        "Claude Sonnet 4.6",
        "claude sonnet 4-6",
        CLAUDE,
        f"eu.{CLAUDE}",
        f"arn:aws:bedrock:eu-west-1::foundation-model/{CLAUDE}",
    ],
)
def test_a_model_that_the_user_names_gets_no_points_and_keeps_none(entry: str) -> None:
    chosen = manager(custom_unsupported_models=["Nova Pro", entry], cache_availability_check=False)
    for blocks in ([LONG], [LONG, POINT]):
        result = chosen.with_cache_points(
            {"messages": [user(*blocks)]},
            model=CLAUDE,
            region=REGION,
            min_tokens=None,
            name="Claude Sonnet 4.6",
        )
        assert result == {"messages": [user(LONG)]}


def test_a_model_that_the_user_does_not_name_gets_points() -> None:
    assert places(
        prepared({"messages": [user(LONG)]}, custom_unsupported_models=["Nova Pro", "sonnet-4-6"])
    )


def test_a_named_model_gets_no_points_from_injection_either() -> None:
    messages = [user(LONG)]
    chosen = manager(custom_unsupported_models=["Nova Lite"])
    assert chosen.inject_cache_points(messages, "Nova Lite", REGION) is messages
    assert chosen.inject_cache_points(messages, "Nova Pro", REGION) == [user(LONG, POINT)]


@pytest.mark.parametrize(
    ("model", "min_tokens", "check", "expected"),
    [
        ("meta.llama3-3-70b-instruct-v1:0", None, True, False),
        ("openai.gpt-5.4", None, True, False),
        ("openai.gpt-5.4", 1024, True, True),
        ("openai.gpt-5.4", None, False, True),
        (NOVA, None, True, True),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/x",
            None,
            True,
            True,
        ),
        ("Some Model", None, True, True),
    ],
)
def test_models_that_are_not_known_to_take_points_are_spared_them(
    model: str, min_tokens: int | None, check: bool, expected: bool
) -> None:
    request = {"messages": [user({"text": "x" * 8000})]}
    result = prepared(request, model=model, min_tokens=min_tokens, cache_availability_check=check)
    assert has_points(result) is expected


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_refusal_is_remembered_for_that_model_and_region_until_it_is_old() -> None:
    clock = Clock()
    config = CacheConfig(enabled=True, blacklist_duration_minutes=10)
    chosen = CachePointManager(config, now=clock)
    own_point = {"messages": [user(SHORT, POINT, LONG)]}

    def has_points_for(model: str, region: str) -> bool:
        sent = chosen.with_cache_points(own_point, model=model, region=region, min_tokens=None)
        injected = chosen.inject_cache_points([user(LONG)], model, region)
        assert has_points({"messages": injected}) is has_points(sent)
        return has_points(sent)

    assert chosen.refused(CLAUDE, REGION) is None
    assert not has_points_for(CLAUDE, REGION)
    assert has_points_for(CLAUDE, "us-east-1")
    assert has_points_for(NOVA, REGION)
    clock.seconds += 599
    assert not has_points_for(CLAUDE, REGION)
    clock.seconds += 1
    assert has_points_for(CLAUDE, REGION)


def test_a_refusal_outlasts_the_success_of_another_request() -> None:
    clock = Clock()
    chosen = CachePointManager(CacheConfig(enabled=True), now=clock)
    tracker = chosen.get_availability_tracker()
    chosen.accepted(CLAUDE, REGION)
    assert tracker.is_cache_supported(CLAUDE, REGION) is True
    chosen.refused(CLAUDE, REGION)
    chosen.accepted(CLAUDE, REGION)
    assert tracker.is_cache_supported(CLAUDE, REGION) is False
    clock.seconds += 3600
    chosen.accepted(CLAUDE, REGION)
    assert tracker.is_cache_supported(CLAUDE, REGION) is True


def test_a_pickled_copy_has_the_configuration_and_forgets_refusals() -> None:
    chosen = manager(cache_point_threshold=2000)
    chosen.refused(CLAUDE, REGION)
    copied = pickle.loads(pickle.dumps(chosen))
    assert copied.inject_cache_points([user(LONG, LONG)], CLAUDE, REGION) == [
        user(LONG, LONG, POINT)
    ]
    assert copied.inject_cache_points([user(LONG)], CLAUDE, REGION) == [user(LONG)]
    copied.refused(CLAUDE, REGION)
    assert copied.get_availability_tracker().is_cache_supported(CLAUDE, REGION) is False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # threads of other tests
def test_a_forked_child_does_not_wait_for_locks_of_the_parent() -> None:
    chosen, methods = manager(), AccessMethodTracker()
    parameters = ParameterCompatibilityTracker()
    tracker = chosen.get_availability_tracker()
    with chosen._lock, tracker._lock, methods._lock, parameters._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(5)
            with suppress(BaseException):
                chosen.refused(CLAUDE, REGION)
                methods.record_profile_requirement(CLAUDE, REGION)
                parameters.record_success(CLAUDE, REGION, {})
                os._exit(0)
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    "options",
    [{"cache_availability_check": False}, {"error_handling": CacheErrorHandling.FAIL_FAST}],
)
def test_a_refusal_has_no_consequence_where_it_is_not_to_be_checked_or_not_to_be_healed(
    options: dict[str, Any],
) -> None:
    chosen = manager(**options)
    chosen.refused(CLAUDE, REGION)
    request = {"messages": [user(LONG)]}
    sent = chosen.with_cache_points(request, model=CLAUDE, region=REGION, min_tokens=None)
    assert has_points(sent)


@pytest.mark.parametrize(
    ("handling", "log", "level", "warns"),
    [
        (CacheErrorHandling.GRACEFUL_DEGRADATION, True, logging.INFO, False),
        (CacheErrorHandling.GRACEFUL_DEGRADATION, False, None, False),
        (CacheErrorHandling.WARN_AND_CONTINUE, True, logging.WARNING, True),
        (CacheErrorHandling.WARN_AND_CONTINUE, False, None, True),
        (CacheErrorHandling.FAIL_FAST, True, None, False),
    ],
)
def test_a_refusal_is_logged_once_and_told_to_the_caller_as_configured(
    caplog: pytest.LogCaptureFixture,
    handling: CacheErrorHandling,
    log: bool,
    level: int | None,
    warns: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    chosen = manager(error_handling=handling, log_cache_failures=log)
    told = [chosen.refused(CLAUDE, REGION) for _ in range(3)]
    assert [record.levelno for record in caplog.records] == ([level] if level else [])
    assert [bool(sentence) for sentence in told] == [warns] * 3
    for sentence in filter(None, [*told, *caplog.messages]):
        assert CLAUDE in sentence
        assert REGION in sentence


@pytest.mark.parametrize(
    ("handling", "fails"),
    [
        (CacheErrorHandling.GRACEFUL_DEGRADATION, False),
        (CacheErrorHandling.WARN_AND_CONTINUE, False),
        (CacheErrorHandling.FAIL_FAST, True),
    ],
)
def test_only_failing_fast_lets_a_refused_call_fail(
    handling: CacheErrorHandling, fails: bool
) -> None:
    assert manager(error_handling=handling).fails_fast is fails


def test_refusals_from_many_threads_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    chosen, start = manager(), threading.Barrier(8)

    def refuse() -> None:
        start.wait()
        for _ in range(50):
            chosen.refused(CLAUDE, REGION)

    threads = [threading.Thread(target=refuse) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [({}, "`cache_point_threshold` (100)"), ({"max_cache_ttl": 60}, "`max_cache_ttl` is 60")],
)
def test_requests_without_any_point_are_mentioned_once(
    caplog: pytest.LogCaptureFixture, options: dict[str, Any], named: str
) -> None:
    chosen = manager(**options)
    prompt = {"text": "secret"} if not options else {"text": "secret" * 1000}
    for _ in range(3):
        chosen.with_cache_points(
            {"messages": [user(prompt)]}, model=CLAUDE, region=REGION, min_tokens=None
        )
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert named in caplog.text
    assert "secret" not in caplog.text


def test_nothing_is_said_where_a_point_stands_or_is_added(caplog: pytest.LogCaptureFixture) -> None:
    chosen = manager()
    for blocks in ([SHORT, POINT], [LONG]):
        chosen.with_cache_points(
            {"messages": [user(*blocks)]}, model=CLAUDE, region=REGION, min_tokens=None
        )
    assert not caplog.records


# Removal


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            {"messages": [user(LONG, POINT, SHORT), user(HOUR)], "modelId": "m"},
            {"messages": [user(LONG, SHORT)], "modelId": "m"},
        ),
        (
            {"messages": [user(SHORT)], "system": [LONG, POINT]},
            {"messages": [user(SHORT)], "system": [LONG]},
        ),
        ({"messages": [user(SHORT)], "system": [POINT]}, {"messages": [user(SHORT)]}),
        (
            {"messages": [user(SHORT)], "toolConfig": {"tools": [TOOL, POINT], "toolChoice": {}}},
            {"messages": [user(SHORT)], "toolConfig": {"tools": [TOOL], "toolChoice": {}}},
        ),
        (
            {"messages": [user(SHORT)], "toolConfig": {"tools": [POINT], "toolChoice": {}}},
            {"messages": [user(SHORT)]},
        ),
        ({"messages": [user(POINT)]}, {}),
        (
            {"messages": [user(SHORT, POINT)], "system": [], "toolConfig": None},
            {"messages": [user(SHORT)], "system": [], "toolConfig": None},
        ),
    ],
)
def test_all_points_are_removed_and_what_is_emptied_goes(
    request_: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = copy.deepcopy(request_)
    assert without_points(request_) == expected
    assert request_ == before


@pytest.mark.parametrize(
    "request_", [{}, {"messages": [user(SHORT), user()]}, {"messages": None, "system": "x"}]
)
def test_a_request_without_points_is_the_same_object(request_: dict[str, Any]) -> None:
    assert without_points(request_) is request_


def test_points_are_removed_from_copies_of_messages() -> None:
    messages = [user(LONG, POINT), user(POINT), {"role": "user"}]
    before = copy.deepcopy(messages)
    assert manager().remove_cache_points(messages) == [user(LONG), {"role": "user"}]
    assert messages == before


# What stands there


def test_the_points_of_a_conversation_are_listed() -> None:
    assert manager().optimize_cache_placement(
        [user(LONG, SHORT, POINT), {"role": "user"}, user(IMAGE, PDF, VIDEO, HOUR)]
    ) == [CachePointInfo(2, "default", 1000, False), CachePointInfo(3, "default", 3450, False)]


@pytest.mark.parametrize(
    ("request_", "options", "named"),
    [
        ({}, {}, []),
        ({"messages": [user(LONG, POINT)]}, {}, []),
        ({"messages": [user(LONG)], "system": [LONG, POINT]}, {}, []),
        ({"messages": [user(LONG)]}, {"enabled": False}, []),
        ({"messages": [user(LONG)]}, {}, ["no cache points"]),
        ({"messages": [user(SHORT), user(LONG, POINT, LONG, POINT)]}, {}, ["Message 1 has 2"]),
        ({"messages": [user(LONG, POINT, LONG, POINT)]}, {"strategy": AGGRESSIVE}, []),
        ({"messages": [user(LONG, POINT)] * 5}, {}, ["There are 5"]),
        ({"messages": [user(LONG, HOUR)], "system": [LONG, POINT]}, {}, ["one hour follows"]),
        ({"messages": [user(LONG, POINT)], "system": [LONG, HOUR]}, {}, []),
    ],
)
def test_what_is_odd_about_points_is_named(
    request_: dict[str, Any], options: dict[str, Any], named: list[str]
) -> None:
    found = manager(**options).validate_cache_configuration(request_)
    assert len(found) == len(named)
    assert all(part in sentence for part, sentence in zip(named, found, strict=True))


# Laws

TEXTS = [LONG, SHORT, *({"text": "x" * length} for length in (0, 700, 2100))]
OTHERS = [IMAGE, PDF, DOCX, VIDEO, THOUGHT, TOOL_USE, TOOL_RESULT, {"hologram": 1}]
PLAIN = st.sampled_from([*TEXTS, *OTHERS])
ANY = st.one_of(PLAIN, st.sampled_from([POINT, HOUR]))


def requests(blocks: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    messages = st.lists(st.builds(lambda content: user(*content), st.lists(blocks, max_size=6)))
    return st.fixed_dictionaries(
        {"messages": messages},
        optional={
            "system": st.lists(blocks, max_size=3),
            "toolConfig": st.fixed_dictionaries(
                {"tools": st.lists(st.sampled_from([TOOL]), max_size=2)}
            ),
        },
    )


CONFIGS = st.builds(
    CacheConfig,
    enabled=st.just(value=True),
    strategy=st.sampled_from(CacheStrategy),
    cache_point_threshold=st.sampled_from([0, 100, 1000, 3000]),
    auto_cache_system_messages=st.booleans(),
    max_cache_ttl=st.sampled_from([None, 0, 300, 3600]),
    custom_rules=st.sampled_from([{}, {"cache_all_images": True}, {"cache_text_blocks_over": 0}]),
)
MODELS = st.sampled_from([CLAUDE, OLD_CLAUDE, NOVA])
SHORTEST = st.sampled_from([None, 0, 512, 1024, 4096])


def is_ordered(request: dict[str, Any]) -> bool:
    ttls = [point.ttl for point in points_in(request)]
    return ttls == sorted(ttls)  # "1h" before "5m"


@given(requests(ANY), CONFIGS, MODELS, SHORTEST)
def test_law_added_points_keep_the_rules_of_the_service(
    request: dict[str, Any], config: CacheConfig, model: str, min_tokens: int | None
) -> None:
    before = copy.deepcopy(request)
    chosen = CachePointManager(config)
    result = chosen.with_cache_points(request, model=model, region=REGION, min_tokens=min_tokens)

    assert request == before
    assert without_points(result) == without_points(request)
    assert len(points_in(result)) <= max(4, len(points_in(request)))
    assert is_ordered(result) or not is_ordered(request)
    again = chosen.with_cache_points(result, model=model, region=REGION, min_tokens=min_tokens)
    assert again == result


@given(requests(PLAIN), CONFIGS, MODELS, SHORTEST)
def test_law_what_was_added_can_be_taken_away(
    request: dict[str, Any], config: CacheConfig, model: str, min_tokens: int | None
) -> None:
    chosen = CachePointManager(config)
    result = chosen.with_cache_points(request, model=model, region=REGION, min_tokens=min_tokens)
    assert without_points(result) == request
    assert (result is request) == (not has_points(result))
    for section, index in places(result):
        if section >= 0:
            assert index > 0
            before = result["messages"][section]["content"][index - 1]
            assert before not in (DOCX, VIDEO, THOUGHT, {"hologram": 1}, {"text": ""})
            assert model != NOVA or before not in (TOOL_USE, TOOL_RESULT)


@pytest.mark.parametrize("content", [None, "text", 7, [], ["x"], [None], [{"text": None}]])
def test_what_is_no_message_is_passed_on(content: object) -> None:
    for request in (
        {"messages": [{"role": "user", "content": content}]},
        {"messages": content, "system": content, "toolConfig": content},
        {"messages": [content], "toolConfig": {"tools": content}},
    ):
        assert prepared(request, cache_point_threshold=10**6) is request


@pytest.mark.needs_member("cachePoint")
def test_the_service_model_takes_what_is_added(bedrock: LocalBedrock) -> None:
    request = {
        "messages": [user(SHORT, PDF, LONG, SHORT)],
        "system": [LONG],
        "toolConfig": {"tools": [TOOL]},
    }
    sent = prepared(request, strategy=AGGRESSIVE, max_cache_ttl=3600)
    assert len(points_in(sent)) == 4
    with closing(boto3.client("bedrock-runtime", region_name="us-east-1")) as client:
        answer = client.converse(modelId=NOVA, **sent)
    assert answer["output"]
