"""Reads from the sources of the package what is public, and on which page of the reference it stands.

Public is what a package names in its `__all__`, every error, what documents import by its path, and
whatever the signatures and docstrings of these name in turn. Nothing is imported, so the answer is
the same under every Python.
"""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

# until 4.0.0
from release_4_0_0 import without_marked

# end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "bestehorn_llmmanager"
WIDTH = 100
# Of what begins with an underscore, these say how an object is used.
PROTOCOL = ("__init__", "__call__", "__enter__", "__iter__", "__next__", "__getitem__", "__len__")
# A block of a docstring that is to be shown as it is.
LITERAL = re.compile(r"^::\n\n((?:(?: {4}.*)?(?:\n|\Z))+?)(?=\S|\Z)", re.MULTILINE)

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Page:
    """A page of the reference: what is at home in the modules that a pattern fits.

    Attributes:
        slug: Its name in the address.
        title: Its heading.
        about: One sentence.
        homes: Patterns of module names, without the package; the first page that fits counts.
    """

    slug: str
    title: str
    about: str
    homes: tuple[str, ...]


PAGES = (
    Page(
        "catalog",
        "Catalogue",
        "What to call for a model, in a region.",
        (
            "bedrock.catalog.bedrock_catalog",
            "bedrock.models.unified_structures",
            "bedrock.models.access_method",
            "bedrock.models.model_details",
            "bedrock.models.catalog_structures",
            "bedrock.catalog.*",
            "bedrock.discovery.*",
            "bedrock.models.aws_regions",
        ),
    ),
    Page(
        "manager",
        "Manager",
        "A prompt goes to the first of several models and regions that answers.",
        (
            "llm_manager",
            "bedrock.models.llm_manager_structures",
            "bedrock.models.model_specific_structures",
            "bedrock.models.cache_structures",
            "bedrock.models.access_method_preference",
            "_version",
        ),
    ),
    Page(
        "messages",
        "Messages",
        "What a request is made of.",
        (
            "message_builder",
            "message_builder_enums",
            "bedrock.models.cache_point",
            "bedrock.models.structured_output",
        ),
    ),
    Page(
        "responses",
        "Responses",
        "What a call returns, at once or as a stream.",
        (
            "bedrock.models.bedrock_response",
            "bedrock.models.streaming_response",
            "bedrock.models.response_accessors",
            "bedrock.models.attempt_record",
            "bedrock.models.tool_use",
            "bedrock.models.reasoning_content",
            "bedrock.models.citation",
            "bedrock.models.cache_detail",
            "bedrock.models.content_block_types",
            "bedrock.models.stop_reason",
        ),
    ),
    Page(
        "parallel",
        "Many requests",
        "A bounded number in flight, in any number of threads or processes.",
        (
            "parallel_llm_manager",
            "bedrock.models.parallel_structures",
            "bedrock.models.request_identity",
            "bedrock.parallel.*",
        ),
    ),
    Page(
        "batch",
        "Batch jobs",
        "Many requests as jobs of Bedrock, which take hours and cost about half.",
        ("bedrock.batch.batch_inference", "bedrock.batch.job", "bedrock.batch.*"),
    ),
    Page(
        "errors",
        "Errors",
        "Every error that the library raises.",
        (
            "bedrock.exceptions.llm_manager_exceptions",
            "bedrock.exceptions.parallel_exceptions",
            "bedrock.exceptions.batch_exceptions",
        ),
    ),
    Page(
        "testing",
        "Tests",
        "A Bedrock endpoint on loopback.",
        ("testing.local_bedrock", "testing._endpoint", "testing.process", "testing.*"),
    ),
    Page(
        "parts",
        "Parts",
        "What managers are made of, and helpers; each works alone.",
        (
            "bedrock.auth.*",
            "bedrock.validators.*",
            "bedrock.builders.*",
            "bedrock.cache.*",
            "bedrock.tracking.*",
            "util.*",
        ),
    ),
    # until 4.0.0
    Page(
        "deprecated",
        "Deprecated",
        "What works, warns, and goes with 4.0.0.",
        (
            "bedrock.ModelManager",
            "bedrock.CRISManager",
            "bedrock.UnifiedModelManager",
            "_legacy.manager_views",
            "_legacy.data_structures",
            "_legacy.cris_*structures",
            "_legacy.cris_routes",
            "_legacy.unified_model_catalog",
        ),
    ),
    # end
    Page(
        "old",
        "Old names",
        "Tables and helpers that the library does not use; they are there for code that does.",
        ("_legacy.*",),
    ),
)
# Documents import these by their path.
NAMED_BY_DOCUMENTS = ("bedrock.catalog.name_resolver.ModelNameResolver",)


