"""Takes requests in: looks at each, and keeps them as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.batch.records import line_of
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.batch.locations import Location
    from bestehorn_llmmanager.bedrock.batch.records import Wire
    from bestehorn_llmmanager.bedrock.batch.spool import Spool

_MOST_PROBLEMS = 100
_MOST_SHOWN = 3


def several(requests: Iterable[BedrockConverseRequest]) -> Iterable[BedrockConverseRequest]:
    """What was given, if it can be read one by one.

    Raises:
        RequestValidationError: It cannot, or is a single request.
    """
    if isinstance(requests, BedrockConverseRequest) or not isinstance(requests, Iterable):
        raise RequestValidationError(
            "`requests` must be a list or a generator of `BedrockConverseRequest`, but is of "
            f"type {type(requests).__name__}"
        )
    return requests


def wrong_type(number: int, request: object) -> str:
    """What is said of request number `number` if it is none."""
    kind = type(request).__name__
    return f"Request number {number} is of type {kind}, not `BedrockConverseRequest`"


class Intake:
    """Fills a spool. Not to be shared between threads.

    Args:
        members: Makes of a request what Converse is sent, or refuses it.
        wire: Makes JSON of that.
        spool: Where the records go.
        media: Folder of the S3 objects that requests may refer to, None if they may not.
        allow_tools: Whether requests may have tools.

    Attributes:
        request_ids: The ids, in the order of the records.
    """

    def __init__(
        self,
        members: Callable[[BedrockConverseRequest], dict[str, Any]],
        wire: Wire,
        spool: Spool,
        media: Location | None,
        *,
        allow_tools: bool,
    ) -> None:
        self._members = members
        self._wire = wire
        self._spool = spool
        self._media = media
        self._allow_tools = allow_tools
        self._seen: set[str] = set()
        self.request_ids: list[str] = []

    def take(self, requests: Iterable[BedrockConverseRequest]) -> None:
        """Look at all requests, and keep them if all are good.

        Raises:
            RequestValidationError: Some are not; says what is wrong with the first hundred.
            BatchError: The disk is full.
        """
        problems: list[str] = []
        for number, request in enumerate(several(requests), 1):
            problems += self._take(number, request)
            if len(problems) >= _MOST_PROBLEMS:
                break
        if problems:
            shown = "; ".join(problems[:_MOST_SHOWN])
            more = f"; and {len(problems) - _MOST_SHOWN} more" * (len(problems) > _MOST_SHOWN)
            raise RequestValidationError(
                f"Nothing was submitted. {shown}{more}", validation_errors=problems
            )

    def _take(self, number: int, request: object) -> list[str]:
        if not isinstance(request, BedrockConverseRequest):
            return [wrong_type(number, request)]
        name = request.request_id
        if not isinstance(name, str):
            return [f"Request number {number}: its id must be a string, got {name!r}"]
        if name in self._seen:
            return [f"Request {name}: an earlier one has the same id"]
        self._seen.add(name)
        try:
            members = self._members(request)
            problems = list(self._problems(members))
            line = line_of(number, self._wire.body(members))
        except RequestValidationError as error:
            return [
                f"Request {name}: {each}" for each in error.validation_errors or [error.message]
            ]
        self._spool.add(name, line)
        self.request_ids.append(name)
        return [f"Request {name}: {each}" for each in problems]

    def _problems(self, members: Mapping[str, Any]) -> Iterator[str]:
        if "toolConfig" in members and not self._allow_tools:
            yield (
                "`toolConfig`: batch jobs of Converse requests take no tools. If they do by now, "
                "pass `limits` with `allow_tools`"
            )
        for place in _s3_uris(members):
            if self._media is None:
                yield (
                    "it refers to an S3 object. Bedrock takes these only from the folder of the "
                    "input: pass `media_folder`"
                )
            elif not place.startswith(str(self._media / "")):
                yield f"it refers to an S3 object that is not in {str(self._media)!r}"


def _s3_uris(value: Any) -> Iterator[str]:
    """The URI of each S3 object in content blocks."""
    if isinstance(value, Mapping):
        place = value.get("s3Location")
        if isinstance(place, Mapping) and isinstance(place.get("uri"), str):
            yield place["uri"]
        for item in value.values():
            yield from _s3_uris(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _s3_uris(item)
