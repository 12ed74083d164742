"""Writes the public interface into one file for language models: docs/forLLMConsumption.md.

    python scripts/generate_llm_docs.py            write it
    python scripts/generate_llm_docs.py --check    exit status 1 if what is there is not current

It begins with scripts/llm_opening.md; then come the signatures and docstrings, as the sources have
them, page by page as in the reference of the site.
"""

from __future__ import annotations

import argparse
import ast
import copy
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import public_api
from public_api import PAGES, ROOT, WIDTH, Public, docstring, members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from public_api import Definition, Module

TARGET = ROOT / "docs" / "forLLMConsumption.md"
OPENING = ROOT / "scripts" / "llm_opening.md"


def generate() -> str:
    """The whole file."""
    living = public_api.public()
    parts = [OPENING.read_text(encoding="utf-8").rstrip("\n")]
    for page in PAGES:
        entries = [each for each in living if each.page == page]
        if entries:
            parts += [f"## {page.title}", page.about, *public_api.remarks(entries)]
            parts += [public_api.imports(entries), *map(_entry, map(_shortened, entries))]
    parts += _deprecated()  # until 4.0.0
    return "\n\n".join(parts) + "\n"


def _shortened(public: Public) -> Public:
    """Without what is no part of the interface: the version, and values in tables of old names."""
    node = copy.deepcopy(public.node)
    if public.name == "__version__" and isinstance(node, ast.Assign):
        node.value = ast.Constant(...)
    if public.page.slug == "old" and isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.Assign):
                member.value = ast.Constant(...)
    return replace(public, node=node)


# until 4.0.0
def _deprecated() -> Iterator[str]:
    stays = public_api.library().resolve
    offered = [each for each in public_api.everything() if each.exported]
    gone = [each for each in offered if not stays(each.module.name, each.name)]
    yield "<!-- until 4.0.0 -->"
    yield "## Deprecated"
    yield (
        "These work, warn, and go with 4.0.0, and so does `LLMManager(unified_model_manager=…)`. "
        "Methods are listed by their signatures alone."
    )
    yield public_api.imports(gone)
    yield from map(_entry, map(_brief, gone))
    yield "<!-- end -->"


def _brief(public: Public) -> Public:
    """The same with a docstring for itself alone."""
    node = copy.deepcopy(public.node)
    for member in members(node) if isinstance(node, ast.ClassDef) else ():
        if isinstance(member, ast.FunctionDef):
            member.body = [ast.Pass()]
    return _shortened(replace(public, node=node))


# end


def _entry(public: Public) -> str:
    text = "\n".join(_Definitions(public.module).lines(public.node))
    lines = map(_halved, text.split("\n"))
    return "\n".join([f"### {public.name}", "", "```", *lines, "```"])


class _Definitions:
    """Writes definitions of one module as a stub of it would have them, with their docstrings."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def lines(self, node: Definition) -> Iterator[str]:
        match node:
            case ast.ClassDef():
                yield from self._class(node)
            case ast.FunctionDef():
                yield from self._function(node)
            case _:
                yield ast.unparse(node)

    def _class(self, node: ast.ClassDef) -> Iterator[str]:
        yield from (f"@{ast.unparse(mark)}" for mark in node.decorator_list)
        made_from = ", ".join(ast.unparse(base) for base in node.bases)
        yield f"class {node.name}({made_from}):" if made_from else f"class {node.name}:"
        body = _docstring(node)
        for member in members(node):
            if isinstance(member, ast.FunctionDef) and body:
                body.append("")
            body += self.lines(member)
        yield from _indented(body or ["..."])

    def _function(self, node: ast.FunctionDef) -> Iterator[str]:
        yield from (f"@{ast.unparse(mark)}" for mark in node.decorator_list)
        returned = f" -> {ast.unparse(node.returns)}:" if node.returns else ":"
        arguments = list(self._arguments(node.args))
        told = list(_indented(_docstring(node)))
        end = f"){returned}" if told else f"){returned} ..."
        line = f"def {node.name}({', '.join(arguments)}{end}"
        if len(line) <= WIDTH:
            yield line
        else:
            yield f"def {node.name}("
            yield from _indented(f"{argument}," for argument in arguments)
            yield end
        yield from told

    def _arguments(self, given: ast.arguments) -> Iterator[str]:
        positional = [*given.posonlyargs, *given.args]
        missing: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
        defaults = [*missing, *given.defaults]
        for number, (argument, default) in enumerate(zip(positional, defaults, strict=True), 1):
            yield self._argument(argument, default)
            if number == len(given.posonlyargs):
                yield "/"
        if given.vararg:
            yield f"*{self._argument(given.vararg)}"
        elif given.kwonlyargs:
            yield "*"
        for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            yield self._argument(argument, default)
        if given.kwarg:
            yield f"**{self._argument(given.kwarg)}"

    def _argument(self, argument: ast.arg, default: ast.expr | None = None) -> str:
        value = (
            None if default is None else ast.unparse(public_api.value(self._module.name, default))
        )
        if not argument.annotation:
            return argument.arg if value is None else f"{argument.arg}={value}"
        text = f"{argument.arg}: {ast.unparse(argument.annotation)}"
        return text if value is None else f"{text} = {value}"


def _docstring(node: ast.ClassDef | ast.FunctionDef) -> list[str]:
    text = docstring(node)
    return f'"""{text}"""'.split("\n") if text else []


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" if line else "" for line in lines)


def _halved(line: str) -> str:
    """With half of its indentation, which is an eighth of the file otherwise."""
    text = line.lstrip(" ")
    return " " * ((len(line) - len(text)) // 2) + text


def main() -> int:
    """Exit status: 1 if `--check` finds another file than would be written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    text = generate()
    if not parser.parse_args().check:
        TARGET.write_text(text, encoding="utf-8", newline="\n")
        print(f"{TARGET}: {len(text.encode())} bytes")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        print(f"{TARGET} is not current: python scripts/generate_llm_docs.py writes it")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
