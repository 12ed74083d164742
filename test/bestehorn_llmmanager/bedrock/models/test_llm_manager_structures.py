"""Tests which configurations are accepted, and what they show."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models import bedrock_response, llm_manager_structures
from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
    RequestAttempt,
    ResponseValidationConfig,
    RetryConfig,
    RetryStrategy,
    ValidationAttempt,
    ValidationResult,
)

NAN = float("nan")
ROLE = "arn:aws:iam::123456789012:role/Inference"


def accept(_: object) -> ValidationResult:
    return ValidationResult(success=True)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"auth_type": AuthenticationType.PROFILE}, ["profile_name"]),
        ({"auth_type": AuthenticationType.PROFILE, "profile_name": ""}, ["profile_name"]),
        (
            {"auth_type": AuthenticationType.CREDENTIALS},
            ["access_key_id", "secret_access_key"],
        ),
        (
            {"auth_type": AuthenticationType.CREDENTIALS, "access_key_id": "AKIA"},
            ["secret_access_key"],
        ),
    ],
)
def test_incomplete_credentials_are_refused_by_name(
    options: dict[str, Any], named: list[str]
) -> None:
    with pytest.raises(ValueError) as caught:
        AuthConfig(**options)
    assert all(name in str(caught.value) for name in named)


@pytest.mark.parametrize("auth_type", [AuthenticationType.AUTO, AuthenticationType.IAM_ROLE])
def test_other_kinds_of_authentication_need_nothing(auth_type: AuthenticationType) -> None:
    assert AuthConfig(auth_type).profile_name is None


def test_no_credential_is_in_the_repr() -> None:
    config = AuthConfig(
        AuthenticationType.CREDENTIALS,
        access_key_id="AKIAEXAMPLE",
        secret_access_key="wJalrXUtn",
        session_token="FwoGZXIv",
        region="eu-west-1",
    )
    shown = f"{config!r} {config}"
    assert not [s for s in ("AKIAEXAMPLE", "wJalrXUtn", "FwoGZXIv") if s in shown]
    assert "region='eu-west-1'" in shown
    assert config.secret_access_key == "wJalrXUtn"


def test_the_repr_tells_a_missing_secret_from_a_masked_one() -> None:
    assert "session_token=None" in repr(AuthConfig(AuthenticationType.AUTO))
    assert "session_token='***'" in repr(AuthConfig(AuthenticationType.AUTO, session_token="x"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"auth_type": AuthenticationType.BEARER_TOKEN}, ["needs `bearer_token`"]),
        (
            {"auth_type": AuthenticationType.BEARER_TOKEN, "bearer_token": ""},
            ["needs `bearer_token`"],
        ),
        ({"bearer_token": "k"}, ["`bearer_token` needs `AuthenticationType.BEARER_TOKEN`"]),
        (
            {
                "auth_type": AuthenticationType.BEARER_TOKEN,
                "bearer_token": "k",
                "role_arn": ROLE,
                "profile_name": "work",
                "access_key_id": "AKIA",
            },
            ["cannot assume a role", "`profile_name`", "`access_key_id`"],
        ),
        (
            {"role_session_name": "s", "external_id": "e", "role_duration_seconds": 900},
            ["`role_session_name`", "`external_id`", "`role_duration_seconds`", "`role_arn`"],
        ),
        ({"role_arn": ""}, ["`role_arn` must be like", "''"]),
        ({"role_arn": "Inference"}, ["`role_arn` must be like", "'Inference'"]),
        ({"role_arn": "arn:aws:iam::1:user/x"}, ["`role_arn` must be like"]),
        ({"role_arn": ROLE, "role_duration_seconds": 899}, ["900 to 43200, got 899"]),
        ({"role_arn": ROLE, "role_duration_seconds": 43201}, ["900 to 43200, got 43201"]),
        ({"role_arn": ROLE, "role_duration_seconds": 1000.5}, ["got 1000.5"]),
        ({"auth_type": "profile"}, ["`auth_type`", "got a str"]),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(options: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        AuthConfig(**{"auth_type": AuthenticationType.AUTO, **options})
    assert [name for name in named if name not in str(caught.value)] == []


@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key", "session_token"])
@pytest.mark.parametrize("value", ["secret\n", " secret", "sec\tret", "secret\u2026", "sec\r\nret"])
def test_a_key_that_could_not_be_sent_is_refused_without_showing_it(name: str, value: str) -> None:
    keys = {"access_key_id": "AKIA", "secret_access_key": "s", name: value}
    with pytest.raises(ValueError, match=f"`{name}`") as caught:
        AuthConfig(AuthenticationType.CREDENTIALS, **keys)  # type: ignore[arg-type]  # strings
    assert "sec" not in str(caught.value).replace("secret_access_key", "")


def test_so_is_a_bearer_token() -> None:
    with pytest.raises(ValueError, match="`bearer_token`") as caught:
        AuthConfig(AuthenticationType.BEARER_TOKEN, bearer_token="the-key\n")
    assert "the-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, ""),
        (
            {
                "role_arn": ROLE,
                "role_session_name": "batch",
                "external_id": "confidential",
                "role_duration_seconds": 900,
            },
            (
                f", role_arn='{ROLE}', role_session_name='batch', external_id='***', "
                "role_duration_seconds=900"
            ),
        ),
        (
            {"auth_type": AuthenticationType.BEARER_TOKEN, "bearer_token": "confidential"},
            ", bearer_token='***'",
        ),
    ],
)
def test_the_repr_has_what_was_given_of_roles_and_keys(options: dict[str, Any], shown: str) -> None:
    config = AuthConfig(**{"auth_type": AuthenticationType.AUTO, **options})
    assert repr(config) == (
        f"AuthConfig(auth_type={config.auth_type!r}, profile_name=None, access_key_id=None, "
        f"secret_access_key=None, session_token=None, region=None{shown})"
    )
    assert config == replace(config)
    assert hash(config) == hash(replace(config))
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_retries", -1),
        ("max_retries", "3"),
        ("retry_delay", -0.1),
        ("retry_delay", NAN),
        ("backoff_multiplier", 0),
        ("max_retry_delay", 0),
        ("max_retry_delay", None),
        ("region_order", "backwards"),
        ("region_order", None),
        ("access_method_preference", "telepathy"),
        ("global_cris_fraction", -0.01),
        ("global_cris_fraction", 1.01),
        ("global_cris_fraction", NAN),
        ("global_cris_fraction", "half"),
    ],
)
def test_a_retry_option_out_of_range_is_refused_by_name(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{option}`"):
        RetryConfig(**{option: value})  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("given", ["model_first", RetryStrategy.MODEL_FIRST])
def test_a_strategy_may_be_given_by_its_value(given: Any) -> None:
    assert RetryConfig(retry_strategy=given).retry_strategy is RetryStrategy.MODEL_FIRST


@pytest.mark.parametrize("names", [(), ("A", "B"), ["A"], {"A"}, frozenset({"A"})])
def test_names_of_errors_may_be_in_any_collection(names: Any) -> None:
    assert RetryConfig(retryable_errors=names).retryable_errors is names


def test_records_show_nothing_of_prompt_or_answer() -> None:
    verdict = ValidationResult(success=False, error_message="private")
    assert repr(ValidationAttempt(2, verdict, "private")) == "ValidationAttempt(attempt_number=2)"
    start, error = datetime(2026, 1, 1, tzinfo=timezone.utc), Exception("private")
    attempt = RequestAttempt("m", "r", "direct", 1, start, start, error)
    assert "private" not in repr(attempt)
    assert "private" not in repr(
        AttemptRecord("m", "r", "direct", "m", start, 1.0, 0.0, "x", error)
    )


def test_all_wrong_options_are_reported_at_once() -> None:
    with pytest.raises(ValueError, match=r"max_retries.*region_order.*global_cris_fraction"):
        RetryConfig(max_retries=-1, region_order="x", global_cris_fraction=2.0)


@pytest.mark.parametrize(
    "options",
    [
        {"max_retries": 0, "retry_delay": 0},
        {"retry_delay": Decimal("0.5"), "max_retry_delay": Fraction(1, 2)},
        {"global_cris_fraction": 0.0},
        {"global_cris_fraction": 1.0},
        {"region_order": "shuffle", "access_method_preference": "global_cris"},
    ],
)
def test_the_ends_of_the_ranges_are_accepted(options: dict[str, Any]) -> None:
    config = RetryConfig(**options)
    assert {name: getattr(config, name) for name in options} == options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("read_timeout", 0),
        ("connect_timeout", -1),
        ("max_pool_connections", 0),
        ("retries_max_attempts", -1),
    ],
)
def test_a_boto3_option_out_of_range_is_refused_by_name(option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"`{option}`"):
        Boto3Config(**{option: value})


def test_botocore_gets_exactly_the_four_settings() -> None:
    given = Boto3Config(1, 2, 3, 0).to_botocore_config()
    # botocore records what was set by its user here, and nothing else.
    assert given._user_provided_options == {
        "read_timeout": 1,
        "connect_timeout": 2,
        "max_pool_connections": 3,
        "retries": {"max_attempts": 0},
    }


def test_configurations_cannot_be_changed() -> None:
    for config in (RetryConfig(), Boto3Config(), AuthConfig(AuthenticationType.AUTO)):
        with pytest.raises(AttributeError):
            config.max_retries = 1  # type: ignore[union-attr,misc]  # that is the point


@pytest.mark.parametrize("option", ["response_validation_retries", "response_validation_delay"])
def test_a_negative_validation_option_is_refused_by_name(option: str) -> None:
    with pytest.raises(ValueError, match=f"`{option}`"):
        ResponseValidationConfig(accept, **{option: -1})


def test_an_attempt_lasts_from_start_to_end() -> None:
    start = datetime(2025, 1, 1, tzinfo=timezone.utc)
    attempt = RequestAttempt("model", "eu-west-1", "direct", 1, start)
    assert attempt.duration_ms is None
    attempt.end_time = start + timedelta(milliseconds=1500)
    assert attempt.duration_ms == 1500.0


@pytest.mark.parametrize(
    ("result", "as_dict"),
    [
        (ValidationResult(success=True), {"success": True}),
        (
            ValidationResult(success=False, error_message="", error_details={}),
            {"success": False, "error_message": "", "error_details": {}},
        ),
    ],
)
def test_a_verdict_becomes_a_dict_and_comes_back(
    result: ValidationResult, as_dict: dict[str, Any]
) -> None:
    assert result.to_dict() == as_dict
    assert ValidationResult.from_dict(as_dict) == result


def test_a_verdict_without_success_is_no_verdict() -> None:
    with pytest.raises(KeyError):
        ValidationResult.from_dict({})


def test_there_is_one_response_class_under_both_paths() -> None:
    assert llm_manager_structures.BedrockResponse is bedrock_response.BedrockResponse


def test_importing_the_configuration_does_not_import_botocore() -> None:
    code = (
        "import sys, bestehorn_llmmanager.bedrock.models.llm_manager_structures;"
        "assert not {'boto3', 'botocore', 'logging'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
