"""Shows how far batch jobs are: on a bar, or to a function of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.batch.status import BatchStatus
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelConfigurationError
from bestehorn_llmmanager.bedrock.parallel.progress import Audience

if TYPE_CHECKING:
    from collections.abc import Callable


class Progress(Audience[BatchStatus]):
    """What is shown each status, as an `Audience` is.

    Raises:
        ConfigurationError: Where an `Audience` raises the one of many requests.
    """

    unit = "record"

    def __init__(self, progress: bool | Callable[[BatchStatus], object]) -> None:
        try:
            super().__init__(progress)
        except ParallelConfigurationError as error:
            raise ConfigurationError(error.message) from error.__cause__
        self.start()

    def _show(self, figures: BatchStatus) -> None:
        self._bar.total = figures.total or None
        self._bar.set_postfix_str(f"{figures.status}, {figures.failed} failed", refresh=False)
        self._bar.update(figures.processed - self._bar.n)
        self._bar.refresh()
