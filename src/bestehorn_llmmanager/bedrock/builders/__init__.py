"""Parts of a request that depend on the model it goes to."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterBuilder

__all__ = ["ParameterBuilder"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"ParameterBuilder": "bestehorn_llmmanager.bedrock.builders.parameter_builder"},
)
