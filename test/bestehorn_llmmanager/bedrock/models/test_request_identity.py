"""Tests that ids are unique, and that keys depend on nothing but what a request contains."""

from __future__ import annotations

import re
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models import request_identity
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.request_identity import (
    UniqueMicroseconds,
    content_digest,
    new_request_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


NOWHERE = Path("nowhere")


class Unspeakable:
    """Raises whatever is asked of it."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("not now")


@pytest.fixture
def no_thread_lasts() -> Iterator[None]:
    """The interpreter changes threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def circular() -> list[Any]:
    it: list[Any] = []
    it.append(it)
    return it


def deep() -> list[Any]:
    it: list[Any] = []
    for _ in range(100_000):
        it = [it]
    return it


def digits(request_id: str) -> str:
    found = re.fullmatch(r"req_([0-9a-f]{12})_(\d{16})", request_id)
    assert found, request_id
    return found[1]


def test_an_id_has_twelve_digits_of_its_content_and_the_time_in_microseconds() -> None:
    earliest = time.time_ns() // 1000
    found = re.fullmatch(r"req_([0-9a-f]{12})_(\d+)", new_request_id("a", None))
    latest = time.time_ns() // 1000
    assert found
    assert found[1] == content_digest(["a", None])[:12]
    # Ids made in one microsecond borrow from the next.
    assert earliest <= int(found[2]) <= latest + 1000


def test_equal_contents_get_equal_digits_but_ids_of_their_own() -> None:
    ids = [new_request_id("a") for _ in range(10_000)]
    assert len({digits(each) for each in ids}) == 1
    assert len(set(ids)) == 10_000


def test_readings_differ_while_the_time_stands_still_or_goes_back() -> None:
    times = iter([5_000, 5_999, 5_000, 9_000, 6_000])
    clock = UniqueMicroseconds(lambda: next(times))
    assert [clock.next() for _ in range(5)] == [5, 6, 7, 9, 10]


def test_threads_that_read_at_one_time_get_readings_of_their_own(no_thread_lasts: None) -> None:
    together = threading.Barrier(8)
    clock = UniqueMicroseconds(lambda: 0)
    readings: list[int] = []

    def read() -> None:
        together.wait()
        readings.extend([clock.next() for _ in range(20_000)])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(readings) == list(range(1, 160_001))


def test_a_forked_child_makes_ids_while_its_parent_is_at_it(
    in_child: Callable[[Callable[[], Any]], Any],
) -> None:
    with request_identity._microseconds._lock:
        assert digits(in_child(lambda: new_request_id("a"))) == content_digest(["a"])[:12]


CONTENTS: list[Any] = [
    None,
    "",
    "a",
    "ä",
    "\ud800",
    b"",
    b"a",
    b"b",
    0,
    False,
    0.5,
    float("nan"),
    Decimal("0.5"),
    [],
    ["a", "b"],
    ["ab"],
    {},
    {"a": 1},
    {"a": 1, "b": [b"x"]},
    {"a": 1, "b": [b"y"]},
    ModelSpecificConfig(),
    ModelSpecificConfig(custom_fields={"a": 1}),
    ModelSpecificConfig(custom_fields={"a": 2}),
]


def test_different_contents_have_different_keys() -> None:
    assert len({content_digest(each) for each in CONTENTS}) == len(CONTENTS)


def test_keys_are_the_same_in_another_process(elsewhere: Callable[[object, str], str]) -> None:
    code = """
from bestehorn_llmmanager.bedrock.models.request_identity import content_digest
print(*map(content_digest, it))"""
    assert elsewhere(CONTENTS, code).split() == [content_digest(each) for each in CONTENTS]


def test_the_order_of_keys_says_nothing() -> None:
    assert content_digest({"a": 1, "b": {"c": 2, "d": 3}}) == content_digest(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_all_kinds_of_bytes_are_their_content() -> None:
    kinds = [b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a-b-c")[::2]]
    assert {content_digest(kind) for kind in kinds} == {content_digest(b"abc")}


@pytest.mark.parametrize(
    "content",
    [circular(), deep(), Unspeakable(), {1: "a", "b": 2}, {(1, 2): 3}],
    ids=["circular", "deep", "unspeakable", "mixed keys", "tuple as key"],
)
def test_what_has_no_stable_form_gets_digits_that_nothing_else_has(content: Any) -> None:
    first, second = digits(new_request_id(content)), digits(new_request_id(content))
    assert first != second


@pytest.mark.parametrize(
    "content",
    [ModelSpecificConfig, object(), {"a"}, print, threading, NOWHERE],
    ids=lambda value: type(value).__name__,
)
def test_any_object_has_a_key(content: Any) -> None:
    assert content_digest([content]) == content_digest([content])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_whatever_can_be_sent_has_a_stable_key(content: Any) -> None:
    assert content_digest(content) == content_digest(content)
    assert re.fullmatch(r"[0-9a-f]{64}", content_digest(content))
