"""Tests that the tables of parallel runs say what the structures say."""

from __future__ import annotations

from typing import Any

from bestehorn_llmmanager.bedrock.models.parallel_constants import (
    ParallelConfig,
    ParallelProcessingFields,
)
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    FailureHandlingStrategy,
    LoadBalancingStrategy,
    ParallelExecutionStats,
    ParallelProcessingConfig,
    ParallelResponse,
)


def constants(table: type) -> dict[str, Any]:
    return {name: value for name, value in vars(table).items() if not name.startswith("_")}


def test_the_field_names_are_the_keys_of_the_dicts() -> None:
    stats = ParallelExecutionStats(0, 0, 0, 0.0, 0.0, 0.0, 0)
    request = BedrockConverseRequest(messages=[])
    keys = {*request.to_dict(), *ParallelResponse(success=True).to_dict(), *stats.to_dict()}
    assert constants(ParallelProcessingFields) == {key.upper(): key for key in keys}


def test_the_defaults_are_those_of_the_configuration() -> None:
    config = ParallelProcessingConfig()
    assert constants(ParallelConfig) == {
        "DEFAULT_MAX_CONCURRENT_REQUESTS": config.max_concurrent_requests,
        "DEFAULT_REQUEST_TIMEOUT_SECONDS": config.request_timeout_seconds,
        "DEFAULT_TARGET_REGIONS_PER_REQUEST": 5,
        "DEFAULT_ENABLE_REQUEST_PRIORITIZATION": config.enable_request_prioritization,
        "REQUEST_ID_PREFIX": "req",
        "REQUEST_ID_HASH_LENGTH": 12,
        "REQUEST_ID_SEPARATOR": "_",
        "FAILURE_STRATEGY_CONTINUE": FailureHandlingStrategy.CONTINUE_ON_FAILURE.value,
        "FAILURE_STRATEGY_STOP": FailureHandlingStrategy.STOP_ON_FIRST_FAILURE.value,
        "FAILURE_STRATEGY_THRESHOLD": FailureHandlingStrategy.STOP_ON_THRESHOLD.value,
        "LOAD_BALANCE_ROUND_ROBIN": LoadBalancingStrategy.ROUND_ROBIN.value,
        "LOAD_BALANCE_RANDOM": LoadBalancingStrategy.RANDOM.value,
        "LOAD_BALANCE_LEAST_LOADED": LoadBalancingStrategy.LEAST_LOADED.value,
    }
