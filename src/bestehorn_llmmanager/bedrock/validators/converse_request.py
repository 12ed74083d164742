"""Finds what is wrong with a Converse request before it is sent.

A request that the service would accept is never refused: what the API may grow (block types,
members, formats, further values of an enumeration) passes, and what is known to differ from model
to model (how many images and videos, blank text that is not empty) is left to the model.

A problem names its place (``messages[1].content[0].text``) and the remedy, never what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.converse_members import KNOWN_SINCE, MEMBER_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from botocore.exceptions import ParamValidationError

    # (place below what was checked, what is wrong): the place of a problem grows on its way up, so
    # that nothing is written for what is fine.
    Found = Sequence[tuple[str, str]]
    Check = Callable[[Any], Found]


class Problem(NamedTuple):
    """One thing that keeps a request from being sent."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"`{self.place}` {self.sentence}"


def check_request(request: Mapping[str, Any]) -> None:
    """Refuse a request that no model could answer; changes nothing and sends nothing.

    Args:
        request: Keyword arguments of ``client.converse``, with or without ``modelId``.

    Raises:
        RequestValidationError: Everything that is wrong, in one error: `validation_errors` has a
            sentence for each problem, `invalid_fields` its place.
    """
    if problems := find_problems(request):
        raise _refusal(problems)


def find_problems(request: Mapping[str, Any]) -> list[Problem]:
    """What `check_request` would complain of; empty if there is nothing.

    A request without messages is complete if it names a prompt of Prompt management.
    """
    problems: list[Problem] = []
    if not request.get("messages") and not _names_a_prompt(request):
        problems.append(Problem("messages", "is empty; Converse needs at least one message"))
    for member, value in request.items():
        check = _MEMBERS.get(member)
        if check and (found := check(value)):
            problems += [Problem(f"{member}{place}", sentence) for place, sentence in found]
    if _starts_with_an_answer(request):
        problems.append(
            Problem("messages[0].role", "is 'assistant'; a conversation starts with the user")
        )
    return problems


