"""Shows each defect of 0.9.0 put right, through the public API: the number is that of the contract.

Those with the weight "must" or "should" of the areas that one call of a manager goes through.
"""

from __future__ import annotations

import copy
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader

import bestehorn_llmmanager.bedrock.models.bedrock_response as responses
import bestehorn_llmmanager.bedrock.models.llm_manager_structures as structures
from bestehorn_llmmanager import (
    LLMManager,
    ParameterCompatibilityTracker,
    build_json_schema_output_config,
    create_user_message,
)
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ConfigurationError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.cache_structures import (
    CacheConfig,
    CacheErrorHandling,
    CacheStrategy,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    ResponseValidationConfig,
    RetryConfig,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.tracking import AccessMethodTracker
from bestehorn_llmmanager.testing import Fault
from bestehorn_llmmanager.testing._event_stream import event_frame
from bestehorn_llmmanager.util.file_type_detector import FileTypeDetector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bestehorn_llmmanager.testing import LocalBedrock
    from bestehorn_llmmanager.testing._replies import ReceivedRequest

EAST, WEST = "us-east-1", "us-west-2"
LITE, MICRO = "amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROMPT = [{"role": "user", "content": [{"text": "Hello"}]}]
FILES = Path(__file__).parents[1] / "data" / "files"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
IMAGE = {"image": {"format": "png", "source": {"bytes": PNG}}}
LONG = {"text": "x" * 4000}
POINT = {"cachePoint": {"type": "default"}}
TOOL = {"toolSpec": {"name": "add", "inputSchema": {"json": {"type": "object"}}}}
GUARDRAIL = {"guardrailIdentifier": "gr12345678", "guardrailVersion": "1"}
ON_DEMAND = Fault.validation(
    f"Invocation of model ID {LITE} with on-demand throughput isn\u2019t supported. Retry your "
    "request with the ID or ARN of an inference profile that contains this model."
)
NO_SUCH_POINT = Fault.validation("#: extraneous key [cachePoint] is not permitted")


CACHING = pytest.mark.needs_member("cachePoint")


def new_manager(
    models: Sequence[str] = ("Nova Lite",), regions: Sequence[str] = (EAST,), **more: Any
) -> LLMManager:
    """A manager that knows the bundled catalogue, and neither waits nor asks AWS for another."""
    options = {
        "catalog_cache_mode": CacheMode.NONE,
        "catalog_refresh": "never",
        "retry_config": RetryConfig(retry_delay=0),
        **more,
    }
    return LLMManager(list(models), list(regions), **options)


def called(bedrock: LocalBedrock) -> list[tuple[str | None, str | None]]:
    """Region and identifier of every model call, in order."""
    return [(r.region, r.model_id) for r in bedrock.requests if r.operation.startswith("Converse")]


def bodies(bedrock: LocalBedrock) -> list[Mapping[str, Any]]:
    return [r.body for r in bedrock.requests if r.body and r.operation.startswith("Converse")]


def kinds(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    return [kind for block in blocks for kind in block]


def output(*blocks: dict[str, Any]) -> dict[str, Any]:
    """What Converse returns with this content."""
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 1},
    }


def says(*pieces: str) -> list[dict[str, Any]]:
    """The events of a stream that says so."""
    return [
        {"messageStart": {"role": "assistant"}},
        *({"contentBlockDelta": {"delta": {"text": t}, "contentBlockIndex": 0}} for t in pieces),
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]


def codes(errors: Sequence[Any]) -> list[str]:
    return [error.response["Error"]["Code"] for error in errors]


# Structures and construction


def test_defect_03_the_text_form_of_credentials_masks_them() -> None:
    config = AuthConfig(
        AuthenticationType.CREDENTIALS,
        access_key_id="AKIAEXAMPLE",
        secret_access_key="very-secret",
        session_token="very-secret, too",
    )
    assert "very-secret" not in repr(config)
    assert "very-secret" not in str(AuthManager(config))


def test_defect_04_there_is_one_class_of_responses_and_one_of_streams() -> None:
    assert structures.BedrockResponse is responses.BedrockResponse
    assert structures.StreamingResponse is responses.StreamingResponse


def test_defect_05_a_string_in_the_place_of_a_list_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'Nova Lite'"):
        LLMManager("Nova Lite", [EAST])
    with pytest.raises(ConfigurationError, match=f"'{EAST}'"):
        LLMManager(["Nova Lite"], EAST)


