"""Reads what objects show in a notebook as a browser does, and looks for what must not be there."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager import (
    BedrockConverseRequest,
    BedrockModelCatalog,
    BedrockResponse,
    CacheMode,
    LLMManager,
    ParallelLLMManager,
    ParallelProcessingConfig,
    ParallelResponse,
    RetryConfig,
    RetryExhaustedError,
    StreamingResponse,
)
from bestehorn_llmmanager._html.elements import Markup, tag
from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CatalogMetadata,
    CatalogSource,
    RegionFailure,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile
from bestehorn_llmmanager.bedrock.models.region_access import RegionAccess
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

NOON = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)
REGIONS = ["us-east-1", "eu-central-1"]
ELEMENTS = {"div", "style", "b", "span", "table", "thead", "tbody", "tr", "th", "td"}
ATTRIBUTES = {"class", "style", "scope"}
HOSTILE = "</td><script>alert('&amp;')</script><img src=x onerror=\"alert(1)\">\ud800"
SECRET = "xyzzy-canary"
MESSAGES = [{"role": "user", "content": [{"text": f"The word is {SECRET}."}]}]


class Page(HTMLParser):
    """Tables as lists of rows of texts; refuses what is not balanced, or not ours."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.bars: list[tuple[float, float]] = []
        text.encode()  # can be saved
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, tag
        given = dict(attrs)
        assert given.keys() <= ATTRIBUTES, attrs
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if given.get("style"):
            place = re.fullmatch(r"margin-left:([\d.]+)%;width:([\d.]+)%", given["style"] or "")
            assert place
            self.bars.append((float(place[1]), float(place[2])))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            assert not re.search(r"url|@import|expression|//", data)
            return
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def facts(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.tables[0]}


def page(shown: Any) -> Page:
    return Page(shown._repr_html_())


@pytest.fixture(scope="module")
def catalog() -> BedrockModelCatalog:
    whole = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    whole.ensure_catalog_available()
    return whole


# The catalogue


def test_a_catalogue_that_is_not_loaded_says_so_and_asks_nobody(bedrock: LocalBedrock) -> None:
    catalog = BedrockModelCatalog(cache_mode=CacheMode.MEMORY)
    assert "not loaded" in page(catalog).text
    assert "not loaded" in repr(catalog)
    assert not catalog.is_catalog_loaded
    assert bedrock.count() == 0


def test_the_matrix_says_of_each_model_and_region_how_it_is_called(
    catalog: BedrockModelCatalog,
) -> None:
    [[header, *rows]] = page(catalog).tables
    unified = catalog.ensure_catalog_available()
    shown = [row for row in rows if len(row) > 1]
    assert header == ["model", *unified.get_all_regions()]
    assert len(shown) == unified.model_count
    for name, *cells in shown:
        model = unified.models[name]
        for region, letters in zip(header[1:], cells, strict=True):
            access = model.region_access.get(region)
            summary = access.get_access_summary() if access else ""
            assert letters == "".join(word[0] for word in summary.split(" + ") if word)


def test_models_stand_below_their_provider(catalog: BedrockModelCatalog) -> None:
    [[_, *rows]] = page(catalog).tables
    provider = ""
    for row in rows:
        if len(row) == 1:
            provider = row[0]
        else:
            assert catalog.ensure_catalog_available().models[row[0]].provider == provider


def test_the_regions_that_were_asked_for_are_the_columns(bedrock: LocalBedrock) -> None:
    catalog = BedrockModelCatalog(cache_mode=CacheMode.MEMORY, regions=REGIONS)
    everywhere = {m.model_name for r in REGIONS for m in catalog.list_models(region=r)}
    [[header, *rows]] = page(catalog).tables
    assert header == ["model", *REGIONS]
    assert {row[0] for row in rows if len(row) > 1} == everywhere
    assert f"{len(everywhere)} models in 2 regions; source: api" in page(catalog).text


def test_a_region_without_fresh_data_is_named(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied(), region="eu-central-1")
    catalog = BedrockModelCatalog(cache_mode=CacheMode.MEMORY, regions=REGIONS)
    catalog.ensure_catalog_available()
    assert "No fresh data: eu-central-1 (denied)." in page(catalog).text


def test_the_whole_catalogue_stays_small(catalog: BedrockModelCatalog) -> None:
    assert len(catalog._repr_html_().encode()) < 100 * 1024


