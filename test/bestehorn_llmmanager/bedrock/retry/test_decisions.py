"""Tests what is decided after each error that a call to Bedrock can end with."""

from __future__ import annotations

import time
from typing import Any

import botocore.eventstream
import botocore.exceptions
import botocore.parsers
import botocore.session
import pytest
import urllib3.exceptions
from botocore.exceptions import ClientError, EventStreamError
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ContentError,
    RequestValidationError,
    StreamingError,
)
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict, classify, is_from_aws

CHANGES_THE_REQUEST = {
    Decision.WITHOUT_PARAMETER,
    Decision.WITHOUT_FEATURE,
    Decision.WITHOUT_CACHE_POINTS,
    Decision.WITHOUT_PREFILL,
}


def refusal(
    code: str,
    message: Any = "",
    status: int | None = 400,
    headers: dict[str, str] | None = None,
    operation: str = "Converse",
) -> ClientError:
    """As botocore raises it; without a status as in a stream."""
    response: Any = {"Error": {"Code": code, "Message": message}}
    if status is not None:
        response["ResponseMetadata"] = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError(response, operation)


def in_stream(code: str, message: str = "") -> EventStreamError:
    return EventStreamError({"Error": {"Code": code, "Message": message}}, "ConverseStream")


def invalid(message: str, *fields: str) -> Verdict:
    """The verdict on a `ValidationException`, where these additional fields were sent."""
    return classify(refusal("ValidationException", message), additional_fields=fields)


# --- by code -------------------------------------------------------------------------------------

BY_CODE = [
    ("ThrottlingException", 429, Decision.REST),
    ("RequestThrottledException", 429, Decision.REST),
    ("ServiceQuotaExceededException", 400, Decision.REST),
    ("TooManyRequestsException", 429, Decision.REST),
    ("ServiceUnavailableException", 503, Decision.AGAIN),
    ("ServiceUnavailable", 503, Decision.AGAIN),
    ("InternalServerException", 500, Decision.AGAIN),
    ("InternalServerError", 500, Decision.AGAIN),
    ("InternalFailure", 500, Decision.AGAIN),
    ("ServiceException", 500, Decision.AGAIN),
    ("ModelNotReadyException", 429, Decision.AGAIN),
    ("ModelTimeoutException", 408, Decision.GENERATE_AGAIN),
    ("ModelErrorException", 424, Decision.GENERATE_AGAIN),
    ("ModelStreamErrorException", 424, Decision.GENERATE_AGAIN),
    ("ValidationException", 400, Decision.REFUSED),
    ("AccessDeniedException", 403, Decision.NEXT_TARGET),
    ("UnauthorizedException", 401, Decision.NEXT_TARGET),
    ("ResourceNotFoundException", 404, Decision.NEXT_TARGET),
    ("ExpiredTokenException", 403, Decision.RENEW_CREDENTIALS),
    ("ExpiredToken", 400, Decision.RENEW_CREDENTIALS),
    ("RequestExpired", 400, Decision.RENEW_CREDENTIALS),
    ("UnrecognizedClientException", 403, Decision.NEXT_CREDENTIALS),
    ("InvalidClientTokenId", 403, Decision.NEXT_CREDENTIALS),
    ("InvalidSignatureException", 403, Decision.NEXT_CREDENTIALS),
    ("MissingAuthenticationTokenException", 403, Decision.NEXT_CREDENTIALS),
    ("IncompleteSignature", 400, Decision.NEXT_CREDENTIALS),
]


@pytest.mark.parametrize(("code", "status", "decision"), BY_CODE)
def test_each_code_has_its_decision_whatever_is_said(
    code: str, status: int, decision: Decision
) -> None:
    assert classify(refusal(code, "Any sentence at all.", status)) == Verdict(decision)
    assert classify(refusal(code, None, status)) == Verdict(decision)


@pytest.mark.parametrize(("code", "decision"), [(code, d) for code, _, d in BY_CODE])
def test_a_code_in_a_stream_starts_with_a_small_letter_and_means_the_same(
    code: str, decision: Decision
) -> None:
    error = in_stream(code[0].lower() + code[1:], "Any sentence at all.")
    assert classify(error) == Verdict(decision)
    assert is_from_aws(error)


