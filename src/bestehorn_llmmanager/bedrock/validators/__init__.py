"""What is checked before anything is sent."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.validators.request_validator import RequestValidator

__all__ = ["RequestValidator"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"RequestValidator": "bestehorn_llmmanager.bedrock.validators.request_validator"},
)
