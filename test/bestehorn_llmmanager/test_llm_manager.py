"""Tests how a manager is made, what it calls, and what it answers."""

from __future__ import annotations

import copy
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ConfigurationError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator

NOVA = "amazon.nova-lite-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROMPT = [{"role": "user", "content": [{"text": "a very private question"}]}]
KEYS = AuthConfig(
    AuthenticationType.CREDENTIALS, access_key_id="AKIAEXAMPLE", secret_access_key="very-secret"
)


def new_manager(
    models: Any = ("Nova Lite",), regions: Any = ("us-east-1",), **more: Any
) -> LLMManager:
    """A manager that knows the bundled catalogue and never asks for another."""
    options = {"catalog_cache_mode": CacheMode.NONE, "catalog_refresh": "never", **more}
    return LLMManager(models, regions, **options)


@pytest.fixture(scope="module")
def _endpoint() -> Iterator[LocalBedrock]:
    with LocalBedrock(record_bodies=True) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> LocalBedrock:
    _endpoint.reset()
    for name, value in _endpoint.environment().items():
        monkeypatch.setenv(name, value)
    return _endpoint


def called(bedrock: LocalBedrock) -> list[tuple[str | None, str | None]]:
    """Region and identifier of every Converse request, in order."""
    return [(r.region, r.model_id) for r in bedrock.requests if r.operation == "Converse"]