def test_every_error_that_botocore_knows_of_has_a_decision_of_its_own() -> None:
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    converse, stream = map(model.operation_model, ("Converse", "ConverseStream"))
    events = stream.output_shape.members["stream"].members.values()
    codes = {shape.name for shape in (*converse.error_shapes, *stream.error_shapes)}
    codes |= {event.name for event in events if event.metadata.get("exception")}
    assert len(codes) > 8
    for code in codes:
        # What is not known goes by the status.
        assert classify(refusal(code, status=418)) == classify(refusal(code, status=503)), code


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        (None, Decision.AGAIN),  # in a stream
        (302, Decision.NEXT_TARGET),
        (400, Decision.NEXT_TARGET),
        (401, Decision.NEXT_CREDENTIALS),
        (403, Decision.NEXT_TARGET),
        (404, Decision.NEXT_TARGET),
        (408, Decision.GENERATE_AGAIN),
        (413, Decision.NEXT_TARGET),
        (424, Decision.GENERATE_AGAIN),
        (429, Decision.REST),
        (500, Decision.AGAIN),
        (502, Decision.AGAIN),
        (503, Decision.AGAIN),
        (504, Decision.AGAIN),
        (529, Decision.AGAIN),
    ],
)
@pytest.mark.parametrize("code", ["BrandNewException", "504", ""])
def test_an_unknown_code_or_none_goes_by_the_status(
    status: int | None, decision: Decision, code: str
) -> None:
    error = refusal(code, "Forbidden", status)
    assert classify(error) == Verdict(decision)
    assert is_from_aws(error)


# langgenius and others; Ivy-Interactive/Ivy-Tendril#1756, minorun365/agent-book#29
@pytest.mark.parametrize(
    ("message", "decision"),
    [
        ("Too many tokens per day, please wait before trying again.", Decision.OUT_FOR_TODAY),
        ("Too many requests per day, please wait before trying again.", Decision.OUT_FOR_TODAY),
        ("Too many tokens, please wait before trying again.", Decision.REST),
        ("Too many requests, please wait before trying again.", Decision.REST),
    ],
)
@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceQuotaExceededException"])
def test_a_quota_per_day_is_told_from_one_per_minute(
    code: str, message: str, decision: Decision
) -> None:
    assert classify(refusal(code, message, 429)).decision is decision
    assert classify(in_stream(code[0].lower() + code[1:], message)).decision is decision


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"retry-after": "7"}, 7.0),
        ({"x-amz-retry-after": "250", "retry-after": "7"}, 0.25),
        ({"x-amz-retry-after": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
@pytest.mark.parametrize("code", ["ThrottlingException", "ServiceUnavailableException"])
def test_the_service_can_ask_for_a_pause(
    code: str, headers: dict[str, str], seconds: float | None
) -> None:
    assert classify(refusal(code, status=503, headers=headers)).retry_after == seconds


# --- by class ------------------------------------------------------------------------------------

URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/x/converse"
BY_CLASS = [
    (botocore.exceptions.EndpointConnectionError(endpoint_url=URL), Decision.AGAIN),
    (botocore.exceptions.ConnectTimeoutError(endpoint_url=URL), Decision.AGAIN),
    (botocore.exceptions.ConnectionClosedError(endpoint_url=URL), Decision.AGAIN),
    (botocore.exceptions.ProxyConnectionError(proxy_url="http://proxy"), Decision.AGAIN),
    (botocore.exceptions.SSLError(endpoint_url=URL, error="handshake"), Decision.AGAIN),
    (botocore.exceptions.HTTPClientError(error="anything"), Decision.AGAIN),
    (botocore.exceptions.ReadTimeoutError(endpoint_url=URL), Decision.GENERATE_AGAIN),
    (botocore.exceptions.ResponseStreamingError(error="broken"), Decision.GENERATE_AGAIN),
    (
        botocore.exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        Decision.GENERATE_AGAIN,
    ),
    (botocore.parsers.ResponseParserError("no JSON"), Decision.GENERATE_AGAIN),
    (botocore.eventstream.ChecksumMismatch(1, 2), Decision.GENERATE_AGAIN),
    (botocore.eventstream.InvalidPayloadLength(1), Decision.GENERATE_AGAIN),
    (botocore.eventstream.NoInitialResponseError(), Decision.GENERATE_AGAIN),
    # botocore lets these through while a stream is read
    (urllib3.exceptions.ProtocolError("Connection broken"), Decision.AGAIN),
    (urllib3.exceptions.IncompleteRead(1, 2), Decision.AGAIN),
    (urllib3.exceptions.ReadTimeoutError(None, URL, "timed out"), Decision.GENERATE_AGAIN),  # type: ignore[arg-type]  # the pool; urllib3 itself leaves it out when unpickling
    (urllib3.exceptions.SSLError("bad record"), Decision.AGAIN),
    (ConnectionResetError(104, "Connection reset by peer"), Decision.AGAIN),
    (BrokenPipeError(32, "Broken pipe"), Decision.AGAIN),
    (TimeoutError("timed out"), Decision.AGAIN),
    (ContentError("The answer has no `output`."), Decision.GENERATE_AGAIN),
    (StreamingError("The stream ended."), Decision.GENERATE_AGAIN),
    (botocore.exceptions.NoCredentialsError(), Decision.NO_CREDENTIALS),
    (
        botocore.exceptions.PartialCredentialsError(provider="env", cred_var="x"),
        Decision.NO_CREDENTIALS,
    ),
    (
        botocore.exceptions.CredentialRetrievalError(provider="iam-role", error_msg="x"),
        Decision.NO_CREDENTIALS,
    ),
    (botocore.exceptions.NoAuthTokenError(), Decision.NO_CREDENTIALS),
    (
        botocore.exceptions.TokenRetrievalError(provider="sso", error_msg="x"),
        Decision.NO_CREDENTIALS,
    ),
    (botocore.exceptions.UnauthorizedSSOTokenError(), Decision.NO_CREDENTIALS),
    (botocore.exceptions.SSOTokenLoadError(error_msg="x"), Decision.NO_CREDENTIALS),
    (botocore.exceptions.RefreshWithMFAUnsupportedError(), Decision.NO_CREDENTIALS),
    (AuthenticationError("There are no AWS credentials."), Decision.NO_CREDENTIALS),
    (
        RuntimeError(
            "Credentials were refreshed, but the refreshed credentials are still expired."
        ),
        Decision.NO_CREDENTIALS,
    ),
    (botocore.exceptions.ParamValidationError(report="x"), Decision.REFUSED),
    (RequestValidationError("The request cannot be sent."), Decision.REFUSED),
    (botocore.exceptions.NoRegionError(), Decision.NEXT_TARGET),
    (botocore.exceptions.InvalidRegionError(region_name="x y"), Decision.NEXT_TARGET),
]


@pytest.mark.parametrize(("error", "decision"), BY_CLASS, ids=lambda value: type(value).__name__)
def test_each_error_without_an_answer_of_the_service_has_its_decision(
    error: Exception, decision: Decision
) -> None:
    assert is_from_aws(error)
    assert classify(error) == Verdict(decision)


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), TypeError("x"), RuntimeError("x"), AssertionError()]
)
def test_a_bug_is_not_from_aws(error: Exception) -> None:
    assert not is_from_aws(error)


