"""Runs the Python of a document, block after block in one program, and checks what it prints.

    python scripts/document_code.py README.md docs/howto.md

Everything is asked of a `LocalBedrock` of its own. A comment behind a `print`, and those on the
lines that follow it, are lines that it has to print, in this order; `…` stands for any text. What
readers need not see stands in a comment of the document:

    <!-- invisible-code-block: python
    bedrock.fail(Fault.throttling(), region="us-east-1")
    -->

Such blocks find the endpoint as `bedrock`. The last block that was marked as `text` is `quoted`, with
single blanks; what the last one marked as `json` holds is `shown`.
A line that ends with `# DeprecationWarning` has to warn, and no other line may.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sybil import Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser

from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil import Document, Example

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_execute = PythonEvaluator()


def blocks(path: Path, language: str = "python") -> list[str]:
    """The blocks of a language that readers see."""
    text = path.read_text(encoding="utf-8")
    return [source for found, source in _FENCE.findall(text) if found == language]


def run(path: Path, bedrock: LocalBedrock) -> int:
    """Run all blocks in the current directory.

    Returns:
        How many there were.

    Raises:
        AssertionError: A block prints something else than its comments say.
    """
    document = _parse(path)
    document.namespace.update(bedrock=bedrock, Fault=Fault)
    return sum(_evaluate(example) for example in document.examples())


def _parse(path: Path) -> Document:
    evaluators = {"text": _quote, "json": _read, "python": _run_block}
    parsers = [CodeBlockParser(language, each) for language, each in evaluators.items()]
    return Sybil(parsers).parse(path)


def _evaluate(example: Example) -> int:
    example.evaluate()
    return 1


def _quote(example: Example) -> None:
    example.namespace["quoted"] = " ".join(str(example.parsed).split())


def _read(example: Example) -> None:
    example.namespace["shown"] = json.loads(str(example.parsed))


def _run_block(example: Example) -> None:
    source, output = str(example.parsed), io.StringIO()
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(output):
        warnings.simplefilter("always")
        _execute(example)
    place = f"{example.path}:{example.line}"
    _check_warnings(warned, _old_lines(source, example.line + example.parsed.line_offset), place)
    _check(output.getvalue().splitlines(), list(_promises(source)), place)


def _old_lines(source: str, before: int) -> set[int]:
    lines = enumerate(source.splitlines(), before + 1)
    return {number for number, line in lines if line.endswith("# DeprecationWarning")}


def _check_warnings(warned: list[warnings.WarningMessage], promised: set[int], place: str) -> None:
    others = [w for w in warned if not issubclass(w.category, DeprecationWarning)]
    lines = {w.lineno for w in warned}
    if others or lines != promised:
        said = [f"{w.filename}:{w.lineno}: {w.message}" for w in warned]
        raise AssertionError(f"{place}: warnings in {sorted(promised)} expected, got {said}")


def _promises(source: str) -> Iterator[str]:
    """What the comments behind `print` say, line by line."""
    lines = source.splitlines()
    for number in sorted(_last_lines_of_prints(source)):
        _, comment, promised = lines[number - 1].rpartition("  # ")
        if not comment:
            continue
        yield promised
        for line in lines[number:]:
            if not line.strip().startswith("# "):
                break
            yield line.strip()[2:]


def _last_lines_of_prints(source: str) -> set[int]:
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {
        call.end_lineno or call.lineno
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    }


def _check(printed: list[str], promised: list[str], place: str) -> None:
    rest = iter(printed)
    for promise in promised:
        pattern = re.compile(".*".join(map(re.escape, promise.split("…"))))
        if not any(pattern.fullmatch(line.strip()) for line in rest):
            raise AssertionError(f"{place}: nothing like {promise!r} in {printed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("documents", nargs="+", type=Path)
    documents: list[Any] = parser.parse_args().documents
    for path in [document.resolve() for document in documents]:
        with tempfile.TemporaryDirectory() as folder, LocalBedrock(set_environment=True) as bedrock:
            os.chdir(folder)
            print(f"{path.name}: {run(path, bedrock)} blocks run")
            os.chdir(path.parent)


if __name__ == "__main__":
    main()