def test_defect_06_a_timeout_ends_a_call_that_would_wait_longer(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse")
    patient = RetryConfig(retry_delay=1e9, max_retry_delay=1e9)
    started = time.monotonic()
    with pytest.raises(RetryExhaustedError, match="The time is up"):
        new_manager(retry_config=patient, timeout=20).converse(PROMPT)
    with pytest.raises(RetryExhaustedError, match="The time is up"):
        new_manager(retry_config=patient).converse(PROMPT, timeout=20)
    assert time.monotonic() - started < 15
    assert called(bedrock) == [(EAST, LITE)] * 2


# Retries and fallbacks


def test_defect_08_a_throttled_target_is_asked_again_up_to_max_retries(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", times=2)
    assert new_manager().converse(PROMPT).success
    assert called(bedrock) == [(EAST, LITE)] * 3
    bedrock.fail(Fault.throttling(), operation="Converse")
    with pytest.raises(RetryExhaustedError):
        new_manager(retry_config=RetryConfig(max_retries=1, retry_delay=0)).converse(PROMPT)
    assert called(bedrock)[3:] == [(EAST, LITE)] * 2


def test_defect_08_what_no_target_can_cure_is_sent_once_or_not_at_all(
    bedrock: LocalBedrock,
) -> None:
    everywhere = new_manager(["Nova Lite", "Nova Micro"], [EAST, WEST])
    with pytest.raises(RequestValidationError):
        everywhere.converse([{"role": "user", "content": [{"text": 5}]}])
    assert called(bedrock) == []
    malformed = Fault.validation("A conversation must alternate between user and assistant roles.")
    bedrock.fail(malformed, operation="Converse", times=1)
    with pytest.raises(RequestValidationError):
        everywhere.converse(PROMPT)
    assert called(bedrock) == [(EAST, LITE)]


def test_defect_08_expired_credentials_end_a_call_at_its_first_target(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.expired_token(), operation="Converse")
    with pytest.raises(AuthenticationError):
        new_manager(["Nova Lite", "Nova Micro"], [EAST, WEST]).converse(PROMPT)
    assert set(called(bedrock)) == {(EAST, LITE)}


def test_defect_09_what_was_refused_is_left_out_of_later_calls(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.validation("unknown parameter 'foo'"), operation="Converse", times=1)
    manager = new_manager()
    first, second = (
        manager.converse(PROMPT, additional_model_request_fields={"foo": 1}) for _ in range(2)
    )
    assert ["additionalModelRequestFields" in body for body in bodies(bedrock)] == [
        True,
        False,
        False,
    ]
    assert second.success
    assert second.get_attempt_count() == 1
    assert second.get_warnings() == first.get_warnings() != []


def test_defect_10_a_guardrail_is_never_dropped(bedrock: LocalBedrock) -> None:
    manager = new_manager(["Nova Micro", "Nova Lite"])
    for message in (
        "The guardrail identifier or version provided does not exist.",
        "This model doesn't support guardrails.",
        "The model does not support the guardrailConfig field.",
    ):
        bedrock.fail(Fault.validation(message), operation="Converse", times=2)
        with pytest.raises(RequestValidationError):
            manager.converse(PROMPT, guardrail_config=GUARDRAIL)
        bedrock.clear_faults()
    assert len(bodies(bedrock)) >= 3
    assert all(body.get("guardrailConfig") == GUARDRAIL for body in bodies(bedrock))


def test_defect_11_tools_and_content_survive_errors_that_only_mention_them(
    bedrock: LocalBedrock,
) -> None:
    messages = [{"role": "user", "content": [{"text": "Add"}, IMAGE]}]
    for message in (
        "The tool function add has an invalid name.",
        "Could not process the image: the document is broken.",
    ):
        bedrock.fail(Fault.validation(message), operation="Converse", times=1)
        with pytest.raises(RequestValidationError):
            new_manager().converse(messages, tool_config={"tools": [TOOL]})
    assert [kinds(body["messages"][0]["content"]) for body in bodies(bedrock)] == [
        ["text", "image"]
    ] * 2
    assert all("toolConfig" in body for body in bodies(bedrock))


def test_defect_11_a_model_that_has_the_feature_is_preferred(bedrock: LocalBedrock) -> None:
    bedrock.fail(
        Fault.validation("This model doesn't support tool use."),
        operation="Converse",
        model_id=MICRO,
    )
    manager = new_manager(["Nova Micro", "Nova Lite"])
    response = manager.converse(PROMPT, tool_config={"tools": [TOOL]})
    assert called(bedrock) == [(EAST, MICRO), (EAST, LITE)]
    assert all("toolConfig" in body for body in bodies(bedrock))
    assert (response.model_used, response.features_disabled) == ("Nova Lite", [])


@CACHING
def test_defect_12_cache_points_that_are_refused_are_taken_out_of_everything(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
    messages = [{"role": "user", "content": [LONG, POINT, {"text": "q"}]}]
    response = new_manager().converse(
        messages, system=[LONG, POINT], tool_config={"tools": [TOOL, POINT]}
    )
    assert response.success
    first, second = (json.dumps(body).count("cachePoint") for body in bodies(bedrock))
    assert (first, second) == (3, 0)
    (kept,) = bodies(bedrock)[1]["messages"]
    assert kept["content"] == [LONG, {"text": "q"}]


@CACHING
def test_defect_12_that_cache_points_were_refused_is_remembered(bedrock: LocalBedrock) -> None:
    bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
    messages = [{"role": "user", "content": [LONG, POINT, {"text": "q"}]}]
    manager = new_manager()
    assert all(manager.converse(messages).success for _ in range(2))
    assert [json.dumps(body).count("cachePoint") for body in bodies(bedrock)] == [1, 0, 0]


def test_defect_13_what_was_tried_is_listed_in_the_order_in_which_it_was(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse")
    models = ["Claude Sonnet 4.5", "Claude Haiku 4.5", "Nova Lite", "Claude Opus 4.5"]
    regions = [WEST, "us-east-2", EAST]
    with pytest.raises(RetryExhaustedError) as raised:
        new_manager(models, regions).converse(PROMPT)
    assert raised.value.models_tried == models
    assert raised.value.regions_tried == regions


# Access methods and trackers


def test_defect_14_a_preference_holds_for_every_call_whatever_went_before(
    bedrock: LocalBedrock,
) -> None:
    plain = new_manager(["Claude Haiku 4.5"])
    preferring = new_manager(["Claude Haiku 4.5"], access_method_preference="global_cris")
    managers = (plain, preferring, preferring, plain)
    used = [manager.converse(PROMPT).access_method_used for manager in managers]
    assert used == ["regional_cris", "global_cris", "global_cris", "regional_cris"]
    geographies = [str(identifier).partition(".")[0] for _, identifier in called(bedrock)]
    assert geographies == ["us", "global", "global", "us"]


def test_defect_15_the_fraction_is_kept_and_what_is_reported_is_what_was_sent(
    bedrock: LocalBedrock,
) -> None:
    manager = new_manager(["Claude Haiku 4.5"], global_cris_fraction=0.25)
    reported = [manager.converse(PROMPT) for _ in range(8)]
    assert [r.access_method_used for r in reported] == [
        *["regional_cris"] * 3,
        "global_cris",
    ] * 2
    assert [r.get_profile_id() for r in reported] == [model_id for _, model_id in called(bedrock)]


def test_defect_16_the_tracker_takes_parameters_that_json_cannot_express() -> None:
    tracker = ParameterCompatibilityTracker()
    fields: dict[str, Any] = {"seed": b"\x00\xff", "stop": {"a", "b"}, "kind": object}
    tracker.record_failure(LITE, EAST, fields, ValueError("no"))
    assert tracker.is_known_incompatible(LITE, EAST, dict(reversed(fields.items())))
    assert not tracker.is_known_incompatible(LITE, EAST, {**fields, "seed": b"\x00"})


def test_defect_16_a_call_with_such_parameters_is_refused_by_its_place(
    bedrock: LocalBedrock,
) -> None:
    with pytest.raises(RequestValidationError) as raised:
        new_manager().converse(PROMPT, additional_model_request_fields={"seed": b"\x00\xff"})
    assert any("seed" in place for place in raised.value.invalid_fields)
    assert called(bedrock) == []


# Responses


def test_defect_17_the_profile_that_was_sent_is_reported(bedrock: LocalBedrock) -> None:
    response = new_manager(["Claude Haiku 4.5"]).converse(PROMPT)
    assert response.inference_profile_id == response.get_profile_id() == f"us.{HAIKU}"
    direct = new_manager().converse(PROMPT)
    assert (direct.inference_profile_id, direct.get_profile_id()) == (None, None)
    assert called(bedrock) == [(EAST, f"us.{HAIKU}"), (EAST, LITE)]


def test_defect_18_a_feature_that_is_left_out_is_reported(bedrock: LocalBedrock) -> None:
    bedrock.fail(
        Fault.validation("This model doesn't support images."), operation="Converse", times=1
    )
    messages = [{"role": "user", "content": [{"text": "What is this?"}, IMAGE]}]
    response = new_manager().converse(messages)
    assert [kinds(body["messages"][0]["content"]) for body in bodies(bedrock)] == [
        ["text", "image"],
        ["text"],
    ]
    assert response.get_disabled_features() == response.features_disabled == ["image_processing"]
    assert any("image_processing" in warning for warning in response.warnings)


@CACHING
def test_defect_18_cache_points_that_are_left_out_are_reported(bedrock: LocalBedrock) -> None:
    bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
    messages = [{"role": "user", "content": [LONG, POINT, {"text": "q"}]}]
    response = new_manager().converse(messages)
    assert response.features_disabled == ["prompt_caching"]
    assert any("prompt_caching" in warning for warning in response.warnings)


def test_defect_19_a_refused_answer_is_asked_for_again_with_all_fallbacks(
    bedrock: LocalBedrock,
) -> None:
    bedrock.reply_with("no", times=1)
    bedrock.reply_with("yes")
    bedrock.fail(ON_DEMAND, operation="Converse", model_id=LITE)
    response = new_manager().converse(
        PROMPT,
        response_validation_config=ResponseValidationConfig(
            lambda r: ValidationResult(success=r.get_content() == "yes", error_message="not yes"),
            response_validation_retries=1,
        ),
    )
    assert called(bedrock) == [(EAST, LITE), (EAST, f"us.{LITE}"), (EAST, f"us.{LITE}")]
    assert response.get_content() == "yes"
    assert response.access_method_used == "regional_cris"
    assert [
        (attempt.attempt_number, attempt.validation_result.success, attempt.failed_content)
        for attempt in response.validation_attempts
    ] == [(1, False, "no"), (2, True, None)]
    assert response.validation_errors == [{"success": False, "error_message": "not yes"}]


def test_defect_19_without_retries_an_answer_is_validated_once(bedrock: LocalBedrock) -> None:
    asked: list[object] = []
    once = ResponseValidationConfig(
        lambda response: ValidationResult(success=not asked.append(response)),  # type: ignore[func-returns-value]  # None is false
        response_validation_retries=0,
    )
    response = new_manager().converse(PROMPT, response_validation_config=once)
    assert response.success
    assert len(asked) == len(called(bedrock)) == 1


def test_defect_20_removed_parameters_are_reported_with_what_was_sent(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.validation("unknown parameter 'foo'"), operation="Converse", times=1)
    fields = {"foo": 1, "bar": 2}
    response = new_manager().converse(PROMPT, additional_model_request_fields=fields)
    assert response.had_parameters_removed()
    assert response.parameters_removed == ["foo"]
    assert response.original_additional_fields == fields == {"foo": 1, "bar": 2}
    assert response.final_additional_fields == {"bar": 2}
    assert bodies(bedrock)[-1]["additionalModelRequestFields"] == {"bar": 2}


def test_defect_21_after_a_fallback_to_a_profile_the_profile_is_reported(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(ON_DEMAND, operation="Converse", model_id=LITE)
    response = new_manager().converse(PROMPT)
    assert response.get_access_method_info() == {
        "access_method": "regional_cris",
        "profile_used": True,
        "profile_id": f"us.{LITE}",
        "model_id": "Nova Lite",
        "region": EAST,
    }
    assert response.attempts[0].access_method == "regional_cris"
    assert response.model_id_used == called(bedrock)[-1][1]


def test_defect_22_answers_that_were_accepted_at_once_are_no_failures(
    bedrock: LocalBedrock,
) -> None:
    accepting = ResponseValidationConfig(lambda _: ValidationResult(success=True))
    response = new_manager().converse(PROMPT, response_validation_config=accepting)
    assert response.get_validation_attempt_count() == 1
    assert response.had_validation_failures() is False
    assert response.get_validation_metrics()["had_validation_failures"] is False


@pytest.mark.needs_member("reasoningContent")
def test_defect_24_answers_with_bytes_become_json(bedrock: LocalBedrock) -> None:
    redacted = {"reasoningContent": {"redactedContent": "c2VjcmV0"}}
    picture = {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}}
    bedrock.reply_with(output(redacted, picture))
    response = new_manager().converse(PROMPT)
    blocks = response.get_content_blocks()
    assert blocks is not None
    assert blocks[1]["image"]["source"]["bytes"] == b"\x89PNG"
    stored = json.loads(response.to_json())
    assert stored["response_data"]["output"]["message"]["content"] == [redacted, picture]


@pytest.mark.needs_member("outputConfig")
def test_defect_25_a_schema_becomes_what_the_service_takes(bedrock: LocalBedrock) -> None:
    bedrock.reply_with('{"n": 1}')
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    config = build_json_schema_output_config(schema)
    assert config == {"textFormat": {"type": "json_schema", "structure": schema}}
    response = new_manager().converse(PROMPT, output_config=config)
    assert response.get_structured_output() == {"n": 1}
    (body,) = bodies(bedrock)
    sent = body["outputConfig"]["textFormat"]
    assert sent["type"] == "json_schema"
    assert json.loads(sent["structure"]["jsonSchema"]["schema"]) == schema


def test_defect_26_no_record_of_the_log_has_a_rejected_answer(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    bedrock.reply_with("a very private answer")
    manager = new_manager(log_level="DEBUG")
    caplog.set_level(logging.DEBUG)
    rejecting = ResponseValidationConfig(
        lambda _: ValidationResult(success=False, error_message="no"), response_validation_retries=1
    )
    with pytest.raises(RetryExhaustedError) as raised:
        manager.converse(PROMPT, response_validation_config=rejecting)
    ours = [r for r in caplog.records if r.name.startswith("bestehorn_llmmanager")]
    assert len(ours) >= 2
    assert not any("private" in record.getMessage() for record in ours)
    assert "private" not in str(raised.value)


# Streams


def test_defect_27_a_recovered_stream_leaves_the_callers_messages_alone(
    bedrock: LocalBedrock,
) -> None:
    bedrock.reply_with(says("he", "y"))
    bedrock.fail(Fault.stream_reset(after_events=2), region=EAST)
    messages = copy.deepcopy(PROMPT)
    response = new_manager(regions=[EAST, WEST]).converse_stream(messages)
    assert "".join(response).endswith("y")
    assert response.get_target_switches() == 1
    assert messages == PROMPT


@pytest.mark.needs_member("reasoningContent")
def test_defect_28_reasoning_is_kept_out_of_the_answer(bedrock: LocalBedrock) -> None:
    thoughts = {"reasoningText": {"text": "Let me see.", "signature": "c2ln"}}
    bedrock.reply_with(output({"reasoningContent": thoughts}, {"text": "Four."}))
    response = new_manager().converse_stream(PROMPT)
    assert "".join(response) == response.get_full_content() == "Four."
    reasoning = response.get_reasoning()
    assert reasoning is not None
    assert (reasoning.text, reasoning.signature) == ("Let me see.", "c2ln")


NOVELTIES: list[tuple[str, dict[str, Any]]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockMood", {"mood": "fair", "contentBlockIndex": 0}),
    ("contentBlockDelta", {"delta": {"smell": "roses"}, "contentBlockIndex": 0}),
    ("contentBlockDelta", {"delta": {"text": "Hi"}, "contentBlockIndex": 1}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    ("messageStop", {"stopReason": "end_turn", "weather": {"is": "new"}}),
    ("epilogue", {}),
]


@pytest.fixture
def tomorrows_bedrock(monkeypatch: pytest.MonkeyPatch, bedrock: LocalBedrock) -> Iterator[None]:
    """A service that sends events of kinds that no botocore of today knows."""
    frames = b"".join(event_frame(kind, json.dumps(what).encode()) for kind, what in NOVELTIES)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.amazon.eventstream")
            self.send_header("Content-Length", str(len(frames)))
            self.end_headers()
            self.wfile.write(frames)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv(
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{server.server_port}"
        )
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield
        server.shutdown()


@pytest.fixture(params=["today", "tomorrow"])
def botocore_of(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The installed botocore drops these events; a later one will know them and hand them on."""
    if request.param == "tomorrow":
        loader = create_loader()
        version = loader.determine_latest_version("bedrock-runtime", "service-2")
        place = tmp_path / "bedrock-runtime" / version
        place.mkdir(parents=True)
        model = with_novelties(loader.load_service_model("bedrock-runtime", "service-2"))
        (place / "service-2.json").write_text(json.dumps(model))
        monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))


def with_novelties(model: dict[str, Any]) -> dict[str, Any]:
    shapes = model["shapes"]
    text = {"shape": "NewText"}
    mood = {"mood": text, "contentBlockIndex": {"shape": "NonNegativeInteger"}}
    shapes["NewText"] = {"type": "string"}
    for name, members in (("NewMood", mood), ("NewEpilogue", {})):
        shapes[name] = {"type": "structure", "members": members, "event": True}
    shapes["ConverseStreamOutput"]["members"] |= {
        "contentBlockMood": {"shape": "NewMood"},
        "epilogue": {"shape": "NewEpilogue"},
    }
    shapes["ContentBlockDelta"]["members"]["smell"] = text
    return model


@pytest.mark.usefixtures("tomorrows_bedrock", "botocore_of")
def test_defect_29_events_of_unknown_kinds_do_no_harm() -> None:
    response = new_manager().converse_stream(PROMPT)
    assert list(response) == ["Hi"]
    assert (response.success, response.stream_errors) == (True, [])
    assert response.stop_reason == "end_turn"


def test_defect_30_a_tool_call_in_a_stream_is_put_together(bedrock: LocalBedrock) -> None:
    use = {"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1, "b": [2, 3]}}}
    answer = output({"text": "One moment."}, use)
    bedrock.reply_with(answer)
    response = new_manager().converse_stream(PROMPT, tool_config={"tools": [TOOL]})
    assert "".join(response) == "One moment."
    final = response.final_response
    assert final is not None
    assert final.get_content_blocks() == answer["output"]["message"]["content"]
    (found,) = final.get_tool_uses()
    assert (found.tool_use_id, found.name, found.input) == ("t1", "add", {"a": 1, "b": [2, 3]})


def test_defect_31_a_stream_reports_how_it_was_got(bedrock: LocalBedrock) -> None:
    response = new_manager(["Claude Haiku 4.5"]).converse_stream(PROMPT)
    assert list(response)
    assert response.access_method_used == "regional_cris"
    assert response.inference_profile_used is True
    assert response.inference_profile_id == called(bedrock)[0][1] == f"us.{HAIKU}"
    assert response.request_attempt is not None
    assert (response.request_attempt.success, response.request_attempt.region) == (True, EAST)


def test_defect_32_a_recovered_stream_goes_on_where_it_broke(bedrock: LocalBedrock) -> None:
    def rest(request: ReceivedRequest) -> list[dict[str, Any]]:
        last = request.body["messages"][-1]
        begun = last["content"][0]["text"] if last["role"] == "assistant" else ""
        return says(*"one,two,three".removeprefix(begun))

    bedrock.reply_with(rest)
    bedrock.fail(Fault.stream_cut(after_events=5), region=EAST)
    response = new_manager(regions=[EAST, WEST]).converse_stream(PROMPT)
    assert "".join(response) == response.get_full_content() == "one,two,three"
    assert response.restarts == []
    assert called(bedrock) == [(EAST, LITE), (WEST, LITE)]
    begun = {"role": "assistant", "content": [{"text": "one,"}]}
    assert bodies(bedrock)[1]["messages"] == [*PROMPT, begun]


def test_defect_33_a_stream_that_never_begins_is_a_failure(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.not_found(), operation="ConverseStream")
    response = new_manager(regions=[EAST, WEST]).converse_stream(PROMPT)
    assert list(response) == []
    assert response.success is False
    assert codes(response.get_stream_errors()) == ["ResourceNotFoundException"] * 2
    assert response.get_recovery_info()["recovered_exceptions"] == 0
    assert response.get_mid_stream_exceptions()[-1]["recovered"] is False


def test_defect_34_a_stream_has_the_fallbacks_the_preferences_and_the_memory_of_a_call(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(ON_DEMAND, operation="ConverseStream", model_id=LITE)
    manager = new_manager()
    for _ in range(2):
        assert list(manager.converse_stream(PROMPT))
    assert called(bedrock) == [(EAST, LITE), (EAST, f"us.{LITE}"), (EAST, f"us.{LITE}")]
    assert AccessMethodTracker.get_instance().requires_profile(LITE, EAST)
    preferring = new_manager(["Claude Haiku 4.5"], access_method_preference="global_cris")
    assert list(preferring.converse_stream(PROMPT))
    assert called(bedrock)[3:] == [(EAST, f"global.{HAIKU}")]
    bedrock.fail(Fault.validation("unknown parameter 'foo'"), operation="ConverseStream", times=1)
    response = preferring.converse_stream(PROMPT, additional_model_request_fields={"foo": 1})
    assert list(response)
    assert response.parameters_removed == ["foo"]


# Messages


def test_defect_36_documents_are_sent_with_valid_names_and_built_with_those_given(
    bedrock: LocalBedrock,
) -> None:
    pdf = b"%PDF-1.7\n" + b"%" * 64
    message = (
        create_user_message()
        .add_text("Compare.")
        .add_document_bytes(pdf, filename="my_report  v2.pdf")
        .add_document_bytes(pdf, filename="my_report  v2.pdf")
        .add_document_bytes(pdf, name="Valid name (1)")
        .add_document_bytes(pdf)
        .build()
    )
    given = [block["document"].get("name") for block in message["content"][1:]]
    assert given == ["my_report  v2.pdf", "my_report  v2.pdf", "Valid name (1)", None]
    assert new_manager().converse([message]).success
    (body,) = bodies(bedrock)
    sent = [block["document"]["name"] for block in body["messages"][0]["content"][1:]]
    assert len(set(sent)) == 4
    assert sent[2] == "Valid name (1)"
    assert all(name.replace(" ", "").replace("(", "").replace(")", "").isalnum() for name in sent)
    assert [block["document"].get("name") for block in message["content"][1:]] == given


def test_defect_38_common_variants_are_recognised_by_their_content() -> None:
    detector = FileTypeDetector()
    images = {"adobe.jpg": "jpeg", "jfif.jpg": "jpeg"}
    documents = {
        "openpyxl.xlsx": "xlsx",
        "xlsxwriter.xlsx": "xlsx",
        "table.xlsx": "xlsx",
        "note.docx": "docx",
    }
    videos = {
        "isom.mp4": "mp4",
        "avc1.mp4": "mp4",
        "m4v.mp4": "mp4",
        "clip.wmv": "wmv",
        "clip.flv": "flv",
        "program.mpg": "mpeg",
        "clip.3gp": "three_gp",
    }
    content = {path.name: path.read_bytes() for path in FILES.iterdir()}
    found = {name: detector.detect_image_format(content[name]).detected_format for name in images}
    found |= {
        name: detector.detect_document_format(content[name]).detected_format for name in documents
    }
    found |= {name: detector.detect_video_format(content[name]).detected_format for name in videos}
    assert found == images | documents | videos


# Caching


@CACHING
def test_defect_39_one_long_text_the_system_prompt_and_tools_are_cached(
    bedrock: LocalBedrock,
) -> None:
    manager = new_manager(
        ["Claude Sonnet 4.5"],
        cache_config=CacheConfig(enabled=True, strategy=CacheStrategy.AGGRESSIVE),
    )
    tools = [{"toolSpec": {**TOOL["toolSpec"], "description": "x" * 8000}}]
    long = {"text": "x" * 8000}
    manager.converse(
        [{"role": "user", "content": [long]}], system=[long], tool_config={"tools": tools}
    )
    (body,) = bodies(bedrock)
    assert kinds(body["messages"][0]["content"]) == ["text", "cachePoint"]
    assert kinds(body["system"]) == ["text", "cachePoint"]
    assert kinds(body["toolConfig"]["tools"]) == ["toolSpec", "cachePoint"]


@CACHING
def test_defect_39_there_are_never_more_than_four_points_nor_one_too_early(
    bedrock: LocalBedrock,
) -> None:
    aggressive = CacheConfig(enabled=True, strategy=CacheStrategy.AGGRESSIVE)
    manager = new_manager(["Claude Haiku 4.5"], cache_config=aggressive)
    manager.converse([{"role": "user", "content": [{"text": "x" * 20_000}] * 9}])
    manager.converse([{"role": "user", "content": [LONG]}])
    many, few = (json.dumps(body).count("cachePoint") for body in bodies(bedrock))
    assert many == 4
    assert few == 0  # this model caches nothing shorter than 4096 tokens


def caching(bedrock: LocalBedrock, calls: int = 1, **options: Any) -> list[int]:
    """The number of cache points in each request of some calls with a long text and a prompt."""
    manager = new_manager(cache_config=CacheConfig(enabled=True, **options))
    before = len(bodies(bedrock))
    for _ in range(calls):
        manager.converse([{"role": "user", "content": [LONG]}], system=[LONG])
    return [json.dumps(body).count("cachePoint") for body in bodies(bedrock)[before:]]


@CACHING
def test_defect_40_error_handling_decides_what_follows_a_refusal(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
    assert caching(bedrock, error_handling=CacheErrorHandling.GRACEFUL_DEGRADATION) == [2, 0]
    bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
    caplog.clear()
    assert caching(bedrock, error_handling=CacheErrorHandling.WARN_AND_CONTINUE) == [2, 0]
    assert [r.levelname for r in caplog.records if "cache points" in r.getMessage()] == ["WARNING"]
    bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
    with pytest.raises(RequestValidationError):
        caching(bedrock, error_handling=CacheErrorHandling.FAIL_FAST)


@CACHING
def test_defect_40_the_system_prompt_is_cached_as_long_as_that_is_wanted(
    bedrock: LocalBedrock,
) -> None:
    assert caching(bedrock, auto_cache_system_messages=True) == [2]
    assert caching(bedrock, auto_cache_system_messages=False) == [1]


@pytest.mark.needs_member("ttl")
def test_defect_40_the_longest_time_to_live_is_kept(bedrock: LocalBedrock) -> None:
    assert caching(bedrock, max_cache_ttl=299) == [0]
    assert caching(bedrock, max_cache_ttl=300) == [2]
    for longest, expected in (
        (3599, POINT),
        (3600, {"cachePoint": {"type": "default", "ttl": "1h"}}),
    ):
        manager = new_manager(
            ["Claude Sonnet 4.5"], cache_config=CacheConfig(enabled=True, max_cache_ttl=longest)
        )
        manager.converse([{"role": "user", "content": [{"text": "x" * 8000}]}])
        assert bodies(bedrock)[-1]["messages"][0]["content"][1:] == [expected]


@CACHING
def test_defect_40_a_refusal_is_remembered_for_its_duration_if_that_is_wanted(
    bedrock: LocalBedrock,
) -> None:
    for options, expected in (
        ({}, [2, 0, 0]),
        ({"blacklist_duration_minutes": 0}, [2, 0, 2]),
        ({"cache_availability_check": False}, [2, 0, 2]),
    ):
        bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
        assert caching(bedrock, calls=2, **options) == expected


@CACHING
def test_defect_40_a_refusal_is_logged_unless_that_is_not_wanted(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    warn = CacheErrorHandling.WARN_AND_CONTINUE
    said = {}
    for wanted in (True, False):
        bedrock.fail(NO_SUCH_POINT, operation="Converse", times=1)
        caplog.clear()
        caching(bedrock, error_handling=warn, log_cache_failures=wanted)
        said[wanted] = sum("cache points" in record.getMessage() for record in caplog.records)
    assert said == {True: 1, False: 0}


@CACHING
def test_defect_40_models_listed_as_unsupported_get_no_points(bedrock: LocalBedrock) -> None:
    assert caching(bedrock, custom_unsupported_models=["Nova Lite"]) == [0]
    assert caching(bedrock, custom_unsupported_models=[LITE]) == [0]
    assert caching(bedrock, custom_unsupported_models=["Nova Micro"]) == [2]


# Parameters


def test_defect_41_extended_context_goes_by_the_model_not_by_its_spelling(
    bedrock: LocalBedrock,
) -> None:
    spellings = (
        "Claude Sonnet 4",
        "Claude Sonnet 4 20250514",
        "anthropic.claude-sonnet-4-20250514-v1:0",
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
        "claude sonnet 4.5",
        "Claude Haiku 4.5",
        "Nova Lite",
    )
    for spelling in spellings:
        new_manager([spelling]).converse(PROMPT, enable_extended_context=True)
    sent = [body.get("additionalModelRequestFields") for body in bodies(bedrock)]
    header = {"anthropic_beta": ["context-1m-2025-08-07"]}
    assert sent == [header] * 5 + [None] * 2


def test_defect_42_each_model_gets_its_own_parameters(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse", times=1)
    bedrock.fail(Fault.access_denied(), operation="Converse", after=1, times=1)
    for models in (["Nova Lite", "Claude Sonnet 4"], ["Claude Sonnet 4", "Nova Lite"]):
        new_manager(models).converse(PROMPT, enable_extended_context=True)
    sent = {
        (identifier, "additionalModelRequestFields" in body)
        for (_, identifier), body in zip(called(bedrock), bodies(bedrock), strict=True)
    }
    assert sent == {(LITE, False), ("us.anthropic.claude-sonnet-4-20250514-v1:0", True)}
    assert len(called(bedrock)) == 4


# Sessions


def test_defect_53_a_region_has_one_client_and_nobody_asks_sts(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")  # nobody listens there
    manager = new_manager(["Claude Haiku 4.5"], [EAST, WEST], region_order="rotate")
    for _ in range(10):
        manager.converse(PROMPT)
    by_region = {(request.region, request.connection) for request in bedrock.requests}
    assert len(called(bedrock)) == 10
    assert sorted(region for region, _ in by_region if region) == [EAST, WEST]


def test_defect_53_a_session_without_credentials_is_still_refused() -> None:
    with pytest.raises(AuthenticationError):
        AuthManager().get_session(EAST)
