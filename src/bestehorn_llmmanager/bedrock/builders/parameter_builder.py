"""Merges what callers ask of a model into its `additionalModelRequestFields`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._lazy import lazy_logger
from bestehorn_llmmanager.bedrock.models.claude_version import ClaudeVersion, claude_version

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig

logger = lazy_logger(__name__)

# Models with a window of 200,000 tokens that the beta header extends to a million. Sources:
# danny-avila/LibreChat#9078 (August 2025, Sonnet 4), anomalyco/opencode#12452 (March 2026,
# Sonnet 4.5 on Bedrock). Anthropic itself retired the header on 2026-04-30.
_EXTENDED_BY_HEADER = {ClaudeVersion("sonnet", (4, 0)), ClaudeVersion("sonnet", (4, 5))}
# From 4.6 on the window has a million tokens without a header, which is taken and has no effect:
# measured on Bedrock, anomalyco/models.dev#1221 (March 2026), NousResearch/hermes-agent#31277
# (August 2026); the facts of all those models say the same.
_MILLION_TOKENS_SINCE = (4, 6)


class ParameterFields:
    """Keys of `additionalModelRequestFields`, for code that refers to them by constant."""

    ANTHROPIC_BETA = "anthropic_beta"


class ParameterBuilder:
    """Builds the additional fields for one model after the other.

    Safe to share between threads.
    """

    EXTENDED_CONTEXT_BETA_HEADER = "context-1m-2025-08-07"

    # As it was published; nothing is decided by it.
    EXTENDED_CONTEXT_MODELS = {  # noqa: RUF012  (a set in the interface)
        "Claude 3.5 Sonnet v2",
        "Claude Sonnet 4",
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
    }

    def __init__(self) -> None:
        self._warned_about: set[str] = set()

    def build_additional_fields(
        self,
        model_name: str,
        model_specific_config: ModelSpecificConfig | None = None,
        additional_model_request_fields: dict[str, Any] | None = None,
        *,
        model_id: str | None = None,
    ) -> dict[str, Any] | None:
        """Merge the explicit fields, the custom fields and the header of the long context.

        Custom fields override explicit ones key by key; a list under ``anthropic_beta`` is
        appended instead. Where the model has no extended context, a log record says so once.

        Args:
            model_name: The model as the caller wrote it.
            model_specific_config: None asks for nothing.
            additional_model_request_fields: The explicit fields.
            model_id: The model or profile id that `model_name` was resolved to: decides about
                the long context, which otherwise the name does.

        Returns:
            A dict of its own, None where nothing was given. No argument is modified.
        """
        fields = copy.deepcopy(additional_model_request_fields)
        if model_specific_config is None:
            return fields
        if model_specific_config.custom_fields is not None:
            fields = _merged(fields or {}, copy.deepcopy(model_specific_config.custom_fields))
        if model_specific_config.enable_extended_context and self._needs_header(
            model_id or model_name
        ):
            fields = fields or {}
            _add_betas(fields, [self.EXTENDED_CONTEXT_BETA_HEADER])
        return fields

    def _needs_header(self, model: str) -> bool:
        version = claude_version(model)
        if version in _EXTENDED_BY_HEADER:
            return True
        if (version is None or version.number < _MILLION_TOKENS_SINCE) and (
            model not in self._warned_about
        ):
            self._warned_about.add(model)
            logger.warning(
                "%r is not known to have an extended context; it is called without. If it has "
                "one, put its `anthropic_beta` into `ModelSpecificConfig.custom_fields`.",
                model,
            )
        return False


def _merged(fields: dict[str, Any], custom: dict[str, Any]) -> dict[str, Any]:
    merged = {**fields, **custom}
    betas = custom.get("anthropic_beta")
    if isinstance(betas, list):
        merged["anthropic_beta"] = fields.get("anthropic_beta")
        _add_betas(merged, betas)
    return merged


def _add_betas(fields: dict[str, Any], betas: list[Any]) -> None:
    given = fields.get("anthropic_beta")
    if not isinstance(given, (list, tuple)):
        given = () if given is None else (given,)
    together: list[Any] = []
    for beta in (*given, *betas):
        if beta not in together:  # not a set: what cannot be hashed is the service's to refuse
            together.append(beta)
    fields["anthropic_beta"] = together