@dataclass(frozen=True)
class Public:
    """A public class, function, alias or constant.

    Attributes:
        name: As it is called.
        path: Where to import it from, with its name.
        module: Its home.
        node: Its definition there.
        exported: Whether some package offers it; else it is what a signature names.
    """

    name: str
    path: str
    module: Module
    node: Definition
    exported: bool

    @property
    def page(self) -> Page:
        """Where it stands.

        Raises:
            LookupError: No page has a pattern for its home.
        """
        home = self.module.name.removeprefix(f"{PACKAGE}.")
        for page in PAGES:
            if any(fnmatchcase(home, pattern) for pattern in page.homes):
                return page
        raise LookupError(f"{self.path} is public; add its home {home!r} to a page of {__file__}")

    @property
    def can_be_imported(self) -> bool:
        """Whether there is a public place to import it from, other than for type checkers."""
        is_private = re.search(r"\._[^_]", self.path)
        return not is_private and self.name not in self.module.typing_only

    @property
    def identifier(self) -> str:
        """Its home, with its name: how the reference of the site calls it."""
        return f"{self.module.name}.{self.name}"

    @property
    def rank(self) -> tuple[int, int]:
        """For the order on its page: that of the patterns, then that of the source."""
        home = self.module.name.removeprefix(f"{PACKAGE}.")
        fits = (fnmatchcase(home, pattern) for pattern in self.page.homes)
        return next(number for number, fit in enumerate(fits) if fit), self.node.lineno