@pytest.mark.parametrize(
    ("operation", "code", "status", "decision"),
    [
        ("AssumeRole", "AccessDenied", 403, Decision.NO_CREDENTIALS),
        ("AssumeRoleWithWebIdentity", "InvalidIdentityToken", 400, Decision.NO_CREDENTIALS),
        ("AssumeRoleWithWebIdentity", "ExpiredTokenException", 400, Decision.RENEW_CREDENTIALS),
        ("GetRoleCredentials", "UnauthorizedException", 401, Decision.NO_CREDENTIALS),
        ("AssumeRole", "Throttling", 400, Decision.NO_CREDENTIALS),
        ("AssumeRole", "ThrottlingException", 429, Decision.REST),
        ("AssumeRole", "InternalFailure", 500, Decision.AGAIN),
        ("Converse", "AccessDenied", 403, Decision.NEXT_TARGET),
    ],
)
def test_credentials_that_sts_refuses_are_none(
    operation: str, code: str, status: int, decision: Decision
) -> None:
    assert classify(refusal(code, "x", status, operation=operation)).decision is decision


# --- by what the service says ----------------------------------------------------------------------

PROFILE_NEEDED = (
    # anthropics/claude-code#1466; the apostrophe is the service's
    "Invocation of model ID anthropic.claude-sonnet-4-20250514-v1:0 with on-demand throughput "
    "isn\u2019t supported. Retry your request with the ID or ARN of an inference profile that "
    "contains this model."
)
BY_MODEL = "The model returned the following errors: "
NO_CACHING = (
    # BerriAI/litellm#39210 (403), zeroclaw-labs/zeroclaw#7315 (400)
    "You invoked an unsupported model or your request did not allow prompt caching. "
    "See the documentation for more information."
)
SENTENCES = [
    (PROFILE_NEEDED, Decision.NEXT_METHOD, ()),
    (PROFILE_NEEDED.replace("\u2019", "'"), Decision.NEXT_METHOD, ()),
    ("This model doesn't support tool use.", Decision.WITHOUT_FEATURE, ("tool_use",)),
    # langchain-ai/langchain-aws#447
    ("This model doesn\u2019t support tool use", Decision.WITHOUT_FEATURE, ("tool_use",)),
    # anomalyco/models.dev#6821
    (
        "This model doesn't support documents.",
        Decision.WITHOUT_FEATURE,
        ("document_processing",),
    ),
    # earendil-works/pi#8960
    (
        "This model doesn't support the image field for user messages. Remove image and try again.",
        Decision.WITHOUT_FEATURE,
        ("image_processing",),
    ),
    (
        "This model doesn't support the video field. Remove video and try again.",
        Decision.WITHOUT_FEATURE,
        ("video_processing",),
    ),
    (
        "This model doesn't support the audio content block.",
        Decision.WITHOUT_FEATURE,
        ("audio_processing",),
    ),
    (
        "This model doesn't support the toolConfig field. Remove toolConfig and try again.",
        Decision.WITHOUT_FEATURE,
        ("tool_use",),
    ),
    (
        f"{BY_MODEL}This model does not support image inputs.",
        Decision.WITHOUT_FEATURE,
        ("image_processing",),
    ),
    ("Image processing not supported", Decision.WITHOUT_FEATURE, ("image_processing",)),
    (
        "Document processing is not supported by this model.",
        Decision.WITHOUT_FEATURE,
        ("document_processing",),
    ),
    (
        "This model doesn't support prompt caching.",
        Decision.WITHOUT_CACHE_POINTS,
        ("prompt_caching",),
    ),
    (
        (
            "Malformed input request: #/messages/0/content/1: extraneous key [cachePoint] is not "
            "permitted, please reformat your input and try again."
        ),
        Decision.WITHOUT_CACHE_POINTS,
        ("prompt_caching",),
    ),
    # anomalyco/opencode#17300; of this and the next three the model may take others
    ("There is nothing available to cache.", Decision.WITHOUT_CACHE_POINTS, ()),
    (NO_CACHING, Decision.WITHOUT_CACHE_POINTS, ("prompt_caching",)),
    # 0xPlaygrounds/rig#1673
    (
        (
            "Cache point cannot be inserted after reasoning block. Please remove the invalid cache "
            "point and try again."
        ),
        Decision.WITHOUT_CACHE_POINTS,
        (),
    ),
    # BerriAI/litellm#15880
    (
        "tools.20.custom.cache_control.ephemeral.ttl: Extra inputs are not permitted",
        Decision.WITHOUT_CACHE_POINTS,
        (),
    ),
    # Portkey-AI/gateway#1762
    (
        (
            f"{BY_MODEL}messages.3.content.0.cache_control.ttl: a ttl='1h' cache_control block must "
            "not come after a ttl='5m' cache_control block. Note that blocks are processed in the "
            "following order: `tools`, `system`, `messages`."
        ),
        Decision.WITHOUT_CACHE_POINTS,
        (),
    ),
    # NousResearch/hermes-agent#101401
    (
        (
            f"{BY_MODEL}This model does not support assistant message prefill. The conversation must "
            "end with a user message."
        ),
        Decision.WITHOUT_PREFILL,
        (),
    ),
    # earendil-works/pi#3739: it has tools, but not in a stream
    (
        "This model doesn't support tool use in streaming mode.",
        Decision.NEXT_MODEL,
        ("tool use in streaming mode is not supported",),
    ),
    # strands-agents/harness-sdk#1241: it has tools, but not this choice
    (
        (
            "This model doesn't support the toolConfig.toolChoice.any field. Remove "
            "toolConfig.toolChoice.any and try again"
        ),
        Decision.NEXT_MODEL,
        ("toolconfig.toolchoice.any field is not supported",),
    ),
    # strands-agents/harness-sdk#393
    (
        "This model doesn't support the status field. Remove status and try again.",
        Decision.NEXT_MODEL,
        ("status field is not supported",),
    ),
    (
        "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
        Decision.NEXT_MODEL,
        ("stopsequences field is not supported",),
    ),
    (
        (
            "This model doesn't support system messages. Try again without system messages or use a "
            "model that supports system messages."
        ),
        Decision.NEXT_MODEL,
        ("system messages is not supported",),
    ),
    # aws-samples/amazon-bedrock-client-for-mac#112
    (
        "The model is unsupported for streaming.",
        Decision.NEXT_MODEL,
        ("is unsupported for streaming",),
    ),
    # as `LocalBedrock` says it, after the service
    (
        (
            "This action doesn't support the model that you provided. Try again with a supported "
            "text or chat model."
        ),
        Decision.NEXT_MODEL,
        ("this action doesn't support the model",),
    ),
    # aws-samples/bedrock-access-gateway#191, BoltAI/BoltAI#399
    (
        (
            f"{BY_MODEL}`temperature` and `top_p` cannot both be specified for this model. Please use "
            "only one."
        ),
        Decision.NEXT_MODEL,
        ("cannot both be specified",),
    ),
    # promptfoo/promptfoo#10307
    (
        "`temperature` is deprecated for this model.",
        Decision.NEXT_MODEL,
        ("is deprecated for this model",),
    ),
    ("Input is too long for requested model.", Decision.NEXT_MODEL, ("input is too long",)),
    (
        f"{BY_MODEL}prompt is too long: 205000 tokens > 200000 maximum",
        Decision.NEXT_MODEL,
        ("prompt is too long",),
    ),
    # RooCodeInc/Roo-Code#248
    (
        (
            "The maximum tokens you requested exceed the model limit of 4096. Try again with a maximum "
            "tokens value lower than 4096."
        ),
        Decision.NEXT_MODEL,
        ("exceed the model limit",),
    ),
    (
        "The provided model identifier is invalid.",
        Decision.NEXT_MODEL,
        ("model identifier is invalid",),
    ),
    # boto/boto3#4415
    (
        f"{BY_MODEL}The provided image does not match the specified image format.",
        Decision.NEXT_MODEL,
        (),
    ),
    # zed-industries/zed#31815
    (
        (
            f"{BY_MODEL}Malformed input request: #/toolConfig/tools/1/toolSpec/inputSchema/json: "
            "extraneous key [definitions] is not permitted, please reformat your input and try again."
        ),
        Decision.NEXT_MODEL,
        (),
    ),
    ("tools.0.custom.strict: Extra inputs are not permitted", Decision.NEXT_MODEL, ()),
    # langgenius/dify#7488
    ("Operation not allowed", Decision.NEXT_TARGET, ()),
    # aws-samples/bedrock-chat#471
    (
        "Your account is not authorized to invoke this API operation.",
        Decision.NEXT_TARGET,
        (),
    ),
    # aws-samples/generative-ai-use-cases#1257: a guardrail belongs to one region
    (
        f"{BY_MODEL}The guardrail identifier or version provided in the request does not exist.",
        Decision.NEXT_TARGET,
        (),
    ),
    ("The provided guardrail identifier is invalid.", Decision.NEXT_TARGET, ()),
    # aws/aws-sdk-js-v3#6482
    (
        "Guardrail was enabled but input is in incorrect format.",
        Decision.REFUSED,
        (),
    ),
    # microsoft/semantic-kernel#10281
    (
        (
            "A conversation must alternate between user and assistant roles. Make sure the "
            "conversation alternates between user and assistant roles and try again."
        ),
        Decision.REFUSED,
        (),
    ),
    # browser-use/browser-use#710
    (
        (
            "messages.2.content: Conversation blocks and tool result blocks cannot be provided in the "
            "same turn."
        ),
        Decision.REFUSED,
        (),
    ),
    (
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        Decision.REFUSED,
        (),
    ),
    # strands-agents/harness-sdk#3607
    (
        (
            "1 validation error detected: Value at 'messages.1.member.content.1.member.guardContent."
            "image.format' failed to satisfy constraint: Member must satisfy enum value set: "
            "[jpeg, png]"
        ),
        Decision.REFUSED,
        (),
    ),
    (
        (
            "1 validation error detected: Value 'no model at all' at 'modelId' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: x"
        ),
        Decision.NEXT_MODEL,
        (),
    ),
    ("", Decision.REFUSED, ()),
]


