"""Makes a site of the documents as they stand in the repository; mkdocs.yml names it.

What stands outside of docs/ becomes pages: README, changelog, examples, whatever a document links.
Each page of `public_api` becomes one of the reference. What tests read in comments is left out.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

import public_api
from public_api import PAGES, ROOT, Public, docstring, is_enum, members, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

OUTSIDE = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "examples/*.md",
    "examples/*.py",
    "notebooks/*.ipynb",
)
LANGUAGES = {".py": "python", ".yaml": "yaml"}
# The start page is alone in its part of the navigation; a program has one heading.
ALONE = "---\nhide: [navigation]\n---\n"
HIDE_TOC = "---\nhide: [toc]\n---\n"
LLM_INDEX = "llms.txt"
LLM_FULL = "docs/forLLMConsumption.md"
# A fence stays as it is; comments and links count outside of one.
PARTS = re.compile(
    r"(?P<fence>^```.*?^```$)|(?P<comment><!--.*?-->\n?)"
    r"|\]\((?P<target>[^)\s:#]+)(?P<anchor>#[^)\s]*)?\)",
    re.DOTALL | re.MULTILINE,
)


def on_config(config: MkDocsConfig) -> None:
    """Give headings the anchors that they have on GitHub."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug


def slug(heading: str, separator: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add what does not stand in docs/."""
    for name in sorted(outside()):
        files.append(File.generated(config, place(name), content=_page_of(name)))
    for page in PAGES:
        files.append(File.generated(config, f"reference/{page.slug}.md", content=_reference(page)))
    files.append(File.generated(config, place(LLM_FULL), content=_read(LLM_FULL)))
    files.append(File.generated(config, LLM_INDEX, content=index()))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  (mkdocs calls it by these names)
    """Leave comments out, and let links lead to where a file stands on the site."""
    source = page.file.src_uri
    name = _name(source)

    def replaced(found: re.Match[str]) -> str:
        if not found["target"]:
            return found["fence"] or ""
        to = place(_resolved(name, found["target"]))
        if files.get_file_from_path(to) is None:
            return found[0]  # mkdocs will say so
        return f"]({posixpath.relpath(to, posixpath.dirname(source))}{found['anchor'] or ''})"

    return PARTS.sub(replaced, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site whose reference lacks something public."""
    site = Path(config.site_dir)
    missing = []
    for page in PAGES:
        built = (site / "reference" / f"{page.slug}.html").read_text(encoding="utf-8")
        missing += [each for each in identifiers(page) if f'id="{each}"' not in built]
    if missing:
        raise PluginError(f"the reference has nothing about {', '.join(missing)}")


def outside() -> set[str]:
    """The files outside of docs/ that become pages."""
    found: set[str] = set()
    documents = {path for each in OUTSIDE for path in ROOT.glob(each)}
    added = {path.relative_to(ROOT).as_posix() for path in documents}
    added |= {to for path in ROOT.glob("docs/*.md") for to in _linked(f"docs/{path.name}")}
    while added:
        found |= added
        added = {to for name in added if name.endswith(".md") for to in _linked(name)} - found
    return found


def _linked(name: str) -> Iterator[str]:
    """The files outside of docs/ that a document links."""
    for found in PARTS.finditer(_read(name)):
        to = _resolved(name, found["target"]) if found["target"] else ""
        if not to.startswith("docs/") and to != LLM_INDEX and (ROOT / to).is_file():
            yield to


def _resolved(name: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


def place(name: str) -> str:
    """What mkdocs calls a file of the repository."""
    if name == "README.md":
        return "index.md"
    if name == LLM_INDEX:
        return name
    if name == LLM_FULL:
        return Path(name).with_suffix(".txt").name
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    return name if name.endswith(".md") else f"{name}.md"


def _name(source: str) -> str:
    """The opposite of `place`."""
    if source == "index.md":
        return "README.md"
    return f"docs/{source}" if (ROOT / "docs" / source).exists() else source


def _page_of(name: str) -> str:
    path = Path(name)
    if path.suffix == ".md":
        return f"{ALONE}{_read(name)}" if name == "README.md" else _read(name)
    if path.suffix == ".ipynb":
        return _notebook(name)
    language = LANGUAGES.get(path.suffix, "text")
    return f"{HIDE_TOC}# {path.name}\n\n```{language}\n{_read(name).rstrip()}\n```\n"


def _notebook(name: str) -> str:
    parts = []
    for cell in json.loads(_read(name))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [_output(output) for output in cell.get("outputs", ())]
    return "\n\n".join(parts)


def _output(output: dict[str, Any]) -> str:
    """What a cell shows: as HTML, where its objects have that."""
    data = output.get("data", {})
    if "text/html" in data:
        # A blank line ends HTML in Markdown.
        html = re.sub(r"\n\s*\n", "\n", "".join(data["text/html"]))
        return f'<div class="output">{html}</div>'
    text = "".join(output.get("text") or data.get("text/plain", ()))
    return f"```{{.text .output}}\n{text.rstrip()}\n```"


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _entries(page: public_api.Page) -> list[Public]:
    offered = public_api.public()
    offered = public_api.everything()  # until 4.0.0
    return [each for each in offered if each.page == page]


def _reference(page: public_api.Page) -> str:
    entries = _entries(page)
    parts = [f"# {page.title}", page.about, *public_api.remarks(entries)]
    return "\n\n".join([*parts, public_api.imports(entries), *map(_entry, entries)])


def _entry(public: Public) -> str:
    """What mkdocstrings is told of one object."""
    return f"::: {public.identifier}\n    options:\n      members: {_shown(public)}"


def _shown(public: Public) -> list[str]:
    """Methods, properties, and constants; a field stands in the docstring if that names it."""
    node = public.node
    if not isinstance(node, ast.ClassDef):
        return []
    told = [] if is_enum(node) else re.findall(r"^ +(\w+): ", docstring(node), re.MULTILINE)
    return [
        name_of(member)
        for member in members(node)
        if name_of(member)
        not in {"__init__", *(told if not isinstance(member, ast.FunctionDef) else ())}
    ]


def identifiers(page: public_api.Page) -> Iterator[str]:
    """The anchors that a page of the reference has to have."""
    for each in _entries(page):
        yield each.identifier
        yield from (f"{each.identifier}.{member}" for member in _shown(each))


def index() -> str:
    """`llms.txt` with the addresses of the site."""

    def replaced(found: re.Match[str]) -> str:
        if not found["target"]:
            return found[0]
        return f"]({place(found['target']).removesuffix('.md')}.html)".replace(".txt.html", ".txt")

    return PARTS.sub(replaced, _read(LLM_INDEX))