class Module:
    """One file: what it defines, and what it imports from where."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.tree = ast.parse(source)
        self.defined: dict[str, Definition] = {}
        self.imported: dict[str, tuple[str, str]] = {}
        self.typing_only: set[str] = set()
        self._read(self.tree.body)

    @property
    def exports(self) -> list[str]:
        """Its `__all__`."""
        node = self.defined.get("__all__")
        return ast.literal_eval(node.value) if isinstance(node, ast.Assign) else []

    def _read(self, body: Iterable[ast.stmt]) -> None:
        """Where a name is bound twice, under `TYPE_CHECKING` and else, the first counts."""
        for node in body:
            match node:
                case ast.If():
                    self._read(node.body)
                    self._read(node.orelse)
                    if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                        self.typing_only |= _defined(node.body) - _defined(node.orelse)
                case ast.ImportFrom(module=str(origin)):
                    for each in node.names:
                        self.imported.setdefault(each.asname or each.name, (origin, each.name))
                case ast.ClassDef() | ast.FunctionDef():
                    self.defined.setdefault(node.name, node)
                case (
                    ast.AnnAssign(target=ast.Name(id=name))
                    | ast.Assign(targets=[ast.Name(id=name)])
                ):
                    self.defined.setdefault(name, node)
                case _:
                    pass


def _defined(body: Iterable[ast.stmt]) -> set[str]:
    """The names that statements define; imports are no definitions."""
    return {name_of(each) for each in body if isinstance(each, Definition)}


class Library:
    """The sources of the package; without what 4.0.0 removes, unless that is asked for."""

    def __init__(
        self,
        deprecated_too: bool = False,  # until 4.0.0
    ) -> None:
        self._deprecated_too = deprecated_too  # until 4.0.0
        self._modules: dict[str, Module | None] = {}
        self._found: dict[tuple[str, str], Public] = {}

    def public(self) -> list[Public]:
        """Everything public, in the order of the pages."""
        for name in sorted(self._rooms(), key=lambda name: (name.count("."), name)):
            module = self.module(name)
            for each in module.exports if module else ():
                self._add(name, each, f"{name}.{each}")
        for path in (f"{PACKAGE}.{path}" for path in NAMED_BY_DOCUMENTS):
            home, _, name = path.rpartition(".")
            self._add(home, name, path)
        for module in self._errors():
            for name, node in module.defined.items():
                if isinstance(node, ast.ClassDef):
                    self._add(module.name, name, f"{module.name}.{name}")
        pages = {page.slug: number for number, page in enumerate(PAGES)}
        return sorted(self._found.values(), key=lambda each: (pages[each.page.slug], each.rank))

    def module(self, name: str) -> Module | None:
        """One of the package's modules; None if it has none of that name."""
        if name not in self._modules:
            path = ROOT.joinpath("src", *name.split("."))
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            source = self._source(path) if path.exists() else None
            self._modules[name] = None if source is None else Module(name, source)
        return self._modules[name]

    def _source(self, path: Path) -> str | None:
        # until 4.0.0
        if not self._deprecated_too:
            return without_marked(path.read_text(encoding="utf-8"))
        # end
        return path.read_text(encoding="utf-8")

    def resolve(self, module: str, name: str) -> tuple[Module, Definition] | None:
        """Where a name of a module is at home; None if that is not in this package."""
        found = self.module(module)
        if found is None or not module.startswith(PACKAGE):
            return None
        if name in found.defined:
            return found, found.defined[name]
        return self.resolve(*found.imported[name]) if name in found.imported else None

    def constant(self, module: str, owner: str, name: str) -> tuple[Module, Definition] | None:
        """Where a constant of a class is defined; None for members of enumerations."""
        found = self.resolve(module, owner)
        if not found or not isinstance(found[1], ast.ClassDef) or is_enum(found[1]):
            return None
        constants = (each for each in members(found[1]) if name_of(each) == name)
        return next(((found[0], each) for each in constants), None)

    def _rooms(self) -> Iterator[str]:
        """Packages, and the modules that stand beside them in `bedrock`."""
        source = ROOT / "src"
        package = source / PACKAGE
        for path in [*package.rglob("__init__.py"), *(package / "bedrock").glob("*.py")]:
            parts = path.relative_to(source).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if not any(part.startswith("_") for part in parts):
                yield ".".join(parts)

    def _errors(self) -> Iterator[Module]:
        folder = ROOT / "src" / PACKAGE / "bedrock" / "exceptions"
        for path in sorted(folder.glob("*_exceptions.py")):
            module = self.module(f"{PACKAGE}.bedrock.exceptions.{path.stem}")
            if module:
                yield module

    def _add(self, module: str, name: str, path: str | None = None) -> None:
        found = self.resolve(module, name)
        if found is None:
            return
        home, node = found
        if (known := self._found.get((home.name, name))) is None:
            offered = path or f"{home.name}.{name}"
            self._found[home.name, name] = Public(name, offered, home, node, exported=bool(path))
            for each in sorted(_names(node)):
                self._add(home.name, each)
        elif path and not known.exported:
            self._found[home.name, name] = Public(name, path, home, node, exported=True)


@cache
def library() -> Library:
    """What stays, read once."""
    return Library()


@cache
def public() -> tuple[Public, ...]:
    """Everything public that stays."""
    return tuple(library().public())


# until 4.0.0
@cache
def everything() -> tuple[Public, ...]:
    """Everything public, with what 4.0.0 removes."""
    return tuple(Library(deprecated_too=True).public())