@pytest.mark.parametrize(("message", "decision", "names"), SENTENCES)
def test_each_sentence_of_the_service_has_its_decision(
    message: str, decision: Decision, names: tuple[str, ...]
) -> None:
    assert invalid(message) == Verdict(decision, names)
    assert classify(in_stream("validationException", message)) == Verdict(decision, names)


@pytest.mark.parametrize(
    ("message", "decision"),
    [
        ("You don't have access to the model with the specified model ID.", Decision.NEXT_TARGET),
        (
            (
                "User: arn:aws:sts::123456789012:assumed-role/token-service/expired is not authorized "
                "to perform: bedrock:InvokeModel with an explicit deny in a service control policy"
            ),
            Decision.NEXT_TARGET,
        ),
        # ministryofjustice/modernisation-platform-environments#18323
        (
            (
                "Model access is denied due to IAM user or service role is not authorized to perform "
                "the required AWS Marketplace actions (aws-marketplace:ViewSubscriptions, "
                "aws-marketplace:Subscribe) to enable access to this model."
            ),
            Decision.NEXT_TARGET,
        ),
        ("The security token included in the request is expired", Decision.RENEW_CREDENTIALS),
        ("Bearer Token has expired", Decision.RENEW_CREDENTIALS),
        # ai4s-research/open-science#53: keys belong to a region
        (
            "Authentication failed: Please make sure your API Key is valid.",
            Decision.NEXT_CREDENTIALS,
        ),
        (NO_CACHING, Decision.WITHOUT_CACHE_POINTS),
    ],
)
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", ""])
def test_denied_access_goes_on_elsewhere_unless_it_is_about_the_credentials(
    code: str, message: str, decision: Decision
) -> None:
    assert classify(refusal(code, message, 403)).decision is decision


