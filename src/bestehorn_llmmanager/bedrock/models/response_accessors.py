"""What can be asked of every response, whether it came in one piece or as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt

# Our names of the token counts, with those of the API.
_COUNTS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "total_tokens": "totalTokens",
    "cache_read_tokens": "cacheReadInputTokens",
    "cache_write_tokens": "cacheWriteInputTokens",
}


def dicts_under(payload: object, key: str) -> list[dict[str, Any]]:
    """The dicts in the list under `key`; empty where the shape is another."""
    entries = payload.get(key) if isinstance(payload, Mapping) else None
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []


def read_token_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """Read the API's ``usage``; counts that are absent are 0."""
    return {name: _count(usage, key) for name, key in _COUNTS.items()}


def pick_token_counts(usage: Mapping[str, Any]) -> dict[str, int]:
    """The same from a mapping that has our names already."""
    return {name: _count(usage, name) for name in _COUNTS}


def _count(usage: Mapping[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) else 0


class TokenAccessors:
    """What can be asked of a response that has token counts."""

    def get_usage(self) -> dict[str, int] | None:
        """Token counts: input, output, total, read from the cache, written to it."""
        raise NotImplementedError

    def get_input_tokens(self) -> int:
        """Input tokens that were neither read from the cache nor written to it."""
        return (self.get_usage() or {}).get("input_tokens", 0)

    def get_output_tokens(self) -> int:
        return (self.get_usage() or {}).get("output_tokens", 0)

    def get_total_tokens(self) -> int:
        return (self.get_usage() or {}).get("total_tokens", 0)

    def get_cache_read_tokens(self) -> int:
        return (self.get_usage() or {}).get("cache_read_tokens", 0)

    def get_cache_write_tokens(self) -> int:
        return (self.get_usage() or {}).get("cache_write_tokens", 0)

    def get_cached_tokens_info(self) -> dict[str, Any] | None:
        """What the cache gave and took: two counts with a flag for each."""
        usage = self.get_usage()
        if usage is None:
            return None
        read, written = usage["cache_read_tokens"], usage["cache_write_tokens"]
        return {
            "cache_read_tokens": read,
            "cache_write_tokens": written,
            "cache_hit": read > 0,
            "cache_write": written > 0,
        }

    def get_cached_share(self) -> float | None:
        """The share of the prompt, 0 to 1, that was read from the cache."""
        usage = self.get_usage()
        if usage is None:
            return None
        read = usage["cache_read_tokens"]
        prompt = usage["input_tokens"] + read + usage["cache_write_tokens"]
        return read / prompt if prompt > 0 else None

    def get_cache_efficiency(self) -> dict[str, Any] | None:
        """Figures about prompt caching, None without uncached input tokens.

        `cached_share` is what to look at (see `get_cached_share`). The others are as they always
        were: the ratio is cached to uncached tokens and can exceed 1; cost and latency follow from
        two constants, not from a price list.
        """
        usage = self.get_usage()
        if usage is None or usage["input_tokens"] == 0:
            return None
        read = usage["cache_read_tokens"]
        ratio = read / usage["input_tokens"]
        return {
            "cache_hit_ratio": round(ratio, 2),
            "cache_savings_tokens": read,
            "cache_savings_cost": f"${read / 1000 * 0.03:.2f}",
            "latency_reduction_ms": int(read / 100),
            "cache_write_tokens": usage["cache_write_tokens"],
            "cache_read_tokens": read,
            "cache_effectiveness": round(ratio * 100, 1),
            "cached_share": self.get_cached_share(),
        }


class OriginAccessors:
    """What can be asked of a response about the way it was got."""

    success: bool
    model_used: str | None
    region_used: str | None
    access_method_used: str | None
    inference_profile_used: bool
    inference_profile_id: str | None
    attempts: list[RequestAttempt]
    warnings: list[str]
    features_disabled: list[str]
    parameters_removed: list[str] | None

    def was_successful(self) -> bool:
        return self.success

    def get_warnings(self) -> list[str]:
        return self.warnings.copy()

    def get_disabled_features(self) -> list[str]:
        return self.features_disabled.copy()

    def get_last_error(self) -> Exception | None:
        """The error of the last attempt that failed."""
        errors = [a.error for a in self.attempts if a.error is not None and not a.success]
        return errors[-1] if errors else None

    def get_all_errors(self) -> list[Exception]:
        """The errors of all attempts, also of those that succeeded in the end."""
        return [attempt.error for attempt in self.attempts if attempt.error is not None]

    def get_attempt_count(self) -> int:
        return len(self.attempts)

    def get_successful_attempt(self) -> RequestAttempt | None:
        return next((attempt for attempt in self.attempts if attempt.success), None)

    def had_parameters_removed(self) -> bool:
        return bool(self.parameters_removed)

    def get_parameter_warnings(self) -> list[str]:
        """A sentence per removed parameter, plus the total if there are several."""
        removed = self.parameters_removed or []
        warnings = [
            f"Parameter {name!r} was left out: the model does not take it here" for name in removed
        ]
        if len(removed) > 1:
            warnings.append(f"{len(removed)} parameters were left out in total")
        return warnings

    def get_access_method(self) -> str | None:
        return self.access_method_used

    def was_profile_used(self) -> bool:
        return self.inference_profile_used

    def get_profile_id(self) -> str | None:
        """The inference profile that was called, None for direct access."""
        return self.inference_profile_id if self.inference_profile_used else None

    def get_access_method_info(self) -> dict[str, Any]:
        """How the model was addressed; `model_id` is the model as the caller wrote it."""
        return {
            "access_method": self.access_method_used,
            "profile_used": self.inference_profile_used,
            "profile_id": self.inference_profile_id,
            "model_id": self.model_used,
            "region": self.region_used,
        }
