"""Offers `LocalBedrock`, a Bedrock endpoint on loopback for tests, examples and benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bestehorn_llmmanager._lazy import lazy_names

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing._batch import BatchRun
    from bestehorn_llmmanager.testing._faults import Fault
    from bestehorn_llmmanager.testing._ledger import ServedRequest
    from bestehorn_llmmanager.testing._replies import ReceivedRequest
    from bestehorn_llmmanager.testing.local_bedrock import LocalBedrock
    from bestehorn_llmmanager.testing.process import LocalBedrockProcess

__all__ = [
    "BatchRun",
    "Fault",
    "LocalBedrock",
    "LocalBedrockProcess",
    "ReceivedRequest",
    "ServedRequest",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BatchRun": "bestehorn_llmmanager.testing._batch",
        "Fault": "bestehorn_llmmanager.testing._faults",
        "LocalBedrock": "bestehorn_llmmanager.testing.local_bedrock",
        "LocalBedrockProcess": "bestehorn_llmmanager.testing.process",
        "ReceivedRequest": "bestehorn_llmmanager.testing._replies",
        "ServedRequest": "bestehorn_llmmanager.testing._ledger",
    },
)
