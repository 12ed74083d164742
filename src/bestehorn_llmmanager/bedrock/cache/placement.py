"""Decides after which blocks of a request cache points go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.cache.request_points import (
    SYSTEM,
    TOOLS,
    Place,
    Point,
    is_point,
    points_in,
    sections,
)
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig, CacheStrategy
from bestehorn_llmmanager.bedrock.models.claude_version import claude_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
MOST_POINTS = 4
SHORTEST_TTL_SECONDS = 300
_HOUR_SECONDS = 3600
# The models whose facts have a price for entries of an hour, from Claude 4.5 on. Others refuse
# it ("Extra inputs are not permitted", earendil-works/pi#1570, February 2026).
_HOUR_SINCE = (4, 5)

_TOKENS = {"image": 450, "document": 1000, "video": 2000}
_TOKENS_OF_OTHERS = 10
_SHORTEST_STEP = 500


def estimated_tokens(block: Any) -> int:
    """A guess at the length of a content block that costs no counting."""
    if isinstance(block, dict):
        text = block.get("text")
        if isinstance(text, str):
            return len(text) // 4
        for kind, tokens in _TOKENS.items():
            if kind in block:
                return tokens
    return _TOKENS_OF_OTHERS


def new_points(
    request: Mapping[str, Any], config: CacheConfig, *, model: str | None, min_tokens: int
) -> list[Point]:
    """The points to be added to those that stand in the request.

    There are at most four in all. Where more would be worth it, system prompt and tools come
    first, then the latest of the messages: these are what the next turn of a conversation finds.
    No point comes before `min_tokens`, and a section in which a point stands gets no other.

    Args:
        request: The members of a Converse request, as the API names them.
        config: Thresholds and strategy.
        model: What is called; decides what may be asked of it. None: only what all take.
        min_tokens: The shortest prefix that the model caches.
    """
    standing = points_in(request)
    room = MOST_POINTS - len(standing)
    if room <= 0:
        return []
    is_claude = "claude" in (model or "").lower()
    places = _places(request, config, min_tokens=min_tokens, is_claude=is_claude)
    covered = {place.section for place, _ in standing}.union(p.section for p in places)
    if SYSTEM in covered and config.strategy is not CacheStrategy.AGGRESSIVE:
        places = [place for place in places if place.section != TOOLS]
    points = _with_ttls(places, standing, config, model or "")
    head = [point for point in points if point.place.section < 0]
    latest = [point for point in points if point.place.section >= 0]
    head = head[-room:]
    return head + latest[max(0, len(latest) - (room - len(head))) :]


def _places(
    request: Mapping[str, Any], config: CacheConfig, *, min_tokens: int, is_claude: bool
) -> list[Place]:
    places: list[Place] = []
    before = 0
    for section, blocks in sections(request):
        sizes = _sizes(section, blocks)
        if not any(map(is_point, blocks)):
            places += [
                Place(section, index)
                for index in _worth_it(section, blocks, sizes, config, is_claude=is_claude)
                if before + sum(sizes[: index + 1]) >= min_tokens
            ]
        before += sum(sizes)
    return places


def _sizes(section: int, blocks: Sequence[Any]) -> list[int]:
    if section == TOOLS:
        return [len(repr(tool)) // 4 for tool in blocks]
    return [estimated_tokens(block) for block in blocks]


def _worth_it(
    section: int,
    blocks: Sequence[Any],
    sizes: Sequence[int],
    config: CacheConfig,
    *,
    is_claude: bool,
) -> list[int]:
    """Indexes of the blocks of one section after which a point is worth it."""
    if section == TOOLS:
        # Nova refuses it there: "extraneous key [cachePoint]", NousResearch/hermes-agent#97281.
        enough = is_claude and sum(sizes) >= config.cache_point_threshold
        return [len(blocks) - 1] if enough and blocks else []
    may_follow = [_may_follow(blocks, index, is_claude=is_claude) for index in range(len(blocks))]
    if section == SYSTEM:
        return _at_the_end(sizes, may_follow, config)
    if config.strategy is CacheStrategy.AGGRESSIVE:
        return _aggressive(blocks, sizes, may_follow, config.cache_point_threshold)
    if config.strategy is CacheStrategy.CUSTOM and config.custom_rules:
        return _by_rules(blocks, sizes, may_follow, config)
    return _conservative(sizes, may_follow, config.cache_point_threshold)


def _may_follow(blocks: Sequence[Any], index: int, *, is_claude: bool) -> bool:
    """Whether the service takes a point directly after a block.

    It refuses one after reasoning (anomalyco/opencode#36517), video, and documents other than PDF
    (strands-agents/harness-sdk#1966, pydantic/pydantic-ai#4207), also after a PDF with which the
    message begins (anomalyco/opencode#17300); with Nova, after tool blocks. Whatever else there
    is counts as refused.
    """
    block = blocks[index]
    if not isinstance(block, dict):
        return False
    if "document" in block:
        before = [b for b in blocks[:index] if isinstance(b, dict)]
        is_pdf = isinstance(block["document"], dict) and block["document"].get("format") == "pdf"
        return is_pdf and any("text" in b or "image" in b for b in before)
    if "toolUse" in block or "toolResult" in block:
        return is_claude
    return bool(block.get("text")) or "image" in block


def _at_the_end(sizes: Sequence[int], may_follow: Sequence[bool], config: CacheConfig) -> list[int]:
    if not config.auto_cache_system_messages:
        return []
    last = max((index for index, may in enumerate(may_follow) if may), default=None)
    if last is None or sum(sizes[: last + 1]) < config.cache_point_threshold:
        return []
    return [last]


def _conservative(sizes: Sequence[int], may_follow: Sequence[bool], threshold: int) -> list[int]:
    """Where the rest is short or a fifth at most; else the last place that is possible."""
    everything = sum(sizes)
    total = 0
    best: list[int] = []
    for index, size in enumerate(sizes):
        total += size
        if total < threshold or not may_follow[index]:
            continue
        best = [index]
        if everything - total < threshold or total > 0.8 * everything:
            break
    return best


def _aggressive(
    blocks: Sequence[Any], sizes: Sequence[int], may_follow: Sequence[bool], threshold: int
) -> list[int]:
    step = max(_SHORTEST_STEP, threshold // 2)
    places: list[int] = []
    total, is_due = 0, False
    for index, size in enumerate(sizes):
        total += size
        is_due = is_due or (total >= step and _is_substantial(blocks[index], size, threshold))
        if is_due and may_follow[index]:
            places.append(index)
            total, is_due = 0, False
    return places


def _is_substantial(block: Any, tokens: int, threshold: int) -> bool:
    if not isinstance(block, dict):
        return False
    return "image" in block or "document" in block or ("text" in block and tokens >= threshold)


def _by_rules(
    blocks: Sequence[Any],
    sizes: Sequence[int],
    may_follow: Sequence[bool],
    config: CacheConfig,
) -> list[int]:
    limit = config.custom_rules.get("cache_text_blocks_over", config.cache_point_threshold)
    each_image = config.custom_rules.get("cache_all_images", False)
    places: list[int] = []
    total = 0
    for index, size in enumerate(sizes):
        total += size
        if may_follow[index] and (total >= limit or (each_image and "image" in blocks[index])):
            places.append(index)
            total = 0
    return places


def _with_ttls(
    places: Sequence[Place], standing: Sequence[Point], config: CacheConfig, model: str
) -> list[Point]:
    """Give each place the time to live that is wanted, as far as the order of all allows it.

    The service refuses an hour after five minutes, counted through tools, system prompt and
    messages (Portkey-AI/gateway#1762, strands-agents/harness-sdk#3758).
    """
    longest = config.max_cache_ttl
    may_be_hour = longest is None or longest >= _HOUR_SECONDS
    version = claude_version(model)
    wants_hour = longest is not None and may_be_hour
    wanted = "1h" if wants_hour and version and version.number >= _HOUR_SINCE else "5m"
    points: list[Point] = []
    for place in places:
        must_be_short = any(point.ttl == "5m" and point.place < place for point in standing)
        must_be_hour = any(point.ttl == "1h" and point.place > place for point in standing)
        if not must_be_hour:
            points.append(Point(place, "5m" if must_be_short else wanted))
        elif may_be_hour:
            points.append(Point(place, "1h"))
    return points
