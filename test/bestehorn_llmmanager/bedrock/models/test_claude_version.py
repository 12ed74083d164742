"""Tests which Claude a text is taken for."""

from __future__ import annotations

import pytest

from bestehorn_llmmanager.bedrock.models.claude_version import claude_version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anthropic.claude-sonnet-4-20250514-v1:0", ("sonnet", (4, 0))),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", ("sonnet", (4, 5))),
        ("anthropic.claude-opus-4-6-v1", ("opus", (4, 6))),
        ("anthropic.claude-sonnet-5", ("sonnet", (5, 0))),
        ("anthropic.claude-fable-5-1", ("fable", (5, 1))),
        ("anthropic.claude-sonnet-4-20250514-v1:0:200k", ("sonnet", (4, 0))),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", ("haiku", (3, 5))),
        ("anthropic.claude-3-haiku-20240307-v1:0", ("haiku", (3, 0))),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-1-20250805-v1:0",
            ("opus", (4, 1)),
        ),
        ("Claude Sonnet 4", ("sonnet", (4, 0))),
        ("Claude Sonnet 4 20250514", ("sonnet", (4, 0))),
        ("Anthropic Claude Sonnet 4.5", ("sonnet", (4, 5))),
        ("claude_haiku_4.5", ("haiku", (4, 5))),
        ("Claude 3.5 Sonnet v2", ("sonnet", (3, 5))),
        ("Claude 4 Sonnet", ("sonnet", (4, 0))),
        ("anthropic.claude-v2:1", None),
        ("anthropic.claude-instant-v1", None),
        ("Claude", None),
        ("amazon.nova-lite-v1:0", None),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", None),
        ("", None),
    ],
)
def test_family_and_version_are_read_from_any_spelling(
    text: str, expected: tuple[str, tuple[int, int]] | None
) -> None:
    assert claude_version(text) == expected
