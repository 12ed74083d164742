"""Tests what becomes of a stream that breaks, at every event and in every way, over HTTP."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager.bedrock.models.streaming_response import (
        StreamingResponse,
        StreamRestart,
    )
    from bestehorn_llmmanager.testing import ReceivedRequest

REGIONS = ["us-east-1", "us-west-2"]
CONTINUES, STARTS_AGAIN, UNKNOWN = "Claude Haiku 4.5", "Claude Sonnet 4.6", "Nova Lite"
PROMPT = [
    {"role": "user", "content": [{"text": "Count."}]},
    {"role": "assistant", "content": [{"text": "How far?"}]},
    {"role": "user", "content": [{"text": "To 36."}]},
]
GAPS = [" ", "\n", "  ", " \n\n", "\t"]
TEXT = "".join(f"number{i}{GAPS[i % len(GAPS)]}" for i in range(35)) + "end."
WORDS = re.findall(r"\S+\s*", TEXT)
EVENTS = len(WORDS) + 4  # messageStart, contentBlockStop, messageStop, metadata
ANSWER_IS_COMPLETE = EVENTS - 1
CODES = [
    "internalServerException",
    "modelStreamErrorException",
    "validationException",
    "throttlingException",
    "serviceUnavailableException",
]
IDLE_SECONDS = 0.15
FAULTS: dict[str, Callable[[int], Fault]] = {
    "stream_ends": Fault.stream_ends,
    "stream_cut": Fault.stream_cut,
    "stream_reset": Fault.stream_reset,
    "stream_broken_frame": Fault.stream_broken_frame,
    "stream_stalls": Fault.stream_stalls,
    **{
        code: lambda after, code=code: Fault.stream_error(code, after_events=after)  # type: ignore[misc]
        for code in CODES
    },
}
NO_PREFILL = (
    "This model does not support assistant message prefill. "
    "The conversation must end with a user message."
)


@pytest.fixture(scope="module")
def _endpoint() -> Iterator[LocalBedrock]:
    with LocalBedrock(record_bodies=True) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    _endpoint.reset()
    for name, value in _endpoint.environment().items():
        monkeypatch.setenv(name, value)
    yield _endpoint
    assert _endpoint.errors == ()


def new_manager(model: str, regions: list[str] | None = None, **options: Any) -> LLMManager:
    return LLMManager(
        [model],
        regions or REGIONS,
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        retry_config=RetryConfig(max_retries=options.pop("max_retries", 2), retry_delay=0),
        **options,
    )


def beginning(request: ReceivedRequest) -> str:
    """What the request gives as the beginning of the answer."""
    last = request.body["messages"][-1]
    if last["role"] == "user":
        return ""
    return "".join(block["text"] for block in last["content"])


def exact(rest: str) -> str:
    return rest


def without_white_space(rest: str) -> str:
    return rest.lstrip()


def with_more_white_space(rest: str) -> str:
    white_space = rest[: len(rest) - len(rest.lstrip())]
    return white_space + rest


def model_that_continues(
    text: str = TEXT, habit: Callable[[str], str] = exact
) -> Callable[[ReceivedRequest], str]:
    """A model that goes on where the beginning ends, and refuses one that ends in white space."""

    def reply(request: ReceivedRequest) -> str:
        given = beginning(request)
        assert given == given.rstrip()
        assert text.startswith(given)
        return habit(text[len(given) :]) if given else text

    return reply


class Listener:
    """What somebody knows who listens to events, and forgets them at each restart."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.restarts: list[StreamRestart] = []

    def on_event(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def on_restart(self, restart: StreamRestart) -> None:
        self.restarts.append(restart)
        self.events = []

    def story(self) -> list[dict[str, Any]]:
        """The events; text that follows on text is joined."""
        story: list[dict[str, Any]] = []
        for event in copy.deepcopy(self.events):
            before, now = _text_delta(story[-1] if story else {}), _text_delta(event)
            if before and now and before["contentBlockIndex"] == now["contentBlockIndex"]:
                before["delta"]["text"] += now["delta"]["text"]
            else:
                story.append(event)
        return story


def _text_delta(event: dict[str, Any]) -> dict[str, Any] | None:
    content: dict[str, Any] | None = event.get("contentBlockDelta")
    return content if content and "text" in content["delta"] else None


def read(manager: LLMManager, **options: Any) -> tuple[StreamingResponse, list[str], Listener]:
    """Read a stream to its end; checks that the caller's messages stay as they are."""
    listener = Listener()
    messages = copy.deepcopy(PROMPT)
    response = manager.converse_stream(
        messages, on_event=listener.on_event, on_restart=listener.on_restart, **options
    )
    pieces = list(response)
    assert messages == PROMPT
    assert response.is_streaming_complete()
    return response, pieces, listener


def break_once(
    bedrock: LocalBedrock, manager: LLMManager, fault: Fault, **options: Any
) -> tuple[StreamingResponse, list[str], Listener]:
    bedrock.clear_faults()
    bedrock.fail(fault, operation="ConverseStream", times=1)
    if fault.kind == "stream_stalls":
        options["idle_timeout"] = IDLE_SECONDS
    return read(manager, **options)


def asked(bedrock: LocalBedrock) -> list[list[dict[str, Any]]]:
    """The messages of every ConverseStream request, in order."""
    return [
        r.body["messages"] for r in bedrock.requests if r.operation == "ConverseStream" and r.body
    ]


STORY = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": TEXT}, "contentBlockIndex": 0}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
]


