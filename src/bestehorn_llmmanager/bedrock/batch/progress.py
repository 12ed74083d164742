"""Shows how far batch jobs are: on a bar, or to a function of the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.batch.status import BatchStatus


class Progress:
    """What is shown each status.

    Args:
        progress: False for nothing, True for a bar (needs the extra ``progress``), or a callable.

    Raises:
        ConfigurationError: It is none of these, or `tqdm` is not installed.
    """

    def __init__(self, progress: bool | Callable[[BatchStatus], object]) -> None:
        self._show = progress if callable(progress) else None
        self._bar: Any = None
        if progress is True:
            self._bar = _bar()
        elif progress is not False and self._show is None:
            raise ConfigurationError(
                f"`progress` must be True, False or a callable, got {progress!r}"
            )

    def show(self, status: BatchStatus) -> None:
        if self._show is not None:
            self._show(status)
        if self._bar is not None:
            self._bar.total = status.total or None
            self._bar.set_postfix_str(f"{status.status}, {status.failed} failed", refresh=False)
            self._bar.update(status.processed - self._bar.n)
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar() -> Any:
    try:
        from tqdm import tqdm  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ConfigurationError(
            "`progress=True` needs `pip install bestehorn-llmmanager[progress]`"
        ) from error
    return tqdm(unit="record")