# end


def members(node: ast.ClassDef) -> Iterator[Definition]:
    """What a class offers: fields, constants, methods and properties, in the order of the source."""
    for each in node.body:
        match each:
            case ast.FunctionDef(name=name):
                setter = any(isinstance(mark, ast.Attribute) for mark in each.decorator_list)
                if name in PROTOCOL or not (name.startswith("_") or setter):
                    yield each
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                if not name.startswith("_"):
                    yield each
            case _:
                pass


def imports(entries: Iterable[Public]) -> str:
    """Where to import each of these from, as a block of Python in Markdown."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        if entry.can_be_imported:
            names.setdefault(entry.path.rpartition(".")[0], []).append(entry.name)
    lines = [
        line
        for module, offered in sorted(names.items(), key=lambda item: (item[0].count("."), item))
        for line in _import(module, sorted(offered))
    ]
    return "\n".join(["```python", *lines, "```"])


def _import(module: str, names: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def remarks(entries: Iterable[Public]) -> list[str]:
    """What their modules say after their first sentence, as Markdown."""
    modules = dict.fromkeys(entry.module for entry in entries)
    told = (ast.get_docstring(module.tree) or "" for module in modules)
    rests = (text.partition("\n\n")[2] for text in told)
    return [LITERAL.sub(_fenced, rest).strip() for rest in rests if rest]


def _fenced(found: re.Match[str]) -> str:
    return f"```text\n{textwrap.dedent(found[1]).strip()}\n```\n\n"


def name_of(node: Definition) -> str:
    """The name that a definition binds."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return node.name
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def is_enum(node: Definition) -> bool:
    """Whether it is an enumeration."""
    made_from = node.bases if isinstance(node, ast.ClassDef) else []
    return any(isinstance(base, ast.Name) and base.id == "Enum" for base in made_from)


def value(module: str, node: ast.expr) -> ast.expr:
    """What an expression of a module stands for, if that is a constant of the package.

    Members of enumerations say more than their values.
    """
    match node:
        case ast.Name(id=name):
            found = library().resolve(module, name)
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            found = library().constant(module, owner, name)
        case ast.Call(func=ast.Name(id=name), args=[given]) if name.startswith("_"):
            return value(module, given)
        case _:
            return node
    if found and isinstance(found[1], (ast.Assign, ast.AnnAssign)) and found[1].value:
        return value(found[0].name, found[1].value)
    return node


def docstring(node: Definition) -> str:
    """What a definition says about itself; empty if nothing."""
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return ""
    return ast.get_docstring(node) or ""


def _names(node: Definition) -> set[str]:
    """What the signatures of a definition and its members, its bases and its docstrings name."""
    found: set[str] = set()
    for part in _signature(node):
        for each in ast.walk(part):
            if isinstance(each, ast.Name):
                found.add(each.id)
            elif isinstance(each, ast.Constant) and isinstance(each.value, str):
                found.update(re.findall(r"[A-Za-z_]\w*", each.value))
    for told in [node, *(members(node) if isinstance(node, ast.ClassDef) else ())]:
        found.update(re.findall(r"`([A-Za-z]\w*)[`.]", docstring(told)))
        found.update(re.findall(r"^ +([A-Z]\w+Error):", docstring(told), re.MULTILINE))
    return found


def _signature(node: Definition) -> Iterator[ast.expr]:
    """The parts of a definition that name types."""
    match node:
        case ast.ClassDef():
            yield from node.bases
            for member in members(node):
                if not isinstance(member, ast.Assign):
                    yield from _signature(member)
        case ast.FunctionDef():
            given = node.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            yield from (each.annotation for each in named if each and each.annotation)
            yield from [node.returns] if node.returns else []
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias"), value=ast.expr() as value):
            yield value
        case ast.AnnAssign():
            yield node.annotation
        case ast.Assign():
            yield node.value