# --- an answer of text ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("model", [CONTINUES, UNKNOWN])
def test_a_model_that_continues_gives_the_answer_as_if_it_never_broke(
    bedrock: LocalBedrock, model: str, fault: Callable[[int], Fault]
) -> None:
    bedrock.reply_with(model_that_continues())
    manager = new_manager(model)
    step = 5 if fault(0).kind == "stream_stalls" and model == UNKNOWN else 1
    for after in range(0, EVENTS + 1, step):
        response, pieces, listener = break_once(bedrock, manager, fault(after))
        if fault(after).code == "validationException" and after == 0:
            assert_refused(response)
            continue
        place = f"after {after} events"
        assert "".join(pieces) == TEXT, place
        assert (response.success, response.restarts, response.stream_errors) == (True, [], []), (
            place
        )
        assert response.content_parts == pieces, place
        assert listener.story()[:4] == STORY, place
        assert response.final_response is not None
        assert response.final_response.get_content_blocks() == [{"text": TEXT}], place
        assert all(each.recovered for each in response.mid_stream_exceptions), place
        if after < ANSWER_IS_COMPLETE:
            assert response.get_usage(), place
    manager.close()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_model_that_cannot_continue_starts_again_and_says_so(
    bedrock: LocalBedrock, fault: Callable[[int], Fault]
) -> None:
    bedrock.reply_with(TEXT)
    manager = new_manager(STARTS_AGAIN)
    step = 4 if fault(0).kind == "stream_stalls" else 1
    for after in range(1, EVENTS + 1, step):
        response, pieces, listener = break_once(bedrock, manager, fault(after))
        place = f"after {after} events"
        received = len("".join(WORDS[: after - 1])) if after < ANSWER_IS_COMPLETE else 0
        position = sum(each.position for each in response.restarts)
        if fault(0).kind != "stream_reset":  # which takes away what the client has not read yet
            assert position == received, place
        assert len(response.restarts) == (position > 0), place
        assert listener.restarts == response.restarts, place
        assert "".join(pieces) == TEXT[:position] + TEXT, place
        assert response.get_full_content() == "".join(response.content_parts) == TEXT, place
        assert response.success, place
        assert listener.story()[:4] == STORY, place
        assert response.final_response is not None
        assert response.final_response.get_content_blocks() == [{"text": TEXT}], place
    manager.close()