@pytest.mark.parametrize(
    "message",
    [
        # awslabs/llmeter#35
        (
            "Access denied. This Model is marked by provider as Legacy and you have not been actively "
            "using the model in the last 15 days. Please upgrade to an active model on Amazon Bedrock"
        ),
        # aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws#708
        (
            "This model version has reached the end of its life. Please refer to the AWS documentation "
            "for more details."
        ),
        "Could not resolve the model from the model ID.",
    ],
)
def test_a_model_that_is_not_there_goes_on_elsewhere(message: str) -> None:
    error = refusal("ResourceNotFoundException", message, 404)
    assert classify(error) == Verdict(Decision.NEXT_TARGET)


# --- parameters ------------------------------------------------------------------------------------

NOT_PERMITTED = "is not permitted, please reformat your input and try again."
PARAMETERS = [
    # BerriAI/litellm#7416
    (f"Malformed input request: #: extraneous key [chat_id] {NOT_PERMITTED}", ("chat_id",)),
    # aws-samples/serverless-pdf-chat#35
    (f"Malformed input request: extraneous key [chat_id] {NOT_PERMITTED}", ("chat_id",)),
    # BerriAI/litellm#30314
    (
        (
            "Malformed input request: #: extraneous key [chat_id] is not permitted, #: extraneous key "
            f"[top_k] {NOT_PERMITTED}"
        ),
        ("top_k", "chat_id"),
    ),
    # sigoden/aichat#543
    (
        (
            'Malformed input request: #: subject must not be valid against schema {"required":'
            f'["messages"]}}#: extraneous key [chat_id] {NOT_PERMITTED}'
        ),
        ("chat_id",),
    ),
    (f"{BY_MODEL}top_k: Extra inputs are not permitted", ("top_k",)),
    ("top_k: Extra inputs are not permitted\nchat_id: Extra inputs are not permitted", None),
    ("This model doesn't support the top_k field. Remove top_k and try again.", ("top_k",)),
    ("invalid beta flag", ("anthropic_beta",)),
    ("unknown parameter 'chat_id'", ("chat_id",)),
    ("Unsupported parameter: top_k", ("top_k",)),
    ('Unrecognized field "top_k" for this model', ("top_k",)),
    ("The model does not support parameter top_k.", ("top_k",)),
    ("The `top_k` parameter is not valid for this model", ("top_k",)),
    ("Parameter not supported: Top_K", ("top_k",)),
]
FIELDS = ("top_k", "anthropic_beta", "model", "chat_id", "thinking")


