"""What the process learned about models while calling them."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.tracking.access_method_tracker import AccessMethodTracker
    from bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker import (
        ParameterCompatibilityTracker,
    )

__all__ = ["AccessMethodTracker", "ParameterCompatibilityTracker"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AccessMethodTracker": "bestehorn_llmmanager.bedrock.tracking.access_method_tracker",
        "ParameterCompatibilityTracker": (
            "bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker"
        ),
    },
)