# --- construction ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "regions", "message"),
    [
        ([], ["us-east-1"], "`models` is empty"),
        (None, ["us-east-1"], "`models` is empty"),
        (["Nova Lite"], [], "`regions` is empty"),
        (["Nova Lite"], None, "`regions` is empty"),
        ("Nova Lite", ["us-east-1"], "`models` must be a list, got the string 'Nova Lite'"),
        (["Nova Lite"], "us-east-1", "`regions` must be a list, got the string 'us-east-1'"),
        (["Nova Lite", ""], ["us-east-1"], "`models` must hold non-blank strings, got ''"),
        (["Nova Lite", " \n"], ["us-east-1"], "`models` must hold non-blank strings"),
        (["Nova Lite", None], ["us-east-1"], "`models` must hold non-blank strings, got None"),
        (["Nova Lite"], ["us-east-1", 5], "`regions` must hold non-blank strings, got 5"),
        (["Nova Lite"], [["us-east-1"]], "`regions` must hold non-blank strings"),
        (5, ["us-east-1"], "`models` must be a list"),
        (["Nova Lite"], 5, "`regions` must be a list"),
    ],
)
def test_models_and_regions_that_are_no_lists_of_names_are_refused(
    models: Any, regions: Any, message: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        new_manager(models, regions)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("boto3_config", {"read_timeout": 5}, "must be of type `Boto3Config`, got dict"),
        ("timeout", 0, "`timeout` must be a number of seconds above 0, got 0"),
        ("timeout", -1, "`timeout` must be a number of seconds above 0, got -1"),
        ("catalog_cache_mode", "file", "`catalog_cache_mode` must be of type `CacheMode`, got str"),
        ("catalog_refresh", "sometimes", "`catalog_refresh` must be one of ("),
        ("catalog_cache_directory", 5, "cannot be loaded"),
        ("regions", ["us-east-1", "us-east1"], "'us-east1'; closest: us-east-1, "),
        (
            "allowed_destination_regions",
            ["mars"],
            "`allowed_destination_regions` must hold region codes such as 'eu-west-1', got 'mars'",
        ),
        (
            "default_inference_config",
            {"max_tokens": 1},
            "`inferenceConfig.max_tokens` has to be written `maxTokens`",
        ),
        ("default_inference_config", {"maxTokens": -1}, "must be at least 1, but is -1"),
        ("default_inference_config", {"stopSequences": "x"}, "must be a list"),
    ],
)
def test_an_option_out_of_range_is_refused(option: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        new_manager(**{option: value})
    assert message in str(raised.value)
    assert str(raised.value).startswith("The model catalogue") is (message == "cannot be loaded")


def test_an_unknown_log_level_is_refused_by_logging() -> None:
    with pytest.raises(ValueError, match="Unknown level"):
        new_manager(log_level="LOUD")


@pytest.mark.parametrize(("level", "number"), [("DEBUG", 10), (40, 40), (None, 30)])
def test_the_level_of_the_packages_logger_is_set_and_nothing_else(
    level: int | str | None, number: int
) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    new_manager(**({} if level is None else {"log_level": level}))
    logger = logging.getLogger("bestehorn_llmmanager")
    assert (logger.level, logger.handlers) == (number, [])
    assert (root.level, root.handlers) == before


def test_the_lists_are_copied() -> None:
    models, regions = ["Nova Lite"], ["us-east-1"]
    manager = new_manager(models, regions)
    models.append("Nova Pro")
    regions.clear()
    manager.get_available_models().clear()
    manager.get_available_regions().clear()
    assert manager.get_available_models() == ["Nova Lite"]
    assert manager.get_available_regions() == ["us-east-1"]


def test_models_and_regions_may_be_any_sequence_of_names() -> None:
    manager = new_manager(("Nova Lite", "nova-lite"), ("us-east-1",))
    assert manager.get_available_models() == ["Nova Lite", "nova-lite"]


def test_the_text_form_has_no_secret() -> None:
    manager = new_manager(["Nova Lite", "Nova Pro"], auth_config=KEYS)
    assert repr(manager) == "LLMManager(models=2, regions=1, auth=credentials)"


def test_the_only_region_is_told_to_be_unknown() -> None:
    with pytest.raises(ConfigurationError, match=r"'eu-centrl-1' is not known.*eu-central-1"):
        new_manager(regions=["eu-centrl-1"])


@pytest.mark.parametrize(
    ("own", "timeout"), [(None, None), (None, 28), (None, 10.5), (60, None), (60, 5)]
)
@pytest.mark.parametrize("regions", [["us-east-1"], ["us-east-1", "us-west-2"]])
def test_connecting_leaves_no_client_to_make_for_the_first_call(
    bedrock: LocalBedrock, own: float | None, timeout: float | None, regions: list[str]
) -> None:
    options = {} if own is None else {"timeout": own}
    manager = new_manager(regions=regions, **options)
    manager.connect(timeout)
    assert not bedrock.requests
    made = dict(manager._auth_manager._runtime_clients)
    assert len(made) == 1
    manager.converse(PROMPT, timeout=timeout)
    assert manager._auth_manager._runtime_clients == made


def test_connecting_imports_what_the_first_call_needs(bedrock: LocalBedrock) -> None:
    code = """
import sys
from bestehorn_llmmanager import CacheMode, LLMManager
manager = LLMManager(
    ["Nova Lite"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never"
)
assert "botocore" not in sys.modules
manager.connect()
assert "botocore.session" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert not bedrock.requests


def test_connecting_without_credentials_is_said_at_once() -> None:
    manager = new_manager()
    with pytest.raises(AuthenticationError, match="credentials"):
        manager.connect()


def test_a_model_that_exists_nowhere_is_refused_with_close_names() -> None:
    with pytest.raises(ConfigurationError) as raised:
        new_manager(["Nova Lit", "zzz"], ["us-east-1"])
    message = str(raised.value)
    for part in ("'Nova Lit'", "'zzz'", "us-east-1", "Closest: Nova Lite, "):
        assert part in message
    assert raised.value.invalid_config == {"models": ["Nova Lit", "zzz"], "regions": ["us-east-1"]}


def test_a_model_that_exists_elsewhere_is_refused_with_its_regions() -> None:
    with pytest.raises(ConfigurationError) as raised:
        new_manager(["nova-lite"], ["moon-north-1"])
    assert "moon-north-1" in str(raised.value)
    assert "'Nova Lite' can be called in " in str(raised.value)
    assert " and " in str(raised.value)
    assert "us-east-1" in str(raised.value) or " more" in str(raised.value)


def test_a_retired_model_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match=r"Claude 3 Opus .* is retired"):
        new_manager(["Claude 3 Opus"])


@pytest.mark.parametrize("name", ["Claude Sonnet 4.7", "Claude", "Nova"])
def test_a_manager_never_calls_a_similar_model(name: str) -> None:
    with pytest.raises(ConfigurationError, match="There is no model"):
        new_manager([name])


def test_a_catalogue_that_cannot_be_loaded_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError) as raised:
        new_manager(catalog_cache_directory=5)
    assert isinstance(raised.value.__cause__, TypeError)
    assert str(raised.value).startswith("The model catalogue cannot be loaded: ")


@pytest.mark.parametrize("request_", ["x", None, {"messages": PROMPT}])
def test_what_is_no_request_is_refused_as_one(request_: Any) -> None:
    with pytest.raises(RequestValidationError, match="must be a `BedrockConverseRequest`, got "):
        new_manager().converse_with_request(request_)


# --- what is known before a call --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "region", "expected"),
    [
        (
            "Nova Lite",
            "us-east-1",
            {
                "access_methods": ["direct", "regional_cris"],
                "model_id": NOVA,
                "regional_cris_profile_id": f"us.{NOVA}",
                "global_cris_profile_id": None,
                "region": "us-east-1",
            },
        ),
        (
            f"global.{HAIKU}",
            "eu-west-1",
            {
                "access_methods": ["regional_cris", "global_cris"],
                "model_id": None,
                "regional_cris_profile_id": f"eu.{HAIKU}",
                "global_cris_profile_id": f"global.{HAIKU}",
                "region": "eu-west-1",
            },
        ),
        ("no such model", "us-east-1", None),
        ("Nova Lite", "moon-north-1", None),
        ("", "us-east-1", None),
        ("Nova Lite", "", None),
        (None, "us-east-1", None),
        (5, "us-east-1", None),
        (["Nova Lite"], "us-east-1", None),
    ],
)
def test_access_information_is_a_dict_or_none(
    name: Any, region: str, expected: dict[str, Any] | None
) -> None:
    assert new_manager().get_model_access_info(name, region) == expected


def test_the_configuration_is_judged_without_a_request(bedrock: LocalBedrock) -> None:
    manager = new_manager(
        ["Nova Lite", "Nova Lit", "Claude Haiku 4.5"], ["us-east-1", "eu-west-1", "moon-north-1"]
    )
    judgement = manager.validate_configuration()
    assert judgement.keys() == {
        "valid",
        "errors",
        "warnings",
        "model_region_combinations",
        "auth_status",
    }
    assert (judgement["valid"], judgement["errors"]) == (True, [])
    pairs = [
        (model, region)
        for model in manager.get_available_models()
        for region in manager.get_available_regions()
        if manager.get_model_access_info(model, region)
    ]
    assert judgement["model_region_combinations"] == len(pairs) >= 3
    assert judgement["auth_status"] == "auto"
    about_the_model, about_the_region = judgement["warnings"]
    assert about_the_model.startswith("There is no model 'Nova Lit'. Closest: Nova Lite, ")
    assert about_the_region.startswith("Region 'moon-north-1' is not known")
    assert bedrock.count() == 0


# --- what is called -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "region", "method", "identifier"),
    [
        ("Nova Lite", "us-east-1", "direct", NOVA),
        ("nova-lite", "us-east-1", "direct", NOVA),
        (NOVA, "us-east-1", "direct", NOVA),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}", "us-east-1", "direct", NOVA),
        ("Claude Haiku 4.5", "us-east-1", "regional_cris", f"us.{HAIKU}"),
        ("Claude Haiku 4 5 20251001", "eu-west-1", "regional_cris", f"eu.{HAIKU}"),
        (HAIKU, "us-east-1", "regional_cris", f"us.{HAIKU}"),
        ("Claude Haiku 4.5", "af-south-1", "global_cris", f"global.{HAIKU}"),
    ],
)
def test_what_is_sent_fits_the_model_and_the_region(
    bedrock: LocalBedrock, model: str, region: str, method: str, identifier: str
) -> None:
    response = new_manager([model], [region]).converse(PROMPT)
    assert called(bedrock) == [(region, identifier)]
    uses_profile = method != "direct"
    assert response.success
    assert response.model_used == model
    assert response.region_used == region
    assert response.access_method_used == method
    assert response.inference_profile_used is uses_profile
    assert response.inference_profile_id == (identifier if uses_profile else None)
    assert response.model_id_used == identifier
    assert response.get_content()


@pytest.mark.parametrize(
    ("profile_id", "method"),
    [
        (f"us.{HAIKU}", "regional_cris"),
        (f"global.{HAIKU}", "global_cris"),
        (f"us.{NOVA}", "regional_cris"),
    ],
)
@pytest.mark.parametrize(
    "prefix", ["", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"]
)
def test_a_profile_that_is_named_is_the_one_that_is_sent(
    bedrock: LocalBedrock, profile_id: str, method: str, prefix: str
) -> None:
    response = new_manager([f"{prefix}{profile_id}"], ["us-east-1"]).converse(PROMPT)
    assert called(bedrock) == [("us-east-1", profile_id)]
    assert (response.access_method_used, response.inference_profile_id) == (method, profile_id)


def test_a_profile_that_is_named_is_not_replaced_where_it_cannot_be_called() -> None:
    with pytest.raises(ConfigurationError, match="can be called in"):
        new_manager([f"eu.{NOVA}"], ["us-east-1"])


def test_the_region_of_an_arn_wins(bedrock: LocalBedrock) -> None:
    arn = f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.{HAIKU}"
    response = new_manager([arn], ["us-east-1", "us-west-2"]).converse(PROMPT)
    assert called(bedrock) == [("eu-west-1", f"eu.{HAIKU}")]
    assert (response.model_used, response.region_used) == (arn, "eu-west-1")
    assert len(response.attempts) == 1


@pytest.mark.parametrize(
    "kind", ["application-inference-profile", "provisioned-model", "imported-model", "custom-model"]
)
def test_what_an_account_made_itself_is_passed_on_as_it_is(
    bedrock: LocalBedrock, kind: str
) -> None:
    arn = f"arn:aws:bedrock:eu-west-1:123456789012:{kind}/abc123def456"
    bedrock.register_target(arn, NOVA)
    response = new_manager([arn], ["us-east-1"]).converse(PROMPT)
    assert called(bedrock) == [("eu-west-1", arn)]
    assert response.access_method_used == "direct"
    assert response.model_id_used == arn


def test_an_unknown_model_beside_a_known_one_is_tolerated(bedrock: LocalBedrock) -> None:
    response = new_manager(["Nova Lit", "Nova Lite"], ["moon-north-1", "us-east-1"]).converse(
        PROMPT
    )
    assert called(bedrock) == [("us-east-1", NOVA)]
    assert response.model_used == "Nova Lite"


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        ([{"role": "user", "content": "a very private question"}], "messages[0].content"),
        ([{"role": "user"}], "messages[0].content"),
        (["a very private question"], "messages[0]"),
        (
            [{"role": "user", "content": [{"text": {"a very": "private question"}}]}],
            "messages[0].content[0].text",
        ),
        (
            [{"role": "user", "content": [{"txt": "a very private question"}]}],
            "messages[0].content[0].txt",
        ),
        (
            [{"role": "user", "content": [{"text": "private", "image": {}}]}],
            "messages[0].content[0]",
        ),
        (
            [{"role": "user", "content": 'x\nMissing required parameter in private: "private"'}],
            "messages[0].content",
        ),
    ],
)
def test_a_request_of_the_wrong_form_is_refused_with_the_place_and_without_the_prompt(
    bedrock: LocalBedrock, messages: Any, place: str
) -> None:
    with pytest.raises(RequestValidationError) as raised:
        new_manager().converse(messages)
    assert place in raised.value.invalid_fields
    assert "private" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert called(bedrock) == []


def test_a_member_that_converse_does_not_have_is_named(bedrock: LocalBedrock) -> None:
    with pytest.raises(RequestValidationError) as raised:
        new_manager().converse(PROMPT, extra_request_fields={"flavour": 1})
    assert raised.value.invalid_fields == ["flavour"]


def test_a_region_that_has_none_of_the_models_is_said_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    new_manager(["Nova Micro"], ["us-east-1", "af-south-1"])
    said = [r.getMessage() for r in caplog.records if r.name.endswith("llm_manager")]
    assert said == ["None of the models can be called in 'af-south-1'."]


def test_the_model_id_is_chosen_by_the_manager() -> None:
    with pytest.raises(RequestValidationError, match="modelId"):
        new_manager().converse(PROMPT, extra_request_fields={"modelId": NOVA})


def test_what_is_no_auth_config_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match="`auth_config` must be of type `AuthConfig`, got str"
    ):
        new_manager(auth_config="profile")


def test_what_drops_out_is_said_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    new_manager(["Nova Lite", "Nova Lit"], ["us-east-1", "us-eats-1"])
    said = [r.getMessage() for r in caplog.records if r.name.endswith("llm_manager")]
    assert [text.partition(".")[0] for text in said] == [
        "There is no model 'Nova Lit'",
        "Region 'us-eats-1' is not known; closest: us-east-1, us-west-1, us-east-2",
    ]


def test_the_request_has_what_was_given_and_the_callers_objects_stay_as_they_were(
    bedrock: LocalBedrock,
) -> None:
    request: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"text": "Hi"}, {"text": "there"}]}],
        "system": [{"text": "Be brief."}],
        "inference_config": {"maxTokens": 5},
    }
    defaults = {"temperature": 0.5, "maxTokens": 100}
    before = copy.deepcopy((request, defaults))
    manager = new_manager(default_inference_config=defaults)
    manager.converse(**request)
    manager.converse(PROMPT)
    assert (request, defaults) == before
    bodies = [r.body for r in bedrock.requests]
    assert bodies == [
        {
            "messages": before[0]["messages"],
            "system": [{"text": "Be brief."}],
            "inferenceConfig": {"temperature": 0.5, "maxTokens": 5},
        },
        {"messages": PROMPT, "inferenceConfig": {"temperature": 0.5, "maxTokens": 100}},
    ]


@pytest.mark.parametrize("messages", [[], None, ()])
def test_a_request_without_a_message_is_refused_unsent(
    bedrock: LocalBedrock, messages: Any
) -> None:
    with pytest.raises(RequestValidationError, match="`messages` is empty"):
        new_manager().converse(messages)
    assert bedrock.count() == 0


def test_the_answer_is_what_boto3_gave(bedrock: LocalBedrock) -> None:
    bedrock.reply_with("Hello yourself.")
    response = new_manager().converse(PROMPT)
    assert response.get_content() == "Hello yourself."
    assert response.response_data is not None
    assert response.response_data["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert response.api_latency_ms == response.response_data["metrics"]["latencyMs"]
    assert response.total_duration_ms is not None
    assert 0 < response.total_duration_ms < 60_000
    assert response.warnings == []


# --- when a target fails --------------------------------------------------------------------------------


def test_when_the_first_target_fails_the_second_answers(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied(), region="us-east-1")
    manager = new_manager(["Claude Haiku 4.5"], ["us-east-1", "us-west-2"])
    response = manager.converse(PROMPT)
    assert called(bedrock) == [("us-east-1", f"us.{HAIKU}"), ("us-west-2", f"us.{HAIKU}")]
    assert response.success
    assert response.region_used == "us-west-2"
    failed, succeeded = response.attempts
    assert (failed.attempt_number, succeeded.attempt_number) == (1, 2)
    assert (failed.success, succeeded.success) == (False, True)
    assert (failed.model_id, failed.region) == ("Claude Haiku 4.5", "us-east-1")
    assert failed.access_method == "regional_cris"
    assert "AccessDenied" in str(failed.error)
    assert succeeded.error is None
    assert failed.duration_ms is not None
    assert failed.end_time is not None
    assert failed.end_time <= succeeded.start_time
    assert response.get_last_error() is failed.error


def test_when_all_targets_fail_the_error_tells_what_was_tried_in_order(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.access_denied())
    models, regions = ["Nova Pro", "Nova Lite", "Nova Micro"], ["us-west-2", "us-east-1"]
    with pytest.raises(RetryExhaustedError) as raised:
        new_manager(models, regions).converse(PROMPT)
    error = raised.value
    tried = called(bedrock)
    assert error.attempts_made == len(tried)
    assert error.last_errors is not None
    assert len(error.last_errors) == len(tried)
    assert all("AccessDenied" in str(one) for one in error.last_errors)
    assert error.models_tried == models
    assert error.regions_tried == regions
    for name in (*models, *regions):
        assert name in str(error)


def test_a_region_where_nobody_answers_is_a_failed_attempt(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bedrock.fail(Fault.reset(), region="us-east-1")
    manager = new_manager(
        regions=["us-east-1", "us-west-2"], boto3_config=Boto3Config(retries_max_attempts=0)
    )
    response = manager.converse(PROMPT)
    assert response.region_used == "us-west-2"
    assert [attempt.success for attempt in response.attempts] == [False, True]


def test_missing_credentials_are_said_once() -> None:
    manager = new_manager(regions=["us-east-1", "us-west-2"])
    with pytest.raises(AuthenticationError, match="There are no AWS credentials") as raised:
        manager.converse(PROMPT)
    assert len(raised.value.attempts) == 1


def test_neither_prompt_nor_answer_nor_secret_is_logged_or_shown(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    bedrock.reply_with("a very private answer", region="us-east-1")
    bedrock.fail(Fault.access_denied(), region="us-west-2")
    manager = new_manager(regions=["us-west-2", "us-east-1"], auth_config=KEYS, log_level="DEBUG")
    caplog.set_level(logging.DEBUG, logger="bestehorn_llmmanager")
    response = manager.converse(PROMPT, system=[{"text": "a very private rule"}])
    assert response.success
    bedrock.fail(Fault.access_denied())
    with pytest.raises(RetryExhaustedError) as raised:
        manager.converse(PROMPT)
    shown = "\n".join([caplog.text, str(raised.value), repr(raised.value), repr(manager)])
    assert "very" not in shown