@pytest.mark.parametrize(("message", "names"), PARAMETERS)
def test_the_fields_that_the_model_does_not_take_are_those_that_it_names(
    message: str, names: tuple[str, ...] | None
) -> None:
    expected = names or ("top_k", "chat_id")
    assert invalid(message, *FIELDS) == Verdict(Decision.WITHOUT_PARAMETER, expected)


@pytest.mark.parametrize(
    "message", [message for message, names in PARAMETERS if names != ("anthropic_beta",)]
)
def test_without_additional_fields_there_is_nothing_to_leave_out(message: str) -> None:
    assert invalid(message).decision is Decision.NEXT_MODEL


def test_the_only_field_is_meant_where_none_is_named() -> None:
    message = "Unsupported parameter for this model"
    assert invalid(message, "foo") == Verdict(Decision.WITHOUT_PARAMETER, ("foo",))
    assert invalid(message, "foo", "bar").decision is Decision.NEXT_MODEL


@pytest.mark.parametrize(
    "message",
    [
        # They name what is not an additional field, or is only a part of one.
        f"Malformed input request: #/tools/0: extraneous key [top_k] {NOT_PERMITTED}",
        f"Malformed input request: #/thinking: extraneous key [budget] {NOT_PERMITTED}",
        f"Malformed input request: #: extraneous key [foo] {NOT_PERMITTED}",
        "thinking.enabled.budget: Extra inputs are not permitted",
        "tools.0.custom.top_k: Extra inputs are not permitted",
        "unknown parameter 'foo' for this model",
        "This model doesn't support the toolConfig.toolChoice.any field.",
    ],
)
def test_a_field_that_is_not_named_unmistakably_stays(message: str) -> None:
    assert invalid(message, *FIELDS).decision is Decision.NEXT_MODEL
    assert invalid(message, "model").decision is Decision.NEXT_MODEL


