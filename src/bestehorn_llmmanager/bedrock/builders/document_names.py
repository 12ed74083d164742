"""Gives every document of a request a name that Converse accepts, in a copy of its messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    # Keys and positions that lead to a document, from the messages on.
    Path = tuple[str | int, ...]

_LONGEST = 200
# API_runtime_DocumentBlock. Of white space, the service takes single ordinary spaces only.
_VALID = r"(?! *$)(?!.*  )[A-Za-z0-9 ()\[\]-]{1,200}"


def with_valid_document_names(messages: Sequence[Any]) -> tuple[Sequence[Any], list[str]]:
    """Name the documents whose name is missing, not accepted by Converse, or not the first such.

    A valid name stays where it comes first; Converse refuses a request in which a name comes
    twice. The others are derived from what is there: ``report_v2.pdf`` becomes ``report v2 pdf``,
    the next such one ``report v2 pdf 2``, and nothing becomes ``document``. They go by the order
    of the messages: a conversation that grows keeps its names, and with them what is cached of
    it, unless a later document bears one of them as its own.

    Args:
        messages: As Converse takes them; they are not changed.

    Returns:
        The messages, copied along the way to each new name (`messages` itself if there is none),
        and a sentence for each new name, which says where it is and has neither of the names.
    """
    if not _may_have_documents(messages):
        return messages, []
    documents = list(_documents(messages))
    names = _Names(document.get("name") for _, document in documents)
    changes: list[str] = []
    named: Any = messages
    for path, document in documents:
        name = names.name_for(document)
        if name != document.get("name"):
            named = _with_name(named, path, name)
            changes.append(_sentence(path, document))
    return named, changes


def _may_have_documents(messages: Any) -> bool:
    try:
        for message in messages:
            for block in message["content"]:
                if "document" in block or "toolResult" in block:
                    return True
    except (TypeError, KeyError):
        return True  # of another form, which asks for more care
    return False


def _documents(messages: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    for number, message in enumerate(_items(messages)):
        if isinstance(message, dict):
            for position, block in enumerate(_items(message.get("content"))):
                if isinstance(block, dict) and ("document" in block or "toolResult" in block):
                    yield from _documents_in((number, "content", position), block)


def _documents_in(path: Path, block: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(document := block.get("document"), dict):
        yield (*path, "document"), document
    if isinstance(result := block.get("toolResult"), dict):
        for position, inner in enumerate(_items(result.get("content"))):
            if isinstance(inner, dict) and isinstance(document := inner.get("document"), dict):
                yield (*path, "toolResult", "content", position, "document"), document


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


class _Names:
    """Hands out the names of one request, to one document after the other."""

    def __init__(self, given: Iterable[Any]) -> None:
        self._kept = {name for name in given if _is_valid(name)}
        # Whether the service tells `Report` from `report` is not documented.
        self._taken = {name.lower() for name in self._kept}

    def name_for(self, document: dict[str, Any]) -> str:
        given = document.get("name")
        if isinstance(given, str) and given in self._kept:
            self._kept.remove(given)
            return given
        stem = name = _derived(given)
        number = 1
        while name.lower() in self._taken:
            number += 1
            name = f"{stem[: _LONGEST - len(str(number)) - 1].rstrip()} {number}"
        self._taken.add(name.lower())
        return name


def _is_valid(name: Any) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(_VALID, name))


def _derived(name: Any) -> str:
    if not isinstance(name, str):
        return "document"
    from unicodedata import combining, normalize  # noqa: PLC0415

    letters = "".join(c for c in normalize("NFKD", name) if not combining(c))
    return re.sub(r"[^A-Za-z0-9()\[\]-]+", " ", letters).strip()[:_LONGEST].rstrip() or "document"


def _with_name(value: Any, path: Path, name: str) -> Any:
    if not path:
        return {**value, "name": name}
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with_name(value[path[0]], path[1:], name)
    return copy


def _sentence(path: Path, document: dict[str, Any]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    name = document.get("name")
    if name is None:
        why = "has no name, which Converse demands"
    elif _is_valid(name):
        why = "has the name of another one, which Converse refuses"
    else:
        why = (
            "has a name that Converse refuses (it takes letters, digits, hyphens, parentheses,"
            " square brackets and single spaces, 200 in all)"
        )
    return f"The document at `messages{steps}` {why}; another name was sent."
