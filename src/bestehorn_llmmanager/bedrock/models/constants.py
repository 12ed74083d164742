"""Old path of the constants of `ModelManager`."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.constants import FilePaths, JSONFields, URLs

__all__ = ["FilePaths", "JSONFields", "URLs"]
