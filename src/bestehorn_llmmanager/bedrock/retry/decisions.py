"""Turns an error of a call into the decision what to do next."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Decision(Enum):
    """What to do after an error."""

    REST = "next healthy target; this one rests"
    OUT_FOR_TODAY = "next target; the quota of this one is used up for today"
    AGAIN = "next target; this one again after a pause"
    GENERATE_AGAIN = "next target; the answer that was lost may have to be paid for"
    NEXT_METHOD = "same target by another access method"
    WITHOUT_PARAMETER = "same target without the parameter"
    WITHOUT_FEATURE = "a target that has the feature, else without it"
    WITHOUT_CACHE_POINTS = "same target without cache points"
    WITHOUT_PREFILL = "same target from the beginning"
    NEXT_MODEL = "next model; this one does not take the request"
    NEXT_TARGET = "next target; this one is not to be had"
    NEXT_CREDENTIALS = "next target; this one does not know the credentials"
    RENEW_CREDENTIALS = "same target with renewed credentials"
    NO_CREDENTIALS = "given up: there are no valid credentials"
    REFUSED = "given up: no target can take the request"
    ASK_AGAIN = "the answer was rejected; the same target again"
    REJECTED = "the answer was rejected; next target"
    NO_VERDICT = "given up: the validation function gave no verdict"


class Verdict(NamedTuple):
    """A decision with what it is about.

    Attributes:
        decision: What to do.
        names: What the decision is about: the parameters, the feature, or the words of the
            service by which it was recognised.
        retry_after: Seconds that the service asks to wait, or None.
    """

    decision: Decision
    names: tuple[str, ...] = ()
    retry_after: float | None = None


_BY_CODE = {
    # docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
    "ThrottlingException": Decision.REST,
    "ServiceUnavailableException": Decision.AGAIN,
    "InternalServerException": Decision.AGAIN,
    "ModelNotReadyException": Decision.AGAIN,
    "ModelTimeoutException": Decision.GENERATE_AGAIN,
    "ModelErrorException": Decision.GENERATE_AGAIN,
    "AccessDeniedException": Decision.NEXT_TARGET,
    "ResourceNotFoundException": Decision.NEXT_TARGET,
    # …API_runtime_ConverseStream.html: events of the stream, see `_code`
    "ModelStreamErrorException": Decision.GENERATE_AGAIN,
    # docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
    "ThrottlingError": Decision.REST,
    "RequestThrottledException": Decision.REST,
    "ServiceQuotaExceededException": Decision.REST,
    "TooManyRequestsException": Decision.REST,
    "InternalServerError": Decision.AGAIN,
    "InternalFailure": Decision.AGAIN,
    "ServiceException": Decision.AGAIN,
    "ServiceUnavailable": Decision.AGAIN,
    "UnauthorizedException": Decision.NEXT_TARGET,
    "OptInRequired": Decision.NEXT_TARGET,
    "UnrecognizedClientException": Decision.NEXT_CREDENTIALS,  # also a region not opted in to
    "InvalidClientTokenId": Decision.NEXT_CREDENTIALS,
    "InvalidSignatureException": Decision.NEXT_CREDENTIALS,
    "MissingAuthenticationToken": Decision.NEXT_CREDENTIALS,
    "MissingAuthenticationTokenException": Decision.NEXT_CREDENTIALS,
    "IncompleteSignature": Decision.NEXT_CREDENTIALS,
    "ExpiredTokenException": Decision.RENEW_CREDENTIALS,
    "ExpiredToken": Decision.RENEW_CREDENTIALS,
    "RequestExpired": Decision.RENEW_CREDENTIALS,
}

_BY_STATUS = {
    401: Decision.NEXT_CREDENTIALS,
    408: Decision.GENERATE_AGAIN,
    424: Decision.GENERATE_AGAIN,
    429: Decision.REST,
}

# By name, because botocore and urllib3 are not imported for this. The most derived class that is
# listed counts; what botocore raises while a stream is read comes from urllib3 as it is.
_BY_CLASS = {
    "ContentError": Decision.GENERATE_AGAIN,
    "AuthenticationError": Decision.NO_CREDENTIALS,
    "NoCredentialsError": Decision.NO_CREDENTIALS,
    "PartialCredentialsError": Decision.NO_CREDENTIALS,
    "CredentialRetrievalError": Decision.NO_CREDENTIALS,
    "NoAuthTokenError": Decision.NO_CREDENTIALS,
    "TokenRetrievalError": Decision.NO_CREDENTIALS,
    "SSOError": Decision.NO_CREDENTIALS,
    "LoginError": Decision.NO_CREDENTIALS,
    "RefreshWithMFAUnsupportedError": Decision.NO_CREDENTIALS,
    "RequestValidationError": Decision.REFUSED,
    "ParamValidationError": Decision.REFUSED,
    "ReadTimeoutError": Decision.GENERATE_AGAIN,
    "ResponseStreamingError": Decision.GENERATE_AGAIN,
    "IncompleteReadError": Decision.GENERATE_AGAIN,
    "ResponseParserError": Decision.GENERATE_AGAIN,
    "ParserError": Decision.GENERATE_AGAIN,  # botocore.eventstream
    "StreamingError": Decision.GENERATE_AGAIN,
    "HTTPClientError": Decision.AGAIN,
    "ConnectionError": Decision.AGAIN,  # botocore's (endpoint, proxy, TLS) and Python's
    "HTTPError": Decision.AGAIN,  # urllib3
    "BotoCoreError": Decision.NEXT_TARGET,
    "OSError": Decision.AGAIN,
}

# What a user asked to be repeated is repeated instead of these.
_NOT_REPEATED = frozenset(
    {
        Decision.GENERATE_AGAIN,
        Decision.NEXT_MODEL,
        Decision.NEXT_TARGET,
        Decision.NEXT_CREDENTIALS,
        Decision.NO_CREDENTIALS,
        Decision.REFUSED,
    }
)

_FEATURES = {
    "image": "image_processing",
    "document": "document_processing",
    "video": "video_processing",
    "audio": "audio_processing",
    "tool": "tool_use",
}

# Sentences of the service, as users report them in public issue threads; in lower case and with
# plain apostrophes when they are looked at. Whatever leaves something out of a request has to
# match from the beginning, because the service may quote the prompt. Compiled on first need: a
# process may never see an error.
_BY_MODEL = "the model returned the following errors: "
_QUOTES_VALUES = r"\d+ validation errors? detected"  # NousResearch/hermes-agent#55429
_PROFILE_NEEDED = (
    # anthropics/claude-code#1466
    r"on-demand throughput isn't supported"
    r"|retry your request with the id or arn of an inference profile"
    r"|inference profile that contains this model"
)
_NO_FEATURE = (
    # anomalyco/models.dev#6821, anomalyco/opencode#49443, langchain-ai/langchain-aws#447: "This
    # model doesn't support documents.", "… the image field for user messages. Remove image and
    # try again.", "… tool use"
    r"(?:(?:this|the) model (?:doesn't|does not) support (?:the )?"
    r"(?:(image|document|video|audio)(?:s| inputs?| processing)?|(tool)(?:s|config| use))"
    r"(?: fields?| content| content blocks?)?(?: (?:for|in) user messages)?"
    # as 0.9.0 expected it
    r"|(?:(image|document|video) processing|(tool) use) (?:is )?not supported"
    r"(?: (?:by|for) (?:this|the) model)?)"
    r"(?:[.!](?:\s|$)|$)"
)
_NOT_SUPPORTED = (
    # strands-agents/harness-sdk#1241, #393, earendil-works/pi#3739: "… the
    # toolConfig.toolChoice.any field. Remove …", "… tool use in streaming mode."
    r"(?:this|the) model (?:doesn't|does not) support (?:the )?([\w.]{1,64})"
)
_LONGEST_SUBJECT = 80
_NO_PARAMETER = (
    r"(?:this|the) model (?:doesn't|does not) support (?:the )?`?([\w-]{1,64})`?"
    r"(?: field| parameter)?(?:[.!](?:\s|$)|$)"
)
_UNKNOWN_PARAMETER = (
    r"unsupported parameter|invalid field|unknown parameter|parameter not supported"
    r"|unrecognized field|invalid request field|does not support parameter"
    r"|parameter is not valid for this model"
)
_QUOTED = r"""['"`\[]([\w-]{1,64})['"`\]]"""
_WORDS = r"[\w-]+"
# BerriAI/litellm#7416, zed-industries/zed#31815: "Malformed input request: #: extraneous key
# [chat_id] is not permitted", "…: #/toolConfig/tools/1/…: extraneous key [definitions] is …"
_EXTRANEOUS = "extraneous key ["
_EXTRA_INPUTS = ": extra inputs are not permitted"  # BerriAI/litellm#15880: "tools.20.custom.…"
_NO_CACHE_POINTS = (
    # zeroclaw-labs/zeroclaw#7315 (as AccessDeniedException, too)
    r"did not allow prompt caching|extraneous key \[cachepoint\]"
    r"|^(?:this|the) model (?:doesn't|does not) support (?:prompt caching|the cachepoint field)"
)
_NOT_THIS_CACHE_POINT = (
    # anomalyco/opencode#17300, 0xPlaygrounds/rig#1673, BerriAI/litellm#15880,
    # Portkey-AI/gateway#1762
    r"there is nothing available to cache|cache point cannot be inserted"
    r"|cache_control(?:\.\w{1,20}){0,3}: extra inputs|cache_control block must not come after"
)
_PREFILL = "does not support assistant message prefill"  # NousResearch/hermes-agent#101401
_ABOUT_THE_MODEL = (
    # aws-samples/bedrock-chat#95, daisuke-awaji/moca#254, RooCodeInc/Roo-Code#248,
    # aws-samples/bedrock-access-gateway#41, #191, DayuanJiang/next-ai-draw-io#861,
    # aws-samples/amazon-bedrock-client-for-mac#112
    r"input is too long|prompt is too long|too many input tokens|exceeds? the model limit"
    r"|exceeds? the maximum|exceeds? (?:the )?context|input length and `?max_tokens"
    r"|model identifier is invalid|cannot both be specified|is deprecated for this model"
    r"|is unsupported for streaming|this action doesn't support the model|guardrail[a-z ']{0,60}(?:model|support)"
)
_NOT_HERE = (
    # langgenius/dify#7488, aws-samples/bedrock-chat#471, awslabs/llmeter#35; a guardrail belongs to
    # one region: aws-samples/generative-ai-use-cases#1257, openclaw/openclaw#58588
    r"operation not allowed|is not authorized to invoke this api operation"
    r"|is not available in your region|marked by provider as legacy"
    r"|guardrail identifier or version provided in the request does not exist"
    r"|guardrail identifier is invalid"
)
_EXPIRED = r"\b(?:token|api key)\b[a-z ]{0,60}\bexpired\b"
_UNKNOWN_KEY = "make sure your api key is valid"  # ai4s-research/open-science#53: or in this region
# A RuntimeError of botocore.credentials.
_STILL_EXPIRED = "refreshed credentials are still expired"
# Of STS and SSO, by which botocore gets credentials.
_CREDENTIAL_OPERATIONS = ("AssumeRole", "GetRoleCredentials", "CreateToken")


def classify(
    error: BaseException,
    *,
    additional_fields: Collection[str] = (),
    retryable_errors: Collection[str] = (),
) -> Verdict:
    """Decide about one error.

    Args:
        error: What the call raised, or what came in its stream.
        additional_fields: Names in the `additionalModelRequestFields` that were sent.
        retryable_errors: Error codes and exception class names that the caller wants repeated.
    """
    verdict = _judge(error, additional_fields)
    if verdict.decision in _NOT_REPEATED and _is_named(error, retryable_errors):
        return Verdict(Decision.AGAIN, retry_after=_retry_after(_response(error)))
    return verdict


def is_known_code(code: object) -> bool:
    """Whether the service's error code stands in the table, rather than being judged by status."""
    return code in _BY_CODE


def is_from_aws(error: BaseException, retryable_errors: Collection[str] = ()) -> bool:
    """Whether a call to AWS failed with it; others are bugs, or for somebody else to handle.

    Args:
        error: What the call raised.
        retryable_errors: Names that the caller wants handled like those of AWS.
    """
    if _response(error) is not None or _is_still_expired(error):
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names.isdisjoint(_BY_CLASS) or not names.isdisjoint(retryable_errors)


def _judge(error: BaseException, additional_fields: Collection[str]) -> Verdict:
    response = _response(error)
    if response is None:
        return Verdict(_by_class(error))
    code, text = _code(response), _said(response)
    if str(getattr(error, "operation_name", "")).startswith(_CREDENTIAL_OPERATIONS):
        return Verdict(_about_credentials(code, response))
    if code == "ValidationException":
        return _about_validation(text, additional_fields)
    decision = _BY_CODE.get(code) or _by_status(response)
    if decision in {Decision.NEXT_TARGET, Decision.NEXT_CREDENTIALS}:
        return _about_access(text) or Verdict(decision)
    if decision is Decision.REST and "per day" in text:
        decision = Decision.OUT_FOR_TODAY
    return Verdict(decision, retry_after=_retry_after(response))


def _is_named(error: BaseException, names: Collection[str]) -> bool:
    if not names:
        return False
    response = _response(error)
    codes = {_code(response)} if response else set()
    return not codes.union(kind.__name__ for kind in type(error).__mro__).isdisjoint(names)


def _response(error: BaseException) -> dict[str, Any] | None:
    """What the service answered; None where it is no answer of a service."""
    response: Any = getattr(error, "response", None)
    return response if isinstance(response, dict) and "Error" in response else None


def _code(response: Mapping[str, Any]) -> str:
    """The error code; in a stream it starts with a small letter: ``throttlingException``."""
    code = (response["Error"] or {}).get("Code")
    return code[:1].upper() + code[1:] if isinstance(code, str) else ""


def _said(response: Mapping[str, Any]) -> str:
    said = (response["Error"] or {}).get("Message")
    return said.replace("\u2019", "'").strip().lower() if isinstance(said, str) else ""


def _by_class(error: BaseException) -> Decision:
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_CLASS:
            return _BY_CLASS[kind.__name__]
    return Decision.NO_CREDENTIALS if _is_still_expired(error) else Decision.NEXT_TARGET


def _is_still_expired(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and _STILL_EXPIRED in str(error)


def _by_status(response: Mapping[str, Any]) -> Decision:
    status = (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
    if not isinstance(status, int):
        return Decision.AGAIN  # an event in a stream has no status of its own
    return _BY_STATUS.get(status) or (
        Decision.AGAIN if status >= 500 else Decision.NEXT_TARGET  # noqa: PLR2004  (HTTP)
    )


def _retry_after(response: Mapping[str, Any] | None) -> float | None:
    """Seconds from `x-amz-retry-after` (milliseconds) or `Retry-After` (seconds)."""
    headers = ((response or {}).get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    for name, unit in (("x-amz-retry-after", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, TypeError, ValueError):  # absent, or an HTTP date
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def _about_credentials(code: str, response: Mapping[str, Any]) -> Decision:
    decision = _BY_CODE.get(code) or _by_status(response)
    passes = decision in {Decision.REST, Decision.AGAIN, Decision.RENEW_CREDENTIALS}
    return decision if passes else Decision.NO_CREDENTIALS


def _about_access(text: str) -> Verdict | None:
    if re.search(_EXPIRED, text):
        return Verdict(Decision.RENEW_CREDENTIALS)
    if _UNKNOWN_KEY in text:
        return Verdict(Decision.NEXT_CREDENTIALS)
    return _about_cache_points(text)


def _about_cache_points(text: str) -> Verdict | None:
    if re.search(_NO_CACHE_POINTS, text):
        return Verdict(Decision.WITHOUT_CACHE_POINTS, ("prompt_caching",))
    if re.search(_NOT_THIS_CACHE_POINT, text):
        return Verdict(Decision.WITHOUT_CACHE_POINTS)
    return None


def _about_validation(text: str, additional_fields: Collection[str]) -> Verdict:
    if re.match(_QUOTES_VALUES, text):
        of_the_model = "at 'modelid' failed" in text
        return Verdict(Decision.NEXT_MODEL if of_the_model else Decision.REFUSED)
    said = text.removeprefix(_BY_MODEL)
    if re.search(_PROFILE_NEEDED, said):
        return Verdict(Decision.NEXT_METHOD)
    if _PREFILL in said:
        return Verdict(Decision.WITHOUT_PREFILL)
    about_cache_points = _about_cache_points(said)
    if about_cache_points:
        return about_cache_points
    feature = re.match(_NO_FEATURE, said)
    if feature:
        name = next(filter(None, feature.groups()))
        return Verdict(Decision.WITHOUT_FEATURE, (_FEATURES[name],))
    refused = _refused_fields(said, additional_fields)
    if refused:
        return Verdict(Decision.WITHOUT_PARAMETER, refused)
    if re.search(_NOT_HERE, said):
        return Verdict(Decision.NEXT_TARGET)
    return _about_the_model(said, is_from_model=said != text)


def _about_the_model(said: str, *, is_from_model: bool) -> Verdict:
    unsupported = re.match(_NOT_SUPPORTED, said)
    if unsupported:
        what = said[unsupported.start(1) :][:_LONGEST_SUBJECT].partition(". ")[0].rstrip(".")
        return Verdict(Decision.NEXT_MODEL, (f"{what} is not supported",))
    about = re.search(_ABOUT_THE_MODEL, said)
    if about:
        return Verdict(Decision.NEXT_MODEL, (about[0],))
    differs = is_from_model or any(phrase in said for phrase in (_EXTRANEOUS, _EXTRA_INPUTS))
    differs = differs or re.search(_UNKNOWN_PARAMETER, said) is not None
    return Verdict(Decision.NEXT_MODEL if differs else Decision.REFUSED)


def _refused_fields(said: str, fields: Collection[str]) -> tuple[str, ...]:
    """Which of the additional fields the model does not take, if it says so unmistakably."""
    if not fields:
        return ()
    if "invalid beta flag" in said:
        return _named(fields, {"anthropic_beta"})
    places = {*_extraneous_keys(said), *_extra_inputs(said)}
    if unsupported := re.match(_NO_PARAMETER, said):
        places.add(unsupported[1])
    return _named(fields, places) if places else _unknown_parameters(said, fields)


def _extraneous_keys(said: str) -> list[str]:
    """The keys at the top of the request: what is further down belongs to something else."""
    before, *parts = said.split(_EXTRANEOUS)
    keys = []
    for part in parts:
        place = before.rpartition(" ")[0].rpartition(" ")[2]
        keys.append("" if place.startswith("#/") else part.partition("]")[0])
        before = part
    return keys


def _extra_inputs(said: str) -> list[str]:
    return [part.split()[-1] for part in said.split(_EXTRA_INPUTS)[:-1] if part.strip()]


def _unknown_parameters(said: str, fields: Collection[str]) -> tuple[str, ...]:
    phrase = re.search(_UNKNOWN_PARAMETER, said)
    if not phrase:
        return ()
    quoted = re.findall(_QUOTED, said)
    if quoted:
        return _named(fields, quoted)
    words = [
        *re.findall(_WORDS, said[phrase.end() :]),
        *re.findall(_WORDS, said[: phrase.start()])[::-1],
    ]
    first = next((word for word in words if _named(fields, {word})), None)
    if first is not None:
        return _named(fields, {first})
    rest = said[phrase.end() :].strip(" .")
    names_nothing = rest in {"", "for this model"}
    return tuple(fields) if names_nothing and len(fields) == 1 else ()


def _named(fields: Collection[str], words: Collection[str]) -> tuple[str, ...]:
    return tuple(field for field in fields if field.lower() in words)
