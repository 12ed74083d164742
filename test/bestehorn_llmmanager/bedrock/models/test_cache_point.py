"""Tests which cache points can be built."""

from __future__ import annotations

from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.cache_point import CachePointTTLEnum, build_cache_point
from bestehorn_llmmanager.message_builder_enums import CachePointTTLEnum as PublicTTLEnum


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {"type": "default"}),
        ({"cache_type": "default", "ttl": None}, {"type": "default"}),
        ({"ttl": "5m"}, {"type": "default", "ttl": "5m"}),
        ({"ttl": "1h"}, {"type": "default", "ttl": "1h"}),
        ({"ttl": CachePointTTLEnum.ONE_HOUR}, {"type": "default", "ttl": "1h"}),
    ],
)
def test_a_cache_point_holds_type_and_time_to_live_as_plain_strings(
    arguments: dict[str, Any], expected: dict[str, str]
) -> None:
    block = build_cache_point(**arguments)
    assert block == {"cachePoint": expected}
    assert {type(value) for value in block["cachePoint"].values()} == {str}


@pytest.mark.parametrize("ttl", ["", "2h", "1H", 5, ["5m"]])
def test_an_unknown_time_to_live_is_refused_with_those_there_are(ttl: Any) -> None:
    with pytest.raises(RequestValidationError, match=r"'5m' or '1h'") as caught:
        build_cache_point(ttl=ttl)
    assert repr(ttl) in caught.value.message


@pytest.mark.parametrize("cache_type", ["", "ephemeral", None])
def test_an_unknown_type_is_refused_with_the_one_there_is(cache_type: Any) -> None:
    with pytest.raises(RequestValidationError, match="'default'") as caught:
        build_cache_point(cache_type)
    assert repr(cache_type) in caught.value.message


def test_each_call_makes_a_block_of_its_own() -> None:
    first = build_cache_point()
    first["cachePoint"]["ttl"] = "1h"
    assert build_cache_point() == {"cachePoint": {"type": "default"}}


def test_the_enum_is_the_public_one_and_prints_its_value() -> None:
    assert PublicTTLEnum is CachePointTTLEnum
    assert [str(member) for member in CachePointTTLEnum] == ["5m", "1h"]