def find_inference_config_problems(config: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with an `inferenceConfig`; names that boto3 may know one day pass."""
    place = "inferenceConfig"
    problems = [Problem(f"{place}{where}", said) for where, said in _MEMBERS[place](config)]
    for name in config:
        meant = _INFERENCE_MEMBERS.get(str(name).replace("_", "").lower())
        if meant and meant != name:
            problems.append(Problem(f"{place}.{name}", f"has to be written `{meant}`"))
    return problems


_INFERENCE_MEMBERS = {
    name.lower(): name for name in ("maxTokens", "stopSequences", "temperature", "topP")
}


def _starts_with_an_answer(request: Mapping[str, Any]) -> bool:
    messages = request.get("messages")
    if not messages or not isinstance(messages, (list, tuple)):
        return False
    first = messages[0]
    # The messages of a prompt of Prompt management come before these.
    return type(first) is dict and first.get("role") == "assistant" and not _names_a_prompt(request)


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of `LLMManager.converse` that are not of the right type at all.

    Args:
        arguments: By their names, for example ``{"messages": …, "inference_config": …}``. None
            stands for an argument that was not given; names that are not known pass.

    Raises:
        RequestValidationError: All of them in one error; `invalid_fields` has their names.
    """
    problems = [
        Problem(name, wrong[0][1])
        for name, value in arguments.items()
        if value is not None and (check := _ARGUMENTS.get(name)) and (wrong := check(value))
    ]
    if problems:
        raise _refusal(problems)


def explain_param_validation(
    error: ParamValidationError, request: Mapping[str, Any]
) -> RequestValidationError:
    """Say where botocore sees a fault, without its message, which quotes what stands there.

    Raise the result ``from None``.
    """
    problems = {problem.place: problem for problem in find_problems(request)}
    for complaint in re.finditer(_COMPLAINT, str(error), re.MULTILINE):
        problem = _explained(request, *complaint.groups())
        if problem:
            problems.setdefault(problem.place, problem)
    if not problems:
        return RequestValidationError(
            "The request is not of the form that Converse takes. A message is "
            "{'role': 'user', 'content': [{'text': '…'}]}"
        )
    return _refusal(list(problems.values()))


def _refusal(problems: Sequence[Problem]) -> RequestValidationError:
    shown = "; ".join(map(str, problems[:_MOST_SHOWN]))
    more = f"; and {len(problems) - _MOST_SHOWN} more" if len(problems) > _MOST_SHOWN else ""
    return RequestValidationError(
        f"The request cannot be sent: {shown}{more}",
        validation_errors=[str(problem) for problem in problems],
        invalid_fields=list(dict.fromkeys(problem.place for problem in problems)),
    )


_MOST_SHOWN = 5


# What botocore complains of

# "Invalid type for parameter messages[0].content, value: …", "Missing required parameter in
# messages[0]: "…"", "Unknown parameter in input: "…", must be …", "Must set one of the following
# keys for tagged unionstructure messages[0].content[0]: …": see botocore.validate
_COMPLAINT = (
    r"^(Invalid [a-z ]+|Missing required|Unknown|Must set one of the following keys for)"
    r" (?:parameter(?: in)?|structure|tagged union ?structure)"
    r" ([\w.\[\]]+)(?:: \"(\w{1,64})\")?(?:, must be one of: ([\w, ]+)$)?"
)
_STEP = r"\.?(\w+)|\[(\d{1,9})\]"
# A prompt may hold a line like botocore's: no other word is taken from it.
_REQUIRED = (
    "content|enabled|format|input|inputSchema|name|role|schema|source|structure|text|title|tool"
    "|toolUseId|tools|type|uri"
)


def _explained(
    request: Mapping[str, Any], complaint: str, written: str, key: str | None, listed: str | None
) -> Problem | None:
    if "document" in complaint:
        return None  # `written` is not where it is, and `find_problems` looked for itself
    place, value = _deepest(request, "" if written == "input" else written.removeprefix("input."))
    if complaint == "Unknown" and isinstance(value, Mapping) and key in value:
        return Problem(
            f"{place}.{key}".lstrip("."),
            f"is not known to the installed boto3: {_remedy_for_unknown(key, listed)}",
        )
    if complaint == "Missing required" and re.fullmatch(_REQUIRED, key or ""):
        return Problem(f"{place}.{key}".lstrip("."), "is missing")
    if not place:
        return None
    if complaint.startswith("Invalid type"):
        return Problem(place, f"cannot be {_a(value)}")
    return Problem(place, "is not of the form that Converse takes")


def _remedy_for_unknown(key: str | None, listed: str | None) -> str:
    import botocore  # noqa: PLC0415  (it has complained, so it is loaded)

    since = KNOWN_SINCE.get(key or "")
    if since and _numbers(botocore.__version__) < _numbers(since):
        return f"update boto3; {since} has it, {botocore.__version__} is installed"
    from difflib import get_close_matches  # noqa: PLC0415

    known = MEMBER_NAMES.intersection((listed or "").split(", "))
    closest = get_close_matches(key or "", sorted(known), n=1)
    if closest:
        return f"did you mean `{closest[0]}`? Or update boto3 if it is new"
    return "check the spelling, or update boto3 if it is new"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _deepest(request: Mapping[str, Any], written: str) -> tuple[str, Any]:
    """The longest beginning of a place that exists in the request, with what stands there."""
    value: Any = request
    end = 0
    for step in re.finditer(_STEP, written):
        key: Any = step[1] or int(step[2])
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            break
        end = step.end()
    return written[:end], value


# Simple values

_FINE: Found = ()


def _a(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _wrong_type(value: object, expected: str, remedy: str = "") -> Found:
    return [("", f"must be {expected}, but is {_a(value)}{remedy}")]


def _string(value: Any) -> Found:
    return _FINE if isinstance(value, str) else _wrong_type(value, "a string")


def _text(value: Any) -> Found:
    if isinstance(value, str):
        return _FINE if value else [("", "is empty; write something or leave it out")]
    return _wrong_type(value, "a string")


def _tool_name(value: Any) -> Found:
    if not isinstance(value, str):
        return _wrong_type(value, "a string")
    letters = value.replace("_", "").replace("-", "")
    if 1 <= len(value) <= _LONGEST_TOOL_NAME and (
        not letters or (letters.isascii() and letters.isalnum())
    ):
        return _FINE
    return [("", "must have 1 to 64 characters, all of them A-Z, a-z, 0-9, `_` or `-`")]


_LONGEST_TOOL_NAME = 64


def _at_least_one(value: Any) -> Found:
    if not isinstance(value, int) or isinstance(value, bool):
        return _wrong_type(value, "a whole number")
    return _FINE if value >= 1 else [("", f"must be at least 1, but is {_number(value)}")]


def _zero_to_one(value: Any) -> Found:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return _zero_to_one_decimal(value)
    if 0 <= value <= 1:
        return _FINE
    return [("", f"must be from 0 to 1, but is {_number(value)}")]


def _zero_to_one_decimal(value: Any) -> Found:
    from decimal import Decimal  # noqa: PLC0415

    if not isinstance(value, Decimal):
        return _wrong_type(value, "a number")
    return _FINE if not value.is_nan() and 0 <= value <= 1 else [("", "must be from 0 to 1")]


def _number(value: float) -> str:
    # Python refuses to write out a whole number of more than some thousand digits.
    return repr(value) if abs(value) < 10**18 or isinstance(value, float) else "far from that"


def _bytes(value: Any) -> Found:
    if isinstance(value, (bytes, bytearray, str)):
        return _FINE if value else [("", "is empty")]
    if hasattr(value, "read"):
        return _wrong_type(value, "bytes", "; give what its `read()` returns")
    return _wrong_type(value, "bytes")


def _media_bytes(value: Any) -> Found:
    if isinstance(value, str):
        remedy = "; boto3 makes base64 of it by itself, so decode what is base64 already"
        return _wrong_type(value, "bytes", remedy)
    return _bytes(value)


def _s3_uri(value: Any) -> Found:
    if isinstance(value, str) and value.startswith("s3://"):
        return _FINE
    return [("", "must be a string that begins with s3://")]


def _pointer(value: Any) -> Found:
    if isinstance(value, str) and value.startswith("/"):
        return _FINE
    return [("", 'must be a JSON pointer, which begins with a slash, for example "/stop_sequence"')]


# Containers


def _under(step: str, found: Found) -> list[tuple[str, str]]:
    return [(f"{step}{place}", sentence) for place, sentence in found]


def _structure(*required: str, **checks: Check) -> Check:
    """A dict that has the required members; members without a check pass."""

    def check(value: Any) -> Found:
        if not isinstance(value, dict):
            return _wrong_type(value, "a dict")
        found = [(f".{name}", "is missing") for name in required if name not in value]
        for name, member in value.items():
            check_member = checks.get(name)
            if check_member and (wrong := check_member(member)):
                found += _under(f".{name}", wrong)
        return found

    return check


def _one_of(checks: Mapping[str, Check], example: str) -> Check:
    """A dict of one member, which says what kind of thing it is; unknown kinds pass."""

    def check(value: Any) -> Found:
        if not isinstance(value, dict):
            return _wrong_type(value, "a dict", f"; write {example}")
        if len(value) != 1:
            return [("", _not_one(value, example))]
        ((kind, member),) = value.items()
        check_member = checks.get(kind)
        return _under(f".{kind}", found) if check_member and (found := check_member(member)) else ()

    return check


def _not_one(value: dict[Any, Any], example: str) -> str:
    if not value:
        return f"is empty; write {example}"
    if "type" in value:
        return f"has a `type`, of which Converse knows nothing; write {example}"
    return f"has {len(value)} members instead of one: make one item of each, like {example}"


def _list_of(
    check_item: Check, *, least: int = 0, most: int | None = None, example: str = ""
) -> Check:
    remedy = f"; write {example}" if example else ""

    def check(value: Any) -> Found:
        if not isinstance(value, (list, tuple)):
            return _wrong_type(value, "a list", remedy)
        if len(value) < least:
            return [("", f"is empty{remedy}")]
        found = []
        for number, item in enumerate(value):
            if wrong := check_item(item):
                found += _under(f"[{number}]", wrong)
        if most is not None and len(value) > most:
            found.append(("", f"has {len(value)} items; Converse takes {most}"))
        return found

    return check


# Values of any JSON type

_JSON_LEAVES = (str, int, type(None))  # a bool is an int
_JSON_KEYS = (str, int, float, type(None))


def _json(value: Any) -> Found:
    """Any JSON value, as botocore understands it: no tuples."""
    try:
        return _FINE if _is_plain_json(value) else _json_problems(value)
    except RecursionError:
        return [("", "contains itself, or is nested too deeply for JSON")]


def _is_plain_json(value: Any) -> bool:
    """Whether a value needs no closer look; schemas are large, and sent with every request."""
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or (type(item) is not str and not _is_plain_json(item)):
                return False
        return True
    if kind is list:
        return all(type(item) is str or _is_plain_json(item) for item in value)
    return kind in _PLAIN_TYPES


_PLAIN_TYPES = frozenset((str, int, bool, type(None)))


def _json_problems(value: Any) -> Found:
    if isinstance(value, _JSON_LEAVES):
        return _FINE
    if isinstance(value, dict):
        return _json_members(value)
    if isinstance(value, list):
        found = []
        for number, item in enumerate(value):
            if wrong := _json_problems(item):
                found += _under(f"[{number}]", wrong)
        return found
    if isinstance(value, float):
        return _FINE if isfinite(value) else [("", "is not finite; JSON has no such number")]
    return [("", f"is {_a(value)}, which cannot be sent as JSON{_json_remedy(value)}")]


def _json_members(value: dict[Any, Any]) -> Found:
    found: list[tuple[str, str]] = []
    for key, item in value.items():
        if not isinstance(key, _JSON_KEYS):
            found.append(("", f"has a key that is {_a(key)}; JSON takes strings"))
        if wrong := _json_problems(item):
            if isinstance(key, str) and re.fullmatch(r"[\w$-]{1,64}", key):
                found += _under(f".{key}", wrong)
            else:
                found += [("", f"holds what {sentence}") for _, sentence in wrong]
    return found


def _json_remedy(value: object) -> str:
    if isinstance(value, (tuple, set, frozenset)):
        return "; make it a list"
    if isinstance(value, type):
        return "; a class is no schema: give what its `model_json_schema()` or the like returns"
    return ""


def _json_object(value: Any) -> Found:
    return _json(value) if isinstance(value, dict) else _wrong_type(value, "a dict")


def _private_json_object(value: Any) -> Found:
    """What a model or a tool said: the names in it are its content, too."""
    if not isinstance(value, dict):
        return _wrong_type(
            value, "a dict", '; put anything else into one, for example {"result": …}'
        )
    return [("", sentence) for _, sentence in _json(value)[:1]]


# Blocks

_SOURCES: dict[str, Check] = {
    "bytes": _bytes,
    "s3Location": _structure("uri", uri=_s3_uri, bucketOwner=_text),
    "text": _string,
    "content": _list_of(_structure()),
}
_SOURCE_EXAMPLE = '{"bytes": …} or {"s3Location": {"uri": "s3://…"}}'
_MEDIUM = _structure(
    "format",
    "source",
    format=_text,
    source=_one_of({**_SOURCES, "bytes": _media_bytes}, _SOURCE_EXAMPLE),
)


def _document_name(value: Any) -> Found:
    # None or empty: the copy that is sent gets a name.
    return _FINE if value is None else _string(value)


# A text file may be given as text.
_DOCUMENT = _structure(
    "source", format=_text, name=_document_name, source=_one_of(_SOURCES, _SOURCE_EXAMPLE)
)
# Claude 4 and later take larger PDF files, Nova takes larger PDF and DOCX files.
# Source: docs.aws.amazon.com/bedrock/latest/userguide/inference-api-restrictions.html
_LIMITED_FORMATS = ("csv", "doc", "xls", "xlsx", "html", "txt", "md")
_MOST_BYTES = int(4.5 * 1024 * 1024)
_MOST_DOCUMENTS = 5


def _document(value: Any) -> Found:
    if found := _DOCUMENT(value):
        return found
    size = len(value["source"].get("bytes", b""))
    if size > _MOST_BYTES and value.get("format") in _LIMITED_FORMATS:
        return [
            (
                ".source.bytes",
                f"has {size} bytes; Bedrock takes 4.5 MB of this format; split the document",
            )
        ]
    return _FINE


def _is_sent_along(block: Any) -> bool:
    """Whether it is a document whose bytes are in the request: others may have other limits."""
    document = block.get("document") if isinstance(block, dict) else None
    source = document.get("source") if isinstance(document, dict) else None
    return isinstance(source, dict) and "bytes" in source


_TEXT_EXAMPLE = '{"text": "…"}'
_CACHE_POINT = _structure("type", type=_text, ttl=_text)
_RESULT_BLOCK = _one_of(
    {
        "json": _private_json_object,
        "text": _string,
        "image": _MEDIUM,
        "document": _document,
        "video": _MEDIUM,
        "searchResult": _structure("source", "title", "content"),
    },
    _TEXT_EXAMPLE,
)
_BLOCK = _one_of(
    {
        "text": _text,
        "image": _MEDIUM,
        "document": _document,
        "video": _MEDIUM,
        "audio": _MEDIUM,
        "toolUse": _structure(
            "toolUseId",
            "name",
            "input",
            toolUseId=_text,
            name=_tool_name,
            input=_private_json_object,
        ),
        # The service takes results without content, and blank text in them.
        "toolResult": _structure(
            "toolUseId",
            "content",
            toolUseId=_text,
            content=_list_of(_RESULT_BLOCK, example=f"[{_TEXT_EXAMPLE}]"),
            status=_text,
        ),
        "guardContent": _structure(),
        "cachePoint": _CACHE_POINT,
        "reasoningContent": _structure(),
        "citationsContent": _structure(),
        "searchResult": _structure("source", "title", "content"),
        "toolAddition": _structure("tool", tool=_structure()),
        "toolRemoval": _structure("tool", tool=_structure()),
    },
    _TEXT_EXAMPLE,
)
_SYSTEM_BLOCK = _one_of(
    {"text": _text, "guardContent": _structure(), "cachePoint": _CACHE_POINT}, _TEXT_EXAMPLE
)

# Messages

_ROLES = ("user", "assistant", "system")
_MESSAGE_EXAMPLE = '{"role": "user", "content": [{"text": "…"}]}'


def _messages(value: Any) -> Found:
    if not isinstance(value, (list, tuple)):
        return _not_messages(value)
    found: list[tuple[str, str]] = []
    others: list[Any] = []
    for number, message in enumerate(value):
        if not _is_plain_text(message) and (wrong := _message(message, others)):
            found += _under(f"[{number}]", wrong)
    documents = sum(map(_is_sent_along, others))
    if documents > _MOST_DOCUMENTS:
        found.append(("", _too_many_documents(documents)))
    return found


def _is_plain_text(message: Any) -> bool:
    """Whether a message needs no closer look: nearly all are so, and 200 should not be felt."""
    if type(message) is not dict or message.get("role") not in _ROLES:
        return False
    content = message.get("content")
    if type(content) is not list or not content:
        return False
    for block in content:
        if type(block) is not dict or len(block) != 1:
            return False
        text = block.get("text")
        if type(text) is not str or not text:
            return False
    return True


def _message(message: Any, others: list[Any]) -> Found:
    """What is wrong with one message, whose blocks are added to `others`."""
    if not isinstance(message, dict):
        return _wrong_type(message, "a dict", _build_it(message) or f"; write {_MESSAGE_EXAMPLE}")
    found: list[tuple[str, str]] = []
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        found.append((".role", _wrong_role(message)))
    content = message.get("content")
    if not isinstance(content, (list, tuple)) or not content:
        return [*found, (".content", _wrong_content(message))]
    others += content
    for number, block in enumerate(content):
        if wrong := _BLOCK(block):
            found += _under(f".content[{number}]", wrong)
    if not found and _lacks_text(content):
        found.append((".content", f"has a document, but no text; add {_TEXT_EXAMPLE}"))
    return found


def _lacks_text(content: Any) -> bool:
    """Whether there is a document, and nothing that says what to do with it.

    Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
    """
    kinds = {kind for block in content for kind in block}
    return "document" in kinds and kinds <= _WITHOUT_TEXT


_WITHOUT_TEXT = {"document", "image", "video", "audio", "cachePoint"}


def _build_it(value: object) -> str:
    return "; call its `build()`" if callable(getattr(value, "build", None)) else ""


def _not_messages(value: Any) -> Found:
    if value is None:
        return _FINE  # said already
    remedy = f"; write [{_MESSAGE_EXAMPLE}]"
    if isinstance(value, dict) and "role" in value:
        remedy = "; put the message into a list"
    elif _build_it(value):
        remedy = "; call its `build()`, and put the message into a list"
    return _wrong_type(value, "a list of messages", remedy)


def _wrong_role(message: dict[str, Any]) -> str:
    role = message.get("role")
    if "role" not in message:
        return "is missing; it is 'user', 'assistant' or 'system'"
    if not isinstance(role, str):
        return _wrong_type(role, "'user', 'assistant' or 'system'")[0][1]
    if role in {"tool", "function"}:
        return (
            "must be 'user', 'assistant' or 'system'; the result of a tool is a block in a message"
            ' of the user: {"toolResult": {"toolUseId": …, "content": […]}}'
        )
    return "must be 'user', 'assistant' or 'system', in lower case"


def _wrong_content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if "content" not in message:
        return f"is missing; write [{_TEXT_EXAMPLE}]"
    if isinstance(content, (list, tuple)):
        return f"is empty; write [{_TEXT_EXAMPLE}]"
    return _wrong_type(content, "a list of blocks", f"; write [{_TEXT_EXAMPLE}]")[0][1]


def _too_many_documents(number: int) -> str:
    return (
        f"has {number} documents; Converse takes {_MOST_DOCUMENTS} per request, counting all"
        " messages; leave some out, or send several requests"
    )


def _names_a_prompt(request: Mapping[str, Any]) -> bool:
    if request.get("promptVariables"):
        return True
    model_id = request.get("modelId")
    return isinstance(model_id, str) and ":prompt/" in model_id


# The other members of a request

_SYSTEM = _list_of(_SYSTEM_BLOCK, example=f"[{_TEXT_EXAMPLE}]")
_TOOL = _one_of(
    {
        "toolSpec": _structure(
            "name",
            "inputSchema",
            name=_tool_name,
            description=_text,
            inputSchema=_one_of({"json": _json_object}, '{"json": {"type": "object", …}}'),
        ),
        "systemTool": _structure("name", name=_tool_name),
        "cachePoint": _CACHE_POINT,
    },
    '{"toolSpec": {"name": …, "inputSchema": {"json": {…}}}}',
)
_TOOL_CHOICE = _one_of(
    {"auto": _structure(), "any": _structure(), "tool": _structure("name", name=_tool_name)},
    '{"auto": {}}, {"any": {}} or {"tool": {"name": "…"}}',
)


def _json_schema(value: Any) -> Found:
    # `LLMManager` writes a dict as the text that Converse takes.
    return _FINE if isinstance(value, dict) else _text(value)


def _metadata(value: Any) -> Found:
    if not isinstance(value, dict):
        return _wrong_type(value, "a dict")
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        return [("", "must have strings only, as keys and as values")]
    if not 1 <= len(value) <= _MOST_METADATA:
        return [("", f"has {len(value)} entries; Converse takes 1 to {_MOST_METADATA}")]
    return _FINE


_MOST_METADATA = 16
_VARIABLE = _one_of({"text": _string}, _TEXT_EXAMPLE)


def _variables(value: Any) -> Found:
    if not isinstance(value, dict):
        return _wrong_type(value, "a dict")
    wrong = [found for item in value.values() for found in _VARIABLE(item)]
    return [("", f"must map each name to {_TEXT_EXAMPLE}")] if wrong else _FINE


_MEMBERS: dict[str, Check] = {
    "messages": _messages,
    "system": _SYSTEM,
    "inferenceConfig": _structure(
        maxTokens=_at_least_one,
        temperature=_zero_to_one,
        topP=_zero_to_one,
        stopSequences=_list_of(_text, example='["…"]'),
    ),
    "toolConfig": _structure(
        "tools", tools=_list_of(_TOOL, least=1, example="[…]"), toolChoice=_TOOL_CHOICE
    ),
    "guardrailConfig": _structure(
        guardrailIdentifier=_string,
        guardrailVersion=_string,
        trace=_text,
        streamProcessingMode=_text,
    ),
    "additionalModelRequestFields": _json_object,
    "promptVariables": _variables,
    "additionalModelResponseFieldPaths": _list_of(_pointer, most=10, example='["/…"]'),
    "requestMetadata": _metadata,
    "performanceConfig": _structure(latency=_text),
    "serviceTier": _structure("type", type=_text),
    "outputConfig": _structure(
        textFormat=_structure(
            "type",
            "structure",
            type=_text,
            # A dict without `jsonSchema` is the schema itself: `build_json_schema_output_config`.
            structure=_structure(
                jsonSchema=_structure(
                    "schema", schema=_json_schema, name=_string, description=_string
                )
            ),
        ),
        effort=_string,
    ),
}

# The arguments of `LLMManager.converse`


def _mapping(value: Any) -> Found:
    return _FINE if isinstance(value, Mapping) else _wrong_type(value, "a dict")


def _sequence(example: str) -> Check:
    def check(value: Any) -> Found:
        if isinstance(value, (list, tuple)):
            return _FINE
        return _wrong_type(value, "a list", f"; write {example}")

    return check


_ARGUMENTS: dict[str, Check] = {
    "messages": lambda value: _FINE if isinstance(value, (list, tuple)) else _not_messages(value),
    "system": _sequence(f"[{_TEXT_EXAMPLE}]"),
    "additional_model_response_field_paths": _sequence('["/…"]'),
    **dict.fromkeys(
        (
            "inference_config",
            "additional_model_request_fields",
            "guardrail_config",
            "tool_config",
            "request_metadata",
            "prompt_variables",
            "output_config",
            "performance_config",
            "service_tier",
            "extra_request_fields",
        ),
        _mapping,
    ),
}