def unified(names: list[str], regions: list[str], reason: str = "") -> UnifiedCatalog:
    profile = InferenceProfile(HOSTILE, HOSTILE, HOSTILE, {region: [region] for region in regions})
    models = {
        name: UnifiedModelInfo(
            name, HOSTILE, "id", [HOSTILE], [], True, RegionAccess("id", regions, [profile])
        )
        for name in names
    }
    failures = {region: RegionFailure(HOSTILE, reason, NOON) for region in regions[:50]}
    metadata = CatalogMetadata(CatalogSource.API, NOON, [], unavailable_regions=failures)
    return UnifiedCatalog(models, metadata)


def loaded(content: UnifiedCatalog) -> BedrockModelCatalog:
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    catalog.__setstate__({**catalog.__getstate__(), "_loaded": content})
    return catalog


def test_a_catalogue_of_any_size_stays_small_and_says_what_is_missing() -> None:
    names = [f"{number} {HOSTILE * 2}" for number in range(400)]
    regions = [f"{number} region {HOSTILE}" for number in range(80)]
    shown = loaded(unified(names, regions, reason=HOSTILE * 1000))
    assert len(shown._repr_html_().encode()) < 100 * 1024
    text = page(shown).text
    assert re.search(r"\d\d\d more models: `list_models\(\)` has all", text)
    assert "20 more regions" in text


def test_names_from_the_network_are_text_and_never_markup() -> None:
    content = unified([HOSTILE], [HOSTILE])
    assert "<script>alert" in page(loaded(content)).text
    assert "<script>alert" in page(content.models[HOSTILE]).text


def test_each_character_that_could_be_markup_is_escaped_as_the_standard_library_does() -> None:
    assert tag("td", "&<>\"'/`=") == f"<td>{html.escape('&<>' + chr(34) + chr(39) + '/`=')}</td>"
    assert tag("td", Markup("<b>"), class_='"') == '<td class="&quot;"><b></td>'


# One model


@pytest.mark.parametrize("name", ["Claude Haiku 4.5", "Nova Lite", "gpt-oss-120b"])
def test_a_model_shows_each_identifier_with_the_regions_that_take_it(
    catalog: BedrockModelCatalog, name: str
) -> None:
    model = catalog.find_model(name)
    assert model
    [_, [header, *rows]] = page(model).tables
    assert header == ["send", "access", "in regions"]
    shown = {identifier: (method, regions.split(", ")) for identifier, method, regions in rows}
    expected = {
        profile.profile_id: (
            "global" if profile.is_global else "regional",
            profile.source_regions,
        )
        for profile in model.profiles
    }
    if model.get_direct_access_regions():
        expected[str(model.model_id)] = ("direct", model.get_direct_access_regions())
    assert shown == expected


def test_a_model_shows_what_is_known_of_it(catalog: BedrockModelCatalog) -> None:
    model = catalog.find_model("Nova Lite")
    assert model
    assert model.facts
    facts = page(model).facts()
    assert facts["model id"] == "amazon.nova-lite-v1:0"
    assert facts["input → output"] == "IMAGE, TEXT, VIDEO → TEXT; streaming: yes"
    assert f"{model.facts.context_window_tokens:,} tokens" in facts["limits"]
    assert facts["as of"] == model.facts.as_of


def test_a_model_shows_itself_whatever_is_unknown() -> None:
    model = UnifiedModelInfo("a", "b", None, [], [], False, RegionAccess(None, [], [PROFILE]))
    assert page(model).tables[1][1:] == [["eu.a", "regional", "eu-west-1"]]


def test_profiles_are_shown_that_can_be_sent_but_are_not_the_first_choice() -> None:
    wider = InferenceProfile("wide.a", "A", "wide", {"eu-west-1": ["eu-west-1", "us-east-1"]})
    closed = InferenceProfile("closed.a", "A", "c", {"eu-west-1": ["eu-west-1"]}, status="INACTIVE")
    profiles = [PROFILE, wider, closed]
    access = RegionAccess(None, [], profiles)
    model = UnifiedModelInfo("a", "b", None, [], [], False, access, profiles=profiles)
    assert [row[0] for row in page(model).tables[1][1:]] == ["eu.a", "wide.a"]


PROFILE = InferenceProfile("eu.a", "A", "eu", {"eu-west-1": ["eu-west-1"]})


# Responses


def test_a_response_shows_its_attempts_as_a_time_line(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.throttling(), region="eu-central-1", operation="Converse")
    manager = LLMManager(["Claude Haiku 4.5"], REGIONS[::-1], catalog_cache_mode=CacheMode.MEMORY)
    shown = page(manager.converse(MESSAGES))
    [_, [header, first, second]] = shown.tables
    assert header == ["at", "asked", "", "took", "then"]
    assert first[0] == "+0.0 ms"
    assert first[1] == "eu-central-1, regional eu.anthropic.claude-haiku-4-5-20251001-v1:0"
    assert first[4] == "ThrottlingException: next healthy target; this one rests"
    assert second[1].startswith("us-east-1, regional")
    assert second[4] == "answered"
    facts = shown.facts()
    assert facts["region"] == "us-east-1"
    assert facts["content"] == "1 text"
    assert facts["stop reason"] == "end_turn"


