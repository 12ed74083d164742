"""Converse, ConverseStream and CountTokens, through boto3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.testing import LocalBedrock, ReceivedRequest

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Hello, my secret friend"}]}]
TOOL_CALL = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Look it up.", "signature": "s"}}},
                {"text": "One moment."},
                {"toolUse": {"toolUseId": "t1", "name": "clock", "input": {"zone": "UTC"}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12},
    "metrics": {"latencyMs": 3},
}


def _document(name: str) -> dict[str, Any]:
    return {"document": {"name": name, "format": "txt", "source": {"bytes": b"t"}}}


def _text(answer: dict[str, Any]) -> str:
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


def _events(client: Any, **request: Any) -> list[dict[str, Any]]:
    answer = client.converse_stream(**{"modelId": NOVA, "messages": HELLO, **request})
    return list(answer["stream"])


def _streamed_text(events: list[dict[str, Any]]) -> str:
    deltas = [
        event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event
    ]
    return "".join(delta.get("text", "") for delta in deltas)


def test_the_default_answer_says_what_it_is_and_nothing_of_the_prompt(
    client: Callable[..., Any],
) -> None:
    answer = client().converse(modelId=NOVA, messages=HELLO)
    assert _text(answer) == f"LocalBedrock: {NOVA} in us-east-1 received 4 words."
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"] == {"inputTokens": 6, "outputTokens": 17, "totalTokens": 23}
    assert answer["metrics"] == {"latencyMs": 0}


@pytest.mark.parametrize(
    "model_id",
    [
        f"us.{CLAUDE}",
        f"global.{CLAUDE}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}",
        f"arn:aws:bedrock:us-east-1:999999999999:inference-profile/us.{NOVA}",
    ],
)
def test_profiles_and_arns_are_model_identifiers_too(
    bedrock: LocalBedrock, client: Callable[..., Any], model_id: str
) -> None:
    assert model_id in _text(client().converse(modelId=model_id, messages=HELLO))
    assert bedrock.requests[-1].model_id == model_id


@pytest.mark.parametrize(
    ("model_id", "code", "sentence"),
    [
        (
            "amazon.unheard-of-v1:0",
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        (f"eu.{NOVA}", "ValidationException", "The provided model identifier is invalid."),
        (
            CLAUDE,
            "ValidationException",
            (
                f"Invocation of model ID {CLAUDE} with on-demand throughput isn’t supported. Retry your"  # noqa: RUF001
                " request with the ID or ARN of an inference profile that contains this model."
            ),
        ),
        (
            "ai21.jamba-v1:0",
            "ResourceNotFoundException",
            (
                "This model version has reached the end of its life. Please refer to the AWS"
                " documentation for more details."
            ),
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl",
            "ResourceNotFoundException",
            "The provided model resource could not be found.",
        ),
        (
            "amazon.titan-embed-text-v2:0",
            "ValidationException",
            (
                "This action doesn't support the model that you provided. Try again with a supported"
                " text or chat model."
            ),
        ),
    ],
)
def test_an_identifier_that_cannot_be_called_is_refused_in_the_words_of_the_service(
    client: Callable[..., Any], model_id: str, code: str, sentence: str
) -> None:
    with pytest.raises(ClientError) as caught:
        client().converse(modelId=model_id, messages=HELLO)
    assert caught.value.response["Error"] == {"Code": code, "Message": sentence}


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl",
        "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl",
    ],
)
def test_a_registered_target_answers(
    bedrock: LocalBedrock, client: Callable[..., Any], arn: str
) -> None:
    bedrock.register_target(arn, CLAUDE)
    assert arn in _text(client().converse(modelId=arn, messages=HELLO))


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (
            {"messages": [{"role": "robot", "content": [{"text": "x"}]}]},
            (r"Value at 'messages\.1\.member\.role' failed to satisfy constraint: Member must satisfy"
            r" enum value set: \[user, assistant"),
        ),
        (
            {"messages": HELLO, "inferenceConfig": {"temperature": 1.5}},
            r"Value at 'inferenceConfig\.temperature' failed .* less than or equal to 1",
        ),
        (
            {"messages": HELLO, "toolConfig": {"tools": [{"toolSpec": {
                "name": "no spaces!", "inputSchema": {"json": {}}}}]}},
            r"regular expression pattern",
        ),
        ({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}, "must start with a user"),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}, {"text": " \n"}]}]},
            r"at messages\.0\.content\.1 is blank\. Add text to the text field, and try again\.",
        ),
        ({"messages": [{"role": "user", "content": []}]}, r"messages\.0 is empty"),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}, {"document": {
                "name": "a  b", "format": "txt", "source": {"bytes": b"t"}}}]}]},
            "document file name can only contain",
        ),
        (
            {"messages": [{"role": "user", "content": [{"document": {
                "name": "a", "format": "txt", "source": {"bytes": b"t"}}}]}]},
            "A text block must be included when using documents",
        ),
        (
            {"messages": [
                {"role": "user", "content": [{"text": "x"}, _document("a")]},
                {"role": "assistant", "content": [{"text": "x"}]},
                {"role": "user", "content": [{"text": "x"}, _document("a")]},
            ]},
            (r"Messages can't contain duplicate document names\. Rename the document and retry your"
            r" request\."),
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}, *map(_document, "abcdef")]}]},
            r"You can't include more than 5 documents in a request\.",
        ),
        (
            {"messages": [*HELLO, {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "t1", "name": "clock", "input": {}}}]}]},
            r"toolConfig field must be defined when using toolUse and toolResult content blocks\.",
        ),
        (
            {"messages": [{"role": "user", "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "noon"}]}}]}]},
            r"toolConfig field must be defined when using toolUse and toolResult content blocks\.",
        ),
    ],
)  # fmt: skip
def test_a_request_that_the_service_would_refuse_is_refused(
    client: Callable[..., Any], request_: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*{sentence}"):
        client().converse(modelId=NOVA, **request_)


@pytest.mark.parametrize(
    ("reply", "beginning", "answer"),
    [
        ("one two three", "one two", " three"),
        ("one two three", "one two three", ""),
        ("one two three", "two", "one two three"),
        (lambda _: "one two three", "one", "one two three"),  # it decides for itself
    ],
)
def test_a_text_is_continued_where_its_beginning_is_given(
    bedrock: LocalBedrock, client: Callable[..., Any], reply: Any, beginning: str, answer: str
) -> None:
    bedrock.reply_with(reply)
    given = [*HELLO, {"role": "assistant", "content": [{"text": beginning}]}]
    assert _text(client().converse(modelId=NOVA, messages=given)) == answer
    assert _streamed_text(_events(client(), messages=given)) == answer
    assert _text(client().converse(modelId=NOVA, messages=HELLO)) == "one two three"


def test_a_stream_says_the_same_as_the_whole_answer(client: Callable[..., Any]) -> None:
    whole = client().converse(modelId=NOVA, messages=HELLO)
    events = _events(client())
    assert _streamed_text(events) == _text(whole)
    assert [next(iter(event)) for event in events if "contentBlockDelta" not in event] == [
        "messageStart",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    assert events[-1]["metadata"]["usage"] == whole["usage"]


def test_a_model_that_cannot_stream_refuses_to(client: Callable[..., Any]) -> None:
    client().converse(modelId="mistral.mistral-silent-v1:0", messages=HELLO)
    with pytest.raises(ClientError, match="The model is unsupported for streaming"):
        _events(client(), modelId="mistral.mistral-silent-v1:0")


def test_tokens_are_counted_as_converse_counts_them(
    client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock-runtime", "CountTokensRequest")
    converse = client().converse(modelId=NOVA, messages=HELLO)
    counted = client().count_tokens(modelId=NOVA, input={"converse": {"messages": HELLO}})
    assert counted["inputTokens"] == converse["usage"]["inputTokens"]


def test_tokens_of_an_invoke_body_are_counted(
    client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock-runtime", "CountTokensRequest")
    body = {"invokeModel": {"body": b"x" * 400}}
    assert client().count_tokens(modelId=NOVA, input=body)["inputTokens"] == 100


def test_tokens_are_counted_for_a_model_that_only_a_profile_calls(
    client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock-runtime", "CountTokensRequest")
    body = {"converse": {"messages": HELLO}}
    assert client().count_tokens(modelId=CLAUDE, input=body)["inputTokens"] == 6
    with pytest.raises(ClientError, match=r"ValidationException.*doesn't support counting tokens"):
        client().count_tokens(modelId=f"us.{CLAUDE}", input=body)


def test_replies_with_times_come_first_and_the_newest_of_the_others_lasts(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.reply_with("old")
    bedrock.reply_with("new")
    bedrock.reply_with("first", times=1)
    bedrock.reply_with("second", times=1)
    bedrock.reply_with("elsewhere", region="eu-west-1", times=9)
    texts = [_text(client().converse(modelId=NOVA, messages=HELLO)) for _ in range(4)]
    assert texts == ["first", "second", "new", "new"]
    assert _text(client(region="eu-west-1").converse(modelId=NOVA, messages=HELLO)) == "elsewhere"


def test_a_whole_output_is_answered_and_streamed(
    bedrock: LocalBedrock, client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock-runtime", "ContentBlock", "reasoningContent")
    bedrock.reply_with(TOOL_CALL)
    whole = client().converse(modelId=NOVA, messages=HELLO)
    assert whole["output"] == TOOL_CALL["output"]
    events = _events(client())
    assert _streamed_text(events) == "One moment."
    starts = [event["contentBlockStart"] for event in events if "contentBlockStart" in event]
    assert starts == [
        {"start": {"toolUse": {"toolUseId": "t1", "name": "clock"}}, "contentBlockIndex": 2}
    ]
    deltas = [
        event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event
    ]
    assert deltas[-1] == {"toolUse": {"input": json.dumps({"zone": "UTC"})}}
    assert {"reasoningContent": {"signature": "s"}} in deltas
    assert {"messageStop": {"stopReason": "tool_use"}} in events


def test_bytes_in_a_reply_arrive_as_bytes(
    bedrock: LocalBedrock, client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock-runtime", "ContentBlock", "reasoningContent")
    redacted = {"reasoningContent": {"redactedContent": b"\x00\xff"}}
    message = {"role": "assistant", "content": [redacted]}
    bedrock.reply_with({**TOOL_CALL, "output": {"message": message}})
    answer = client().converse(modelId=NOVA, messages=HELLO)
    assert answer["output"]["message"]["content"] == [redacted]
    assert {"contentBlockDelta": {"delta": redacted, "contentBlockIndex": 0}} in _events(client())


def test_scripted_events_are_streamed_and_left_alone_by_converse(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    events: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Hi"}}},
        {"messageStop": {"stopReason": "max_tokens"}},
    ]
    bedrock.reply_with(events)
    assert _events(client()) == events
    assert _text(client().converse(modelId=NOVA, messages=HELLO)).startswith("LocalBedrock")


def test_a_reply_function_sees_the_request(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    seen: list[ReceivedRequest] = []

    def reply(request: ReceivedRequest) -> str:
        seen.append(request)
        return f"{request.operation} of {request.model_id}"

    bedrock.reply_with(reply)
    assert _text(client().converse(modelId=NOVA, messages=HELLO)) == f"Converse of {NOVA}"
    assert seen[0].region == "us-east-1"
    assert seen[0].body == {"messages": HELLO}
    assert "Boto3" in seen[0].headers["user-agent"]


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ({**TOOL_CALL, "usage": {"inputTokens": 5}}, "usage.outputTokens"),
        ({**TOOL_CALL, "stopReson": "end_turn"}, "stopReson"),
        ([{"messageStart": {"role": 1}}], "0.messageStart.role"),
        ([{"messageBegin": {}}], "unknown type 'messageBegin'"),
        (["messageStart"], "Event 0 must be a mapping"),
    ],
)
def test_a_reply_that_does_not_fit_is_refused_when_scripted(
    bedrock: LocalBedrock, reply: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        bedrock.reply_with(reply)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda _: {"output": {}}, "ValueError: The reply is no output of Converse"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: [{"messageStop": {}}], "ValueError: The reply is no output of Converse"),
    ],
)
def test_a_reply_function_that_fails_is_an_error_on_record(
    bedrock: LocalBedrock, client: Callable[..., Any], reply: Any, reason: str
) -> None:
    bedrock.reply_with(reply)
    with pytest.raises(
        ClientError, match=r"InternalServerException.*LocalBedrock could not answer"
    ):
        client().converse(modelId=NOVA, messages=HELLO)
    assert bedrock.errors[0].startswith(f"Converse: {reason}")


def test_a_block_that_the_service_does_not_stream_is_an_error_on_record(
    bedrock: LocalBedrock, client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock-runtime", "ContentBlock", "video")
    video = {"video": {"format": "mp4", "source": {"bytes": b"x"}}}
    message = {"role": "assistant", "content": [video]}
    bedrock.reply_with({**TOOL_CALL, "output": {"message": message}})
    with pytest.raises(ClientError, match="InternalServerException"):
        _events(client())
    assert "kind 'video' cannot be streamed" in bedrock.errors[0]
