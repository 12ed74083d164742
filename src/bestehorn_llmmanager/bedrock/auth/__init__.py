"""Sessions and clients."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager

__all__ = ["AuthManager"]

__getattr__, __dir__ = lazy_names(
    __name__, {"AuthManager": "bestehorn_llmmanager.bedrock.auth.auth_manager"}
)