def record(offset: float, duration: float, decision: str = "answered", **more: Any) -> Any:
    at = NOON + timedelta(milliseconds=offset)
    return AttemptRecord("m", "r", "direct", "i", at, duration, 0, decision, **more)


def test_the_bars_stand_where_the_attempts_were() -> None:
    log = [record(0, 100, "next"), record(150, 50, "next"), record(200, 1800)]
    shown = page(BedrockResponse(True, attempt_log=log))
    assert shown.bars == [(0.0, 5.0), (7.5, 2.5), (10.0, 90.0)]
    assert [row[0] for row in shown.tables[1][1:]] == ["+0.0 ms", "+150 ms", "+200 ms"]
    assert [row[3] for row in shown.tables[1][1:]] == ["100 ms", "50 ms", "1.80 s"]


def test_a_time_line_of_any_length_stays_small_and_says_what_is_missing() -> None:
    log = [record(number, 1, HOSTILE * 100) for number in range(5000)]
    shown = BedrockResponse(False, attempt_log=log)
    assert len(shown._repr_html_()) < 50_000
    assert "4,950 more attempts" in page(shown).text


@pytest.mark.parametrize("duration", [float("nan"), float("inf"), -1.0, None, "soon", 10**400])
def test_a_duration_that_is_none_takes_no_room(duration: Any) -> None:
    log = [record(0, duration), {"region": "r"}, None]
    naive = AttemptRecord("m", "r", "direct", "i", datetime(2025, 1, 1), 1, 0, "x")  # noqa: DTZ001
    shown = page(BedrockResponse(False, attempt_log=[*log, naive], total_duration_ms=duration))
    assert len(shown.bars) == 2


def test_the_code_of_an_error_is_shown_and_only_if_it_is_one() -> None:
    def of(code: Any) -> str:
        error = ClientError({"Error": {"Code": code, "Message": SECRET}}, "Converse")
        shown = page(BedrockResponse(False, attempt_log=[record(0, 1, "next", error=error)]))
        return shown.tables[-1][1][4]

    assert of("ThrottlingException") == "ThrottlingException: next"
    assert of(f"no code, but {SECRET}") == "ClientError: next"
    assert of(None) == "ClientError: next"


