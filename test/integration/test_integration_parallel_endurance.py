"""Tests that runs of many requests bear load, long lists and many deaths.

What takes minutes is marked `slow`; docs/reliability.md has its figures.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from bestehorn_llmmanager.testing import Fault, LocalBedrockProcess
from test.integration.test_integration_parallel import (
    kill_and_resume,
    linux_only,
    new_manager,
    peak_of,
    posix_only,
    requests,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB = 1024