# --- near misses -------------------------------------------------------------------------------------

VOCABULARY = (
    "tool function image document video audio cache caching guardrail parameter prompt stream "
    "content filter field block use processing is not supported unsupported support does doesn't "
    "isn\u2019t the a this that model request in for of messages user invalid unknown permitted "
    "on-demand profile format must too many limit . , : ' \" [ ] ( )"
)
words = st.sampled_from(VOCABULARY.split())
loose_texts = st.lists(words | st.text(max_size=8), max_size=40).map(" ".join)
real_sentences = st.sampled_from([m for m, _, _ in SENTENCES if "at 'modelId'" not in m])


@given(loose_texts)
def test_no_loose_text_takes_anything_from_a_request(text: str) -> None:
    verdict = invalid(f"Because {text}", "foo", "bar")
    assert verdict.decision not in CHANGES_THE_REQUEST
    assert verdict.decision is not Decision.NEXT_METHOD


@given(before=loose_texts, sentence=real_sentences, after=loose_texts)
def test_what_the_service_quotes_takes_nothing_from_a_request(
    before: str, sentence: str, after: str
) -> None:
    quoting = f"1 validation error detected: Value '{before}{sentence}{after}' at 'messages.1."
    verdict = invalid(
        f"{quoting}member.content.1.member.document.name' failed to satisfy constraint: x", "foo"
    )
    assert verdict == Verdict(Decision.REFUSED)


@given(before=loose_texts, sentence=real_sentences, after=loose_texts)
def test_a_feature_is_given_up_only_where_the_service_says_nothing_else_first(
    before: str, sentence: str, after: str
) -> None:
    verdict = invalid(f"The document {before} says: {sentence} {after}")
    assert verdict.decision not in {Decision.WITHOUT_FEATURE, Decision.WITHOUT_PARAMETER}


@pytest.mark.parametrize(
    "message",
    [
        "This model doesn't support tool choice.",
        "This model doesn't support tool use with documents.",
        "This model doesn't support image URLs.",
        "This model doesn't support image format webp.",
        "This model doesn't support images in tool results.",
        "This model doesn't support the image field for assistant messages.",
        "This model doesn't support documents larger than 4 MB.",
        "This model doesn't support documents, citations and tools at once.",
        "This model doesn't support document citations.",
        "This model doesn't support tools.computer.",
        "This model doesn't support the document.source.s3Location field.",
        "This model doesn't support prompt routers.",
        "This model doesn't support videos longer than one hour.",
        "Tool use is not supported in streaming mode.",
        "Image processing is not supported for webp.",
        "The tool you named does not exist.",
        "Function calling: the tool result has no matching tool use.",
        "tool_use ids were found without tool_result blocks immediately after",
        "Too many images in the request.",
        "Could not process image",
        "The document could not be parsed.",
        "The guardrail blocked this request.",
        "This model doesn't support guardrails.",
        "Guardrails are not supported for this model.",
        "Content filter triggered.",
        "Unable to read from cache.",
        "The parameter maxTokens must be positive.",
        "Your request was blocked because of function calling in streaming mode.",
    ],
)
def test_a_sentence_that_only_sounds_alike_takes_nothing_from_a_request(message: str) -> None:
    for text in (message, BY_MODEL + message):
        verdict = invalid(text, "foo", "tools", "image", "document")
        assert verdict.decision in {Decision.REFUSED, Decision.NEXT_MODEL}


@given(loose_texts)
def test_a_guardrail_is_never_given_up(text: str) -> None:
    for message in (f"This model doesn't support the guardrailConfig {text}", f"guardrail {text}"):
        verdict = invalid(message, "guardrailConfig")
        assert "guardrails" not in verdict.names
        assert verdict.decision is not Decision.WITHOUT_FEATURE


