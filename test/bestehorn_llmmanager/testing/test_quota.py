"""LocalBedrock throttles what a token quota has no room for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
from bestehorn_llmmanager.testing import Fault, LocalBedrock, LocalBedrockProcess
from bestehorn_llmmanager.testing._errors import ServiceError
from bestehorn_llmmanager.testing._quota import QuotaBook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HELLO: list[Any] = [{"role": "user", "content": [{"text": "x" * 40}]}]
INPUT = 10


def used(tokens: int, **usage: int) -> dict[str, Any]:
    """A reply that has used so many output tokens."""
    counts = {"inputTokens": INPUT, "outputTokens": tokens, "totalTokens": INPUT + tokens}
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": "end_turn",
        "usage": {**counts, **usage},
        "metrics": {"latencyMs": 1},
    }


def refusal(client: Any, model_id: str = NOVA, **request: Any) -> Mapping[str, Any] | None:
    try:
        client.converse(modelId=model_id, messages=HELLO, **request)
    except ClientError as error:
        response: Mapping[str, Any] = error.response
        return response
    return None


def calls_until_throttled(client: Any, model_id: str = NOVA, **request: Any) -> int:
    for number in range(30):
        response = refusal(client, model_id, **request)
        if response is not None:
            assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
            assert response["Error"] == {
                "Code": "ThrottlingException",
                "Message": "Too many tokens, please wait before trying again.",
            }
            return number
    return 30


def most_tokens(number: int) -> dict[str, Any]:
    return {"inferenceConfig": {"maxTokens": number}}


def test_calls_count_what_they_used_and_need_room_for_what_they_may_use(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.limit_tokens(200)
    bedrock.reply_with(used(15))
    # Each uses 25; the fifth would need 110 where 100 are left.
    assert calls_until_throttled(client(), **most_tokens(100)) == 4
    assert calls_until_throttled(client(), **most_tokens(65)) == 2
    assert bedrock.errors == ()


@pytest.mark.needs_member("cacheReadInputTokens")
@pytest.mark.parametrize(
    ("usage", "calls"),
    [
        ({}, 4),
        ({"cacheReadInputTokens": 500}, 4),
        ({"cacheWriteInputTokens": 25}, 2),
    ],
)
def test_what_is_written_to_the_cache_counts_and_what_is_read_from_it_does_not(
    bedrock: LocalBedrock, client: Callable[..., Any], usage: dict[str, int], calls: int
) -> None:
    bedrock.limit_tokens(150)
    bedrock.reply_with(used(15, **usage))
    assert calls_until_throttled(client(), **most_tokens(65)) == calls


@pytest.mark.parametrize("model_id", [f"us.{CLAUDE}", f"global.{CLAUDE}"])
def test_output_of_a_model_that_burns_counts_five_times(
    bedrock: LocalBedrock, client: Callable[..., Any], model_id: str
) -> None:
    bedrock.limit_tokens(200)
    bedrock.reply_with(used(15))
    # Each uses 85, more than the 75 that it reserves.
    assert calls_until_throttled(client(), model_id, **most_tokens(65)) == 2


def test_without_max_tokens_the_longest_answer_of_the_model_is_reserved(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    nova = bundled_catalog().get_model("Nova Lite")
    assert nova is not None
    assert nova.facts is not None
    longest = nova.facts.max_output_tokens
    assert longest is not None
    assert longest > 4096
    for quota, calls in ((longest + INPUT - 1, 0), (longest + INPUT, 1)):
        bedrock.reset()
        bedrock.limit_tokens(quota)
        bedrock.reply_with(used(15))
        assert calls_until_throttled(client()) == calls


def test_where_the_longest_answer_is_not_known_four_thousand_tokens_are_reserved(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.limit_tokens(4096 + INPUT)
    assert calls_until_throttled(client(), "mistral.mistral-silent-v1:0") == 1


def test_each_identifier_and_each_region_has_a_quota_of_its_own(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.limit_tokens(80)
    bedrock.reply_with(used(60))
    east, west = client(), client(region="eu-west-1")
    one = most_tokens(60)
    assert calls_until_throttled(east, **one) == 1
    assert calls_until_throttled(east, f"us.{NOVA}", **one) == 1
    assert calls_until_throttled(west, **one) == 1


def test_a_limit_may_be_for_one_model_or_one_region_and_the_newest_holds(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.limit_tokens(80, region="us-east-1")
    bedrock.limit_tokens(160, model_id=NOVA)
    bedrock.reply_with(used(60))
    one = most_tokens(60)
    assert calls_until_throttled(client(), **one) == 2
    assert calls_until_throttled(client(), f"us.{NOVA}", **one) == 1
    assert calls_until_throttled(client(region="eu-west-1"), f"eu.{NOVA}", **one) == 30


def test_a_stream_counts_like_an_answer(bedrock: LocalBedrock, client: Callable[..., Any]) -> None:
    bedrock.limit_tokens(100)
    bedrock.reply_with(used(15))

    def stream() -> None:
        events = client().converse_stream(modelId=NOVA, messages=HELLO, **most_tokens(65))
        with closing(events["stream"]) as reading:
            list(reading)

    stream()
    stream()
    with pytest.raises(ClientError, match="Too many tokens"):
        stream()


def test_a_registered_target_burns_like_its_model(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    bedrock.register_target(arn, f"us.{CLAUDE}")
    bedrock.limit_tokens(200)
    bedrock.reply_with(used(15))
    assert calls_until_throttled(client(), arn, **most_tokens(65)) == 2


def test_refused_and_faulty_calls_count_nothing(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.limit_tokens(80)
    bedrock.fail(Fault.internal_error(), times=3)
    for _ in range(3):
        with pytest.raises(ClientError):
            client().converse(modelId=NOVA, messages=HELLO, **most_tokens(60))
    with pytest.raises(ClientError, match="blank"):
        client().converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": " "}]}])
    assert calls_until_throttled(client(), **most_tokens(60)) == 1


def test_while_a_call_is_under_way_its_reservation_counts(snapshot: dict[str, Any]) -> None:
    with LocalBedrock(snapshot, latency=0.4) as bedrock, ThreadPoolExecutor(3) as threads:
        client = bedrock.client(config=Config(retries={"total_max_attempts": 1}))
        bedrock.limit_tokens(250)
        bedrock.reply_with(used(1))
        start = threading.Barrier(3)

        def is_throttled() -> bool:
            start.wait()
            return refusal(client, **most_tokens(100)) is not None

        outcomes = [each.result() for each in [threads.submit(is_throttled) for _ in range(3)]]
        assert sorted(outcomes) == [False, False, True]
        # 22 are used, 228 left.
        assert calls_until_throttled(client, **most_tokens(218)) == 1


def test_a_forgotten_quota_throttles_nobody(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.limit_tokens(1)
    assert calls_until_throttled(client()) == 0
    bedrock.reset()
    client().converse(modelId=NOVA, messages=HELLO)


@pytest.mark.parametrize("tokens", [0, -1, 1.5, True, "100"])
def test_a_quota_is_a_whole_number_from_one_on(bedrock: LocalBedrock, tokens: Any) -> None:
    with pytest.raises(ValueError, match="`tokens_per_minute` must be a number from 1 on, got"):
        bedrock.limit_tokens(tokens)


@pytest.mark.parametrize("period", [0, -1.0, float("nan")])
def test_a_period_is_above_zero(bedrock: LocalBedrock, period: float) -> None:
    with pytest.raises(ValueError, match="`period` must be above 0, got"):
        bedrock.limit_tokens(100, period=period)


def test_the_process_takes_a_quota_too() -> None:
    with LocalBedrockProcess() as process:
        process.limit_tokens(80, NOVA, "us-east-1", period=600)
        client = process.client(config=Config(retries={"total_max_attempts": 1}))
        process.reply_with(used(60))
        assert calls_until_throttled(client, **most_tokens(60)) == 1
        assert [served.status for served in process.requests] == [200, 429]


# --- the books, by a clock that the test has ------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def book_of(tokens: int, clock: Clock) -> Callable[[int], Any]:
    book = QuotaBook(clock)
    book.add(tokens, model_id=None, region=None, period=60)

    def reserve(max_tokens: int) -> Any:
        return book.reserve("us-east-1", NOVA, NOVA, {"messages": HELLO, **most_tokens(max_tokens)})

    return reserve


def test_what_was_used_counts_for_a_period_from_its_start() -> None:
    clock = Clock()
    reserve = book_of(100, clock)
    first = reserve(80)
    clock.now = 50
    first.will_use({"inputTokens": 10, "outputTokens": 70})
    first.settle()
    clock.now = 59.9
    with pytest.raises(ServiceError):
        reserve(80)
    clock.now = 60
    reserve(80)


def test_a_call_longer_than_the_period_is_forgotten_once() -> None:
    clock = Clock()
    reserve = book_of(100, clock)
    long_ago = reserve(80)
    clock.now = 61
    reserve(80).settle()
    long_ago.will_use({"inputTokens": 90})
    long_ago.settle()
    reserve(90)
