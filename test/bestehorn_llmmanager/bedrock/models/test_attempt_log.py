"""Tests that the record of the attempts comes back from a file as what it was."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse

NOON = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)
RECORD = AttemptRecord(
    model="Nova Lite",
    region="eu-west-1",
    access_method="regional_cris",
    model_id="eu.amazon.nova-lite-v1:0",
    started_at=NOON,
    duration_ms=12.5,
    pause_ms=1.0,
    decision="answered",
)
EMPTY = AttemptRecord("", "", "", "", datetime(1970, 1, 1, tzinfo=timezone.utc), 0.0, 0.0, "")


def read(*entries: Any) -> list[Any]:
    return BedrockResponse.from_dict({"success": True, "attempt_log": list(entries)}).attempt_log


def test_a_record_comes_back_from_json_as_a_record() -> None:
    response = BedrockResponse(True, attempt_log=[RECORD])
    assert BedrockResponse.from_dict(json.loads(response.to_json())).attempt_log == [RECORD]


def test_an_error_comes_back_as_its_text() -> None:
    failed = {**RECORD.to_dict(), "error": "gone"}
    [record] = read(failed)
    assert type(record.error) is Exception
    assert str(record.error) == "gone"


def test_members_that_are_not_known_are_left_out() -> None:
    assert read({**RECORD.to_dict(), "later": 1}) == [RECORD]


@pytest.mark.parametrize(
    "entry", [{"error": None}, {"region": 5, "duration_ms": "x", "started_at": "noon"}]
)
def test_members_that_are_missing_or_of_another_type_are_empty(entry: dict[str, Any]) -> None:
    assert read(entry) == [EMPTY]


@pytest.mark.parametrize("written", ["2025-01-01T12:00:00", "2025-01-01T12:00:00Z"])
def test_a_time_without_a_zone_is_in_utc(written: str) -> None:
    assert read({**RECORD.to_dict(), "started_at": written}) == [RECORD]


def test_what_has_nothing_of_a_record_stays_as_it_is() -> None:
    assert read(RECORD, "odd", {"target": 1}) == [RECORD, "odd", {"target": 1}]


def test_what_earlier_versions_wrote_has_no_record() -> None:
    assert BedrockResponse.from_dict({"success": True}).attempt_log == []
    assert BedrockResponse.from_dict({"success": True, "attempt_log": None}).attempt_log == []


def test_a_log_that_is_no_list_is_left_out() -> None:
    assert BedrockResponse.from_dict({"success": True, "attempt_log": 5}).attempt_log == []