# --- what the caller wants repeated ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "names", "decision"),
    [
        (refusal("AccessDeniedException", "x", 403), ["AccessDeniedException"], Decision.AGAIN),
        (refusal("ValidationException", "x"), ["ValidationException"], Decision.AGAIN),
        (refusal("ModelErrorException", "x", 424), ["ModelErrorException"], Decision.AGAIN),
        (refusal("BrandNewException", "x"), ["BrandNewException"], Decision.AGAIN),
        (refusal("BrandNewException", "x"), ["ClientError"], Decision.AGAIN),
        (in_stream("brandNewException"), ["BrandNewException"], Decision.AGAIN),
        (
            botocore.exceptions.ReadTimeoutError(endpoint_url=URL),
            ["ReadTimeoutError"],
            Decision.AGAIN,
        ),
        (botocore.exceptions.NoRegionError(), ["BotoCoreError"], Decision.AGAIN),
        (refusal("BrandNewException", "x"), ["OldException"], Decision.NEXT_TARGET),
        # What is better than repeating stays.
        (refusal("ValidationException", PROFILE_NEEDED), ["ClientError"], Decision.NEXT_METHOD),
        (refusal("ThrottlingException", "x", 429), ["ThrottlingException"], Decision.REST),
        (
            refusal("ThrottlingException", "Too many tokens per day", 429),
            ["ThrottlingException"],
            Decision.OUT_FOR_TODAY,
        ),
        (refusal("ExpiredToken", "x", 403), ["ExpiredToken"], Decision.RENEW_CREDENTIALS),
        (
            refusal("ValidationException", "This model doesn't support tool use."),
            ["ValidationException"],
            Decision.WITHOUT_FEATURE,
        ),
    ],
)
def test_what_the_caller_names_is_repeated_too(
    error: Exception, names: list[str], decision: Decision
) -> None:
    assert classify(error, retryable_errors=names).decision is decision


def test_what_the_caller_names_may_be_repeated_after_the_pause_that_was_asked_for() -> None:
    error = refusal("BrandNewException", headers={"retry-after": "3"})
    assert classify(error, retryable_errors=["BrandNewException"]).retry_after == 3.0


def test_an_error_that_the_caller_names_counts_as_one_of_aws() -> None:
    class HookError(Exception):
        pass

    assert is_from_aws(HookError(), ["HookError"])
    assert classify(HookError(), retryable_errors=["HookError"]).decision is Decision.AGAIN
    assert not is_from_aws(HookError(), ["OtherError"])


# --- robustness ----------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
headers = st.none() | st.dictionaries(
    st.sampled_from(["retry-after", "x-amz-retry-after"]), anything
)
metadata = st.none() | st.fixed_dictionaries(
    {}, optional={"HTTPStatusCode": anything, "HTTPHeaders": headers}
)
contents = st.none() | st.fixed_dictionaries({}, optional={"Code": anything, "Message": anything})


class AnsweredError(Exception):
    def __init__(self, response: Any) -> None:
        self.response = response


@given(
    error=contents,
    code=st.none() | st.sampled_from([code for code, _, _ in BY_CODE]),
    metadata=metadata,
    fields=st.lists(st.text(max_size=5), max_size=3),
)
def test_whatever_the_service_answers_there_is_a_decision(
    error: dict[str, Any] | None, code: str | None, metadata: Any, fields: list[str]
) -> None:
    if code is not None and error is not None:
        error = {**error, "Code": code}
    answered = AnsweredError({"Error": error, "ResponseMetadata": metadata})
    verdict = classify(answered, additional_fields=fields)
    assert is_from_aws(answered)
    assert verdict.decision in Decision
    assert verdict.retry_after is None or 0 <= verdict.retry_after < float("inf")


@pytest.mark.parametrize(
    "unit",
    [
        "a", " ", "#", "#/", "#/a ", "a.", "a: ", "'", "`a`", "[", "extraneous key [",
        ": extra inputs are not permitted", "marked by provider ", "guardrail ", "token ",
        "token a ", "this model doesn't support ", "this model doesn't support the image",
        "cache_control.", "unknown parameter ", "guardrail's ", "exceed the ", "\n", "\u2019",
    ],
)  # fmt: skip
@pytest.mark.parametrize("start", ["", "This model doesn't support ", BY_MODEL])
def test_a_long_message_is_read_in_no_time(start: str, unit: str) -> None:
    message = start + unit * (100_000 // len(unit))
    began = time.process_time()
    invalid(message, "top_k", "thinking")
    classify(refusal("AccessDeniedException", message, 403))
    assert time.process_time() - began < 1