def test_a_model_that_begins_anew_is_not_heard_twice(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(lambda _: TEXT)
    manager = new_manager(UNKNOWN)
    for after in range(1, ANSWER_IS_COMPLETE):
        response, pieces, listener = break_once(bedrock, manager, Fault.stream_cut(after))
        assert (response.success, response.restarts) == (True, []), after
        assert "".join(pieces) == TEXT, after
        assert listener.story()[:4] == STORY, after
    manager.close()


def test_a_model_that_is_known_to_continue_may_repeat_itself(bedrock: LocalBedrock) -> None:
    chorus = "la " * 12
    bedrock.reply_with(model_that_continues(chorus, without_white_space))
    with new_manager(CONTINUES) as manager:
        for after in range(1, 14):
            _, pieces, _ = break_once(bedrock, manager, Fault.stream_cut(after))
            assert "".join(pieces) == chorus, after


@pytest.mark.parametrize("model", [CONTINUES, STARTS_AGAIN, UNKNOWN])
def test_a_connection_that_is_reset_after_the_first_event_costs_nothing(
    bedrock: LocalBedrock, model: str
) -> None:
    bedrock.reply_with(model_that_continues())
    with new_manager(model) as manager:
        response, pieces, listener = break_once(bedrock, manager, Fault.reset_in_body())
    assert "".join(pieces) == TEXT
    assert (response.success, response.restarts, listener.story()[:4]) == (True, [], STORY)


@pytest.mark.parametrize("habit", [exact, without_white_space])
def test_white_space_at_the_break_is_neither_lost_nor_doubled(
    bedrock: LocalBedrock, habit: Callable[[str], str]
) -> None:
    bedrock.reply_with(model_that_continues(habit=habit))
    manager = new_manager(CONTINUES)
    for after in range(1, ANSWER_IS_COMPLETE):
        _, pieces, _ = break_once(bedrock, manager, Fault.stream_ends(after))
        assert "".join(pieces) == TEXT, after
    manager.close()


def test_white_space_that_a_continuation_adds_is_its_own(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(model_that_continues(habit=with_more_white_space))
    with new_manager(CONTINUES) as manager:
        _, pieces, _ = break_once(bedrock, manager, Fault.stream_ends(3))
    first, second = WORDS[:2]
    assert first + second == "number0 number1\n"
    assert "".join(pieces) == TEXT.replace("number1\n", "number1\n\n")


def test_a_continuation_is_asked_for_with_the_text_so_far(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(model_that_continues())
    with new_manager(CONTINUES) as manager:
        response, _, _ = break_once(bedrock, manager, Fault.stream_cut(5))
    so_far = {"role": "assistant", "content": [{"text": "number0 number1\nnumber2  number3"}]}
    assert asked(bedrock) == [PROMPT, [*PROMPT, so_far]]
    assert [r.region for r in bedrock.requests] == REGIONS
    assert response.get_target_switches() == 1
    assert (response.model_used, response.region_used) == (CONTINUES, REGIONS[1])
    info = response.get_recovery_info()
    assert (info["total_exceptions"], info["recovered_exceptions"]) == (1, 1)
    assert info["partial_content_preserved"]
    (exception,) = response.get_mid_stream_exceptions()
    assert (exception["position"], exception["region"]) == (len("".join(WORDS[:4])), REGIONS[0])


def test_an_answer_may_break_again_and_again(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(model_that_continues())
    regions = ["us-east-1", "us-west-2", "us-east-2", "eu-west-1", "eu-central-1"]
    bedrock.fail(Fault.stream_cut(8), operation="ConverseStream", times=len(regions) - 1)
    with new_manager(CONTINUES, regions) as manager:
        response, pieces, listener = read(manager)
    assert "".join(pieces) == TEXT
    assert listener.story()[:4] == STORY
    assert [r.region for r in bedrock.requests] == regions
    assert [each.recovered for each in response.mid_stream_exceptions] == [True] * 4


def test_the_same_target_continues_where_there_is_no_other(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(model_that_continues())
    with new_manager(CONTINUES, REGIONS[:1]) as manager:
        response, pieces, _ = break_once(bedrock, manager, Fault.stream_reset(9))
    assert "".join(pieces) == TEXT
    assert (response.get_target_switches(), bedrock.count("ConverseStream")) == (0, 2)


# --- whether a model continues --------------------------------------------------------------------


def test_a_model_that_is_known_not_to_continue_is_not_asked_to(bedrock: LocalBedrock) -> None:
    with new_manager(STARTS_AGAIN) as manager:
        response, _, _ = break_once(bedrock, manager, Fault.stream_cut(5))
    assert asked(bedrock) == [PROMPT, PROMPT]
    (restart,) = response.restarts
    assert (restart.model, restart.region) == (STARTS_AGAIN, REGIONS[1])
    assert "does not continue" in restart.reason


def test_whether_an_unknown_model_continues_is_tried_once_and_remembered(
    bedrock: LocalBedrock,
) -> None:
    bedrock.reply_with(TEXT)
    manager = new_manager(UNKNOWN)
    bedrock.fail(Fault.stream_cut(5), operation="ConverseStream", times=1)
    bedrock.fail(Fault.validation(NO_PREFILL), operation="ConverseStream", times=1)
    for requests in (3, 5):
        response, _, listener = read(manager)
        assert (response.success, len(response.restarts)) == (True, 1)
        assert response.get_full_content() == TEXT
        assert listener.story()[:4] == STORY
        # What was only a try is no failure.
        assert len(response.mid_stream_exceptions) == 1
        assert bedrock.count("ConverseStream") == requests
        bedrock.clear_faults()
        bedrock.fail(Fault.stream_cut(5), operation="ConverseStream", times=1)
    assert [len(messages) - len(PROMPT) for messages in asked(bedrock)] == [0, 1, 0, 0, 0]
    manager.close()


def test_a_restart_is_marked_when_the_new_answer_is_there(bedrock: LocalBedrock) -> None:
    seen: list[tuple[str, list[str]]] = []
    bedrock.reply_with("one two three")
    bedrock.fail(Fault.stream_cut(3), operation="ConverseStream", times=1)
    with new_manager(STARTS_AGAIN) as manager:
        response: StreamingResponse = manager.converse_stream(
            PROMPT,
            on_restart=lambda _: seen.append(("restart", response.get_content_parts())),
            on_event=lambda event: seen.append((next(iter(event)), response.get_content_parts())),
        )
        assert list(response) == ["one ", "two ", "one ", "two ", "three"]
    restart = seen.index(("restart", ["one ", "two "]))
    assert seen[restart + 1] == ("messageStart", [])
    assert response.content_parts == ["one ", "two ", "three"]
    assert not response.get_recovery_info()["partial_content_preserved"]


def test_nothing_is_dropped_for_a_new_answer_that_never_comes(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(TEXT)
    bedrock.fail(Fault.stream_cut(5), operation="ConverseStream", times=1)
    bedrock.fail(Fault.access_denied(), operation="ConverseStream")
    with new_manager(STARTS_AGAIN) as manager:
        response, pieces, listener = read(manager)
    assert pieces == WORDS[:4] == response.content_parts
    assert (response.success, response.restarts, listener.restarts) == (False, [], [])
    assert [each.recovered for each in response.mid_stream_exceptions] == [False] * 3


def test_what_the_caller_gave_as_the_beginning_stays_before_the_text_so_far(
    bedrock: LocalBedrock,
) -> None:
    given = [*PROMPT, {"role": "assistant", "content": [{"text": "So: "}]}]
    before = copy.deepcopy(given)
    bedrock.reply_with(lambda request: TEXT.removeprefix(beginning(request).removeprefix("So: ")))
    bedrock.fail(Fault.stream_cut(5), operation="ConverseStream", times=1)
    with new_manager(CONTINUES) as manager:
        assert "".join(manager.converse_stream(given)) == TEXT
    so_far = "So: number0 number1\nnumber2  number3"
    assert asked(bedrock)[1] == [*PROMPT, {"role": "assistant", "content": [{"text": so_far}]}]
    assert given == before


# --- an answer of more than text ------------------------------------------------------------------


TOOL = {"toolUseId": "t1", "name": "clock", "input": {"zone": "Europe/Berlin", "digits": 4}}
MORE_THAN_TEXT: dict[str, list[dict[str, Any]]] = {
    "tool use": [{"text": "I look at the clock."}, {"toolUse": TOOL}],
    "two tool uses": [{"toolUse": TOOL}, {"toolUse": {**TOOL, "toolUseId": "t2", "input": {}}}],
    "reasoning": [
        {"reasoningContent": {"reasoningText": {"text": "Let me think.", "signature": "c2ln"}}},
        {"text": "It is four."},
    ],
    "hidden reasoning": [
        {"reasoningContent": {"redactedContent": b"secret"}},
        {"text": "It is four."},
    ],
    "citations": [
        {
            "citationsContent": {
                "content": [{"text": "It is four o'clock."}],
                "citations": [{"title": "Clock", "sourceContent": [{"text": "IV"}]}],
            }
        },
        {"text": "So go home."},
    ],
}


NEEDED = {
    "reasoning": pytest.mark.needs_member("reasoningContent"),
    "hidden reasoning": pytest.mark.needs_member("reasoningContent"),
    "citations": pytest.mark.needs_member("CitationsDelta"),
}


def output(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if any("toolUse" in block for block in content) else "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
        "metrics": {"latencyMs": 12},
    }


def rest_of(block: dict[str, Any], given: str) -> list[dict[str, Any]]:
    """What a model still says of a block whose text it has begun."""
    if not given:
        return [block]
    citations = block.get("citationsContent")
    text = citations["content"][0]["text"] if citations else block["text"]
    assert text.startswith(given)
    rest = [{"text": text[len(given) :]}] if text != given else []
    return [{"citationsContent": {**citations, "content": rest}}] if citations else rest


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(content, id=name, marks=NEEDED.get(name, ()))
        for name, content in MORE_THAN_TEXT.items()
    ],
)
@pytest.mark.parametrize("fault", [FAULTS["stream_cut"], FAULTS["throttlingException"]])
def test_what_is_more_than_text_starts_again(
    bedrock: LocalBedrock, content: list[dict[str, Any]], fault: Callable[[int], Fault]
) -> None:
    def reply(request: ReceivedRequest) -> dict[str, Any]:
        given = beginning(request)
        return output([*rest_of(content[0], given), *content[1:]])

    bedrock.reply_with(reply)
    manager = new_manager(CONTINUES)
    unbroken, pieces, listener = read(manager)
    assert unbroken.final_response is not None
    assert unbroken.final_response.get_content_blocks() == content
    stop = next(n for n, event in enumerate(listener.events) if "messageStop" in event)
    for after in range(stop + 1):
        response, got, heard = break_once(bedrock, manager, fault(after))
        place = f"after {after} events"
        is_more_than_text = any(
            "contentBlockStart" in event
            or ("contentBlockDelta" in event and _text_delta(event) is None)
            for event in listener.events[:after]
        )
        assert bool(response.restarts) is is_more_than_text, place
        assert response.success, place
        assert heard.story() == listener.story(), place
        assert response.content_parts[-1:] == pieces[-1:], place
        assert response.get_full_content() == "".join(pieces), place
        if not response.restarts:
            assert "".join(got) == "".join(pieces), place
        assert response.final_response is not None
        assert response.final_response.response_data == unbroken.final_response.response_data, place
        assert response.get_reasoning() == unbroken.get_reasoning(), place
        assert response.citation_blocks == unbroken.citation_blocks, place
        assert response.get_tool_uses() == unbroken.get_tool_uses(), place
    manager.close()


@pytest.mark.needs_member("outputConfig")
def test_a_structured_answer_starts_again(bedrock: LocalBedrock) -> None:
    answer = '{"hour": 4, "minute": 15}'
    bedrock.reply_with(answer)
    schema = {"type": "object", "properties": {"hour": {"type": "integer"}}}
    config = {"textFormat": {"type": "json_schema", "structure": schema}}
    with new_manager(CONTINUES) as manager:
        response, _, _ = break_once(bedrock, manager, Fault.stream_cut(2), output_config=config)
    assert response.get_full_content() == answer
    assert [each.reason for each in response.restarts] == [
        "A structured answer cannot be continued."
    ]
    assert response.final_response is not None
    assert response.final_response.get_structured_output() == {"hour": 4, "minute": 15}


# --- errors in the stream -------------------------------------------------------------------------


def assert_refused(response: StreamingResponse) -> None:
    (error,) = response.stream_errors
    assert isinstance(error, RequestValidationError)
    assert (response.success, response.content_parts) == (False, [])
