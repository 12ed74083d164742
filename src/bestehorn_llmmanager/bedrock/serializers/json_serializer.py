"""Old path of the serializer of catalogues."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.json_serializer import JSONModelSerializer

__all__ = ["JSONModelSerializer"]
