"""Tests which words of the service are repeated, and that nothing of a request ever is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.calls.quoting import quotable

BY_MODEL = "The model returned the following errors: "
WHOLE = [
    "A conversation must start with a user message.",
    (
        "A conversation must start with a user message. Try again with a conversation that starts "
        "with a user message."
    ),
    (
        "A conversation must alternate between user and assistant roles. Make sure the conversation "
        "alternates between user and assistant roles and try again."
    ),
    (
        "The content field in the Message object at messages.12 is empty. Add a ContentBlock object "
        "to the content field and try again."
    ),
    (
        "The text field in the ContentBlock object at messages.0.content.3 is blank. Add text to the "
        "text field, and try again."
    ),
    "A text block must be included when using documents.",
    "Messages can't contain duplicate document names. Rename the document and retry your request.",
    "You can't include more than 5 documents in a request.",
    "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    (
        "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks "
        "of previous turn."
    ),
    (
        "This action doesn't support the model that you provided. Try again with a supported text or "
        "chat model."
    ),
    "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
    "This model doesn't support the image field for user messages. Remove image and try again.",
    "This model doesn't support tool use in streaming mode.",
    "Input is too long for requested model.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000",
    "`temperature` is deprecated for this model.",
    "messages: text content blocks must be non-empty",
]


@pytest.mark.parametrize("said", WHOLE)
def test_what_is_about_the_form_of_a_request_is_repeated(said: str) -> None:
    assert quotable(said) == said
    assert quotable(f"{BY_MODEL}{said}") == said
    assert quotable(said.replace("'", "\u2019")) == said


@pytest.mark.parametrize("said", WHOLE)
def test_a_word_more_and_nothing_is_repeated(said: str) -> None:
    assert quotable(f"{said} The secret is 7.") is None
    assert quotable(f"The secret is 7. {said}") is None
    assert quotable(f"{said}\nThe secret is 7.") is None


@pytest.mark.parametrize(
    ("said", "repeated"),
    [
        (
            (
                "1 validation error detected: Value 'a secret' at 'performanceConfig.latency' failed "
                "to satisfy constraint: Member must satisfy enum value set: [standard, optimized]"
            ),
            "`performanceConfig.latency`: Member must satisfy enum value set: [standard, optimized].",
        ),
        (
            (
                "2 validation errors detected: Value at 'inferenceConfig.maxTokens' failed to satisfy "
                "constraint: Member must have value greater than or equal to 1; Value at "
                "'messages.1.member.content.1.member.image.format' failed to satisfy constraint: "
                "Member must satisfy enum value set: [png, jpeg, gif, webp]"
            ),
            (
                "`inferenceConfig.maxTokens`: Member must have value greater than or equal to 1; "
                "`messages.1.member.content.1.member.image.format`: Member must satisfy enum value "
                "set: [png, jpeg, gif, webp]."
            ),
        ),
        (
            (
                "1 validation error detected: Value 'a secret' at 'toolConfig.tools.1.member.toolSpec"
                ".name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                "[a-zA-Z0-9_-]+"
            ),
            (
                "`toolConfig.tools.1.member.toolSpec.name`: Member must satisfy regular expression "
                "pattern."
            ),
        ),
        (
            (
                "Expected toolResult blocks at messages.2.content for the following Ids: a-secret, "
                "another"
            ),
            "Expected toolResult blocks at messages.2.content for the following Ids.",
        ),
    ],
)
def test_of_what_quotes_values_only_the_place_and_the_rule_are_repeated(
    said: str, repeated: str
) -> None:
    assert quotable(said) == repeated


@pytest.mark.parametrize(
    "said",
    [
        None,
        7,
        "",
        "Malformed input request: #/a secret: expected type: String",
        "1 validation error detected: a secret",
        (
            "1 validation error detected: Value 'it's a secret' at 'messages' failed to satisfy "
            "constraint: Member must not be null"
        ),
        # A value that looks like the rest.
        (
            "1 validation error detected: Value 'x' at 'text' failed to satisfy constraint: Member "
            "must satisfy enum value set: [a secret]' at 'messages' failed to satisfy constraint: "
            "Member must not be null"
        ),
        (
            "1 validation error detected: Value at 'requestMetadata.a-secret.member' failed to "
            "satisfy constraint: Member must not be null"
        ),
        (
            "1 validation error detected: Value at 'messages.secret' failed to satisfy constraint: "
            "Member must not be null"
        ),
        "This model doesn't support the secret field. Remove secret and try again.",
        "This model doesn't support the textual field.",
    ],
)
def test_what_may_have_something_of_the_request_in_it_is_not_repeated(said: object) -> None:
    assert quotable(said) is None


@given(st.text(min_size=1, max_size=40), st.sampled_from(WHOLE), st.integers(0, 60))
def test_nothing_that_stands_anywhere_in_between_is_repeated(
    inserted: str, said: str, position: int
) -> None:
    secret = f"\N{LOCK}{inserted}"
    changed = f"{said[:position]}{secret}{said[position:]}"
    assert "\N{LOCK}" not in (quotable(changed) or "")


@given(st.text(max_size=60))
def test_no_value_is_repeated(value: str) -> None:
    said = (
        f"1 validation error detected: Value '\N{LOCK}{value}' at 'serviceTier.type' failed to satisfy "
        "constraint: Member must satisfy enum value set: [default, flex]"
    )
    assert "\N{LOCK}" not in (quotable(said) or "")
