"""Tells which words of a `ValidationException` say what is wrong with a request, and nothing of it.

The service may quote the prompt. Only whole answers of these forms are repeated, in which nothing
of a request can stand but the names of members, and numbers.
"""

from __future__ import annotations

import re

from bestehorn_llmmanager.bedrock.models.converse_members import MEMBER_NAMES

_BY_MODEL = "The model returned the following errors: "
# What else may stand in a place (keys, names of tools) is the caller's.
_PLACE = rf"(?:(?:{'|'.join(sorted(MEMBER_NAMES))}|member|\d{{1,6}})(?:\.|\b))+"

# As users report them: the places are those of bedrock.retry.decisions, and
# langgenius/dify#17545, #16421, maximhq/bifrost#7003, aws-samples/generative-ai-use-cases#1685.
_SENTENCES = (
    (
        r"A conversation must start with a user message\.(?: Try again with a conversation that "
        r"starts with a user message\.)?"
    ),
    (
        r"A conversation must alternate between user and assistant roles\.(?: Make sure the "
        r"conversation alternates between user and assistant roles and try again\.)?"
    ),
    (
        r"The content field in the Message object at <place> is empty\. Add a ContentBlock "
        r"object to the content field,? and try again\."
    ),
    (
        r"The text field in the ContentBlock object at <place> is blank\. Add text to the text "
        r"field,? and try again\."
    ),
    r"A text block must be included when using documents\.",
    (
        r"The document file name can only contain alphanumeric characters, whitespace "
        r"characters, hyphens, parentheses, and square brackets\. The name can't contain more "
        r"than one consecutive whitespace character\."
    ),
    (
        r"Messages can't contain duplicate document names\.(?: Rename the document and retry "
        r"your request\.)?"
    ),
    r"You can't include more than \d+ (?:documents|images) in a request\.",
    (
        r"The toolConfig field must be defined when using toolUse and toolResult content "
        r"blocks\."
    ),
    (
        r"The number of toolResult blocks at <place> exceeds the number of toolUse blocks of "
        r"previous turn\."
    ),
    r"The provided model identifier is invalid\.",
    r"The model is unsupported for streaming\.",
    (
        r"This action doesn't support the model that you provided\.(?: Try again with a "
        r"supported text or chat model\.)?"
    ),
    (
        r"This model doesn't support (?:tool use(?: in streaming mode)?|system "
        r"messages|documents|images|the <place> field(?: for user messages)?)\.(?: (?:Remove "
        r"(?:<place>|image) and try again|Try again without system messages or use a model that "
        r"supports system messages)\.)?"
    ),
    r"Input is too long for requested model\.",
    r"prompt is too long: \d+ tokens > \d+ maximum",
    (
        r"input length and `max_tokens` exceed context limit: \d+ \+ \d+ > \d+(?:, decrease "
        r"input length or `max_tokens` and try again)?"
    ),
    (
        r"The maximum tokens you requested exceeds the model limit of \d+\.(?: Try again with a "
        r"maximum tokens value that is lower than \d+\.)?"
    ),
    (
        r"`temperature` and `top_p` cannot both be specified for this model\.(?: Please use "
        r"only one\.)?"
    ),
    r"`(?:temperature|top_p|top_k)` is deprecated for this model\.",
    (
        r"messages: (?:text content blocks must be non-empty|text content blocks must contain "
        r"non-whitespace text|final assistant content cannot end with trailing whitespace)"
    ),
)
# Of these the beginning: then come ids. agno-agi/agno#6698, BerriAI/litellm#20047, #20049
_BEGINNINGS = (
    r"(Expected toolResult blocks at <place> for the following Ids): .*",
    r"(The toolResult blocks at <place> contain duplicate Ids): .*",
    r"(The toolUse blocks at <place> contain duplicate Ids): .*",
)
# docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html; with the value in front in
# NousResearch/hermes-agent#55429.
_DETECTED = r"\d+ validation errors? detected: "
_VIOLATION = (
    r"Value (?:'[^']*' )?at '(<place>)' failed to satisfy constraint: "
    r"(Member must (?:not be null"
    r"|have (?:value|length) (?:greater|less) than or equal to -?[\d.]{1,20}"
    r"|satisfy enum value set: \[[\w ,.-]{0,300}\]"
    r"|satisfy regular expression pattern(?=: )))(?:: [^;']{1,300})?"
)


def quotable(said: object) -> str | None:
    """What of an answer of the service may stand in an error; None where that is not sure."""
    if not isinstance(said, str):
        return None
    text = said.replace("\u2019", "'").strip().removeprefix(_BY_MODEL)
    if detected := re.match(_DETECTED, text):
        return _violations(text[detected.end() :])
    for sentence in _SENTENCES:
        if re.fullmatch(sentence.replace("<place>", _PLACE), text):
            return text
    for beginning in _BEGINNINGS:
        if found := re.fullmatch(beginning.replace("<place>", _PLACE), text, re.DOTALL):
            return f"{found[1]}."
    return None


def _violations(text: str) -> str | None:
    violation = _VIOLATION.replace("<place>", _PLACE)
    if not re.fullmatch(f"(?:{violation}(?:; |$))+", text):
        return None
    return "; ".join(f"`{place}`: {rule}" for place, rule in re.findall(violation, text)) + "."
