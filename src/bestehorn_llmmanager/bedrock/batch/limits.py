"""Splits records into jobs and files that are not larger than Bedrock takes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    ConfigurationError,
    RequestValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """What one batch job takes.

    These are quotas, which differ from model to model and from account to account: the page
    "Amazon Bedrock" of Service Quotas has yours.

    Attributes:
        min_records: Records of a job, at least.
        max_records: Records of a job, at most.
        max_records_per_file: Records of an input file, at most.
        max_file_bytes: Bytes of an input file, at most.
        max_job_bytes: Bytes of all input files of a job, at most.
        allow_tools: Whether requests may have tools. Jobs of Converse requests fail such records.

    Raises:
        ConfigurationError: A number is not above 0, or the minimum is above a maximum.

    Source: docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data.html (which there
    are), docs.aws.amazon.com/general/latest/gr/bedrock.html (their defaults: 100, 50,000, 1 GB
    and 5 GB for most models), docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html
    (tools)
    """

    min_records: int = 100
    max_records: int = 50_000
    max_records_per_file: int = 50_000
    max_file_bytes: int = 1_000_000_000
    max_job_bytes: int = 5_000_000_000
    allow_tools: bool = False

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name != "allow_tools" and not is_count(value):
                raise ConfigurationError(
                    f"`{each.name}` must be a whole number above 0, got {value!r}"
                )
        if self.min_records > self.max_records:
            raise ConfigurationError(
                f"`min_records` ({self.min_records}) must not be above `max_records` "
                f"({self.max_records})"
            )


def is_count(value: object) -> bool:
    """Whether it is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class Part(NamedTuple):
    """Consecutive records: from number `first` up to, not including, number `last`."""

    first: int
    last: int

    @property
    def records(self) -> int:
        return self.last - self.first


def split(sizes: Sequence[int], limits: BatchLimits) -> list[list[Part]]:
    """The files of each job, as parts of the records in their order.

    There are as few jobs as possible. Where the last one would be too small it gets records of the
    one before.

    Args:
        sizes: Bytes of each record, its line end included.
        limits: What a job and a file take.

    Raises:
        RequestValidationError: There are too few records, one is too large, or they cannot be
            split so that each job is large enough.
    """
    _check_sizes(sizes, limits)
    jobs = list(_filled(sizes, Part(0, len(sizes)), limits.max_records, limits.max_job_bytes))
    if len(jobs) > 1 and jobs[-1].records < limits.min_records:
        border = jobs[-1].last - limits.min_records
        jobs[-2:] = [Part(jobs[-2].first, border), Part(border, jobs[-1].last)]
    for job in jobs:
        _check_job(job, sizes, limits)
    most = limits.max_records_per_file
    return [list(_filled(sizes, job, most, limits.max_file_bytes)) for job in jobs]


def _filled(sizes: Sequence[int], part: Part, max_records: int, max_bytes: int) -> Iterator[Part]:
    first, filled = part.first, 0
    for number in range(part.first, part.last):
        if number - first == max_records or filled + sizes[number] > max_bytes:
            yield Part(first, number)
            first, filled = number, 0
        filled += sizes[number]
    yield Part(first, part.last)


def _check_sizes(sizes: Sequence[int], limits: BatchLimits) -> None:
    if len(sizes) < limits.min_records:
        raise RequestValidationError(
            f"Got {len(sizes)} requests; a batch job takes at least {limits.min_records}. "
            "`ParallelLLMManager` takes any number. If your quota is lower, pass `limits`."
        )
    largest = min(limits.max_file_bytes, limits.max_job_bytes)
    for number, size in enumerate(sizes):
        if size > largest:
            raise RequestValidationError(
                f"Request number {number + 1} has {size:,} bytes as a line of JSON; an input file "
                f"takes at most {largest:,}."
            )


def _check_job(job: Part, sizes: Sequence[int], limits: BatchLimits) -> None:
    too_large = sum(sizes[job.first : job.last]) > limits.max_job_bytes
    if too_large or job.records < limits.min_records:
        raise RequestValidationError(
            f"The requests cannot be split into jobs of at least {limits.min_records} requests and "
            f"at most {limits.max_job_bytes:,} bytes: they are too large."
        )