def test_neither_prompt_nor_answer_nor_error_text_is_shown(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(f"It is {SECRET}.")
    manager = LLMManager(
        ["Nova Lite"],
        REGIONS,
        retry_config=RetryConfig(max_retries=0),
        catalog_cache_mode=CacheMode.MEMORY,
    )
    answered = manager.converse(MESSAGES, system=[{"text": SECRET}])
    stream = manager.converse_stream(MESSAGES)
    next(stream)
    under_way = stream._repr_html_() + repr(stream)
    assert SECRET in str(answered.get_content())
    assert SECRET in "".join(["It ", *stream])
    bedrock.fail(Fault.stream_error(message=SECRET))
    broken = manager.converse_stream(MESSAGES)
    list(broken)
    bedrock.fail(Fault.validation(f"1 validation error: {SECRET}"), operation="Converse")
    with pytest.raises((RequestValidationError, RetryExhaustedError)) as raised:
        manager.converse(MESSAGES)
    log = list(raised.value.attempt_log)
    failed = BedrockResponse(False, attempt_log=log, warnings=[SECRET])
    run = ParallelLLMManager(
        ["Nova Lite"], REGIONS, catalog_cache_mode=CacheMode.MEMORY
    ).converse_parallel([BedrockConverseRequest(MESSAGES, request_id="a")])
    assert not run.success
    everything: list[Any] = [answered, stream, broken, failed, run]
    for shown in (*everything, *run.request_responses.values()):
        assert page(shown).text
        assert SECRET not in shown._repr_html_() + repr(shown)
    assert SECRET not in under_way


ODD: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["output", "message", "content", "text", "usage", "inputTokens", "stopReason"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(data=ODD, log=st.lists(ODD, max_size=3), used=st.text(max_size=300))
def test_no_answer_breaks_what_is_shown(data: Any, log: list[Any], used: str) -> None:
    response = BedrockResponse.from_dict(
        {"success": True, "response_data": data, "attempt_log": log, "model_used": used}
    )
    page(response)


def test_a_stream_shows_where_it_broke_and_went_on(bedrock: LocalBedrock) -> None:
    bedrock.reply_with("one two three four five")
    bedrock.fail(Fault.stream_cut(after_events=3), region="eu-central-1", times=1)
    manager = LLMManager(["Claude Haiku 4.5"], REGIONS[::-1], catalog_cache_mode=CacheMode.MEMORY)
    stream = manager.converse_stream(MESSAGES)
    assert "streaming" in page(stream).text
    list(stream)
    shown = page(stream)
    assert shown.facts()["broken off"] == "1 other target, 0 restarts"
    assert shown.facts()["received"] == "5 pieces, 23 characters"
    assert [row[4] for row in shown.tables[1][1:]][-1] == "answered"
    assert len(shown.tables[1]) == 3


def test_a_stream_made_by_hand_shows_itself() -> None:
    assert "streaming" in page(StreamingResponse(success=True)).text


# Many requests


def test_a_run_shows_its_figures_its_regions_and_its_failures(bedrock: LocalBedrock) -> None:
    wrong = {"guardrailIdentifier": "no such form!", "guardrailVersion": "1"}
    requests = [BedrockConverseRequest(MESSAGES, request_id=f"q-{n}") for n in range(20)]
    for request in requests[:6]:
        request.guardrail_config = wrong
    run = ParallelLLMManager(
        ["Nova Lite"],
        ["us-east-1", "us-west-2"],
        parallel_config=ParallelProcessingConfig(max_concurrent_requests=4),
        catalog_cache_mode=CacheMode.MEMORY,
    ).converse_parallel(requests)
    shown = page(run)
    _, regions, failures = shown.tables
    assert "14 of 20 requests answered; success: yes" in shown.text
    assert shown.facts()["at once"] == "at most 4"
    assert regions[0] == ["region", "", "answered", "mean"]
    assert sum(int(row[2]) for row in regions[1:]) == 14
    assert {row[0] for row in regions[1:]} == {"us-east-1", "us-west-2"}
    assert failures[1:] == [
        ["ValidationException", "6", "q-0, q-1, q-2, q-3, q-4 and 1 more"],
    ]


def test_a_region_that_answered_nothing_stands_last_without_a_bar() -> None:
    answered = [BedrockResponse(True, region_used="a", total_duration_ms=ms) for ms in (10.0, 30.0)]
    run = ParallelResponse.of(
        {str(number): each for number, each in enumerate(answered)},
        config=ParallelProcessingConfig(),
        total_duration_ms=1.0,
        concurrent_executions=2,
        region_distribution={"b": 1, "a": 2},
        original_requests={},
    )
    shown = page(run)
    assert shown.tables[1][1:] == [["a", "", "2", "20 ms"], ["b", "", "0", ""]]
    assert shown.bars == [(0.0, 100.0)]


def test_a_run_of_any_size_stays_small() -> None:
    responses = {
        f"{HOSTILE}{number}": BedrockResponse(
            number % 2 == 0,
            region_used=f"{HOSTILE}{number}",
            attempts=[RequestAttempt("m", "r", "direct", 1, NOON, error=kind(number)())],
        )
        for number in range(3000)
    }
    run = ParallelResponse(success=False, request_responses=responses)
    assert len(run._repr_html_()) < 50_000
    assert "1,500 of 3,000 requests answered" in page(run).text


def kind(number: int) -> type[Exception]:
    return type(f"Error{number}", (Exception,), {})


def test_a_run_without_requests_shows_itself() -> None:
    assert "0 of 0 requests answered" in page(ParallelResponse(success=True)).text


def test_failures_without_an_attempt_are_counted_by_what_their_requests_recorded() -> None:
    requests = {name: BedrockConverseRequest(MESSAGES, request_id=name) for name in "abcd"}
    requests["a"].record_failure(KeyError(SECRET))
    run = ParallelResponse(
        success=False,
        request_responses={name: BedrockResponse(False) for name in "abc"},
        timed_out_request_ids=["b"],
        original_requests=requests,
    )
    shown = page(run)
    assert shown.tables[-1][1:] == [
        ["KeyError", "1", "a"],
        ["timed out", "1", "b"],
        ["no target answered", "1", "c"],
    ]
    assert shown.facts()["without a response"] == "1"


# What it costs


def test_who_shows_nothing_does_not_import_what_shows() -> None:
    code = """
import sys
from bestehorn_llmmanager import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.models.parallel_structures import ParallelResponse
catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
model = catalog.find_model("Nova Lite")
print(catalog, model, ParallelResponse(True))
assert not [name for name in sys.modules if "_html" in name]
model._repr_html_()
assert "bestehorn_llmmanager._html.model" in sys.modules
assert "boto3" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
