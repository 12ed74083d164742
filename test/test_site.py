"""Tests what the site is made of: its navigation, its links, its reference; and `llms.txt`."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import public_api

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
INDEX = (ROOT / "llms.txt").read_text(encoding="utf-8")
SETTINGS = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
NAVIGATION = re.findall(r": (\S+\.md)", SETTINGS.partition("\nnav:\n")[2])
FOR_MODELS = "forLLMConsumption.md"
LINK = re.compile(r"^- \[[^\]]+\]\(([^)]+)\): \S", re.MULTILINE)


@pytest.fixture
def hooks() -> ModuleType:
    pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
    import site_hooks

    return site_hooks


def test_the_index_for_language_models_has_its_form() -> None:
    head, *sections = re.split(r"^## .+\n\n", INDEX, flags=re.MULTILINE)
    assert re.match(r"# bestehorn-llmmanager\n\n> \S", head)
    assert len(sections) > 3
    for section in sections:
        lines = [line for line in section.splitlines() if line and not line.startswith("  ")]
        assert len(LINK.findall(section)) == len(lines) > 0


def test_the_index_for_language_models_links_what_is_there() -> None:
    links = LINK.findall(INDEX)
    assert links[0] == f"docs/{FOR_MODELS}"
    assert [link for link in links if not (ROOT / link).is_file()] == []
    assert len(set(links)) == len(links)
    documents = {f"docs/{path.name}" for path in ROOT.glob("docs/*.md")}
    assert documents - set(links) == set()


def test_the_navigation_names_each_page_once() -> None:
    documents = {path.name for path in ROOT.glob("docs/*.md")} - {FOR_MODELS}
    examples = {f"examples/{path.name}.md" for path in ROOT.glob("examples/*.py")}
    examples |= {f"notebooks/{path.name}.md" for path in ROOT.glob("notebooks/*.ipynb")}
    reference = {f"reference/{page.slug}.md" for page in public_api.PAGES}
    others = {"index.md", "CHANGELOG.md", "CONTRIBUTING.md"}
    others |= {"examples/LAMBDA_EXAMPLES_README.md", "scripts/benchmarks/README.md"}
    assert sorted(NAVIGATION) == sorted(documents | examples | reference | others)


def test_files_of_the_repository_have_their_places_on_the_site(hooks: ModuleType) -> None:
    names = hooks.outside()
    assert {"README.md", "CHANGELOG.md", "examples/quickstart.py"} <= names
    # Nothing names it but another file that is outside of docs/.
    assert "examples/template.yaml" in names
    assert all((ROOT / name).is_file() for name in names)
    places = {hooks.place(name) for name in names}
    assert len(places) == len(names)
    pages = {place for place in NAVIGATION if not (ROOT / "docs" / place).exists()}
    assert {page for page in pages if not page.startswith("reference/")} <= places


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("index.md", "docs/caching.md", "caching.md"),
        ("index.md", "docs/images/performance.svg", "images/performance.svg"),
        ("index.md", "docs/forLLMConsumption.md", "forLLMConsumption.txt"),
        ("index.md", "llms.txt", "llms.txt"),
        ("index.md", "#install", "#install"),
        ("caching.md", "security.md#permissions", "security.md#permissions"),
        ("caching.md", "../README.md#install", "index.md#install"),
        ("howto.md", "../examples/quickstart.py", "examples/quickstart.py.md"),
        ("examples/LAMBDA_EXAMPLES_README.md", "template.yaml", "template.yaml.md"),
        ("examples/LAMBDA_EXAMPLES_README.md", "../docs/howto.md#a", "../howto.md#a"),
        ("index.md", "https://example.com/docs/howto.md", "https://example.com/docs/howto.md"),
        # mkdocs complains of it.
        ("index.md", "docs/nothing.md", "docs/nothing.md"),
    ],
)
def test_a_link_leads_to_where_its_file_stands_on_the_site(
    hooks: ModuleType, page: str, link: str, expected: str
) -> None:
    assert on_site(hooks, page, f"A [b]({link}), c.\n") == f"A [b]({expected}), c.\n"


def test_comments_are_left_out_but_for_those_that_a_block_shows(hooks: ModuleType) -> None:
    shown = "```\n<!-- kept -->\n[a](docs/caching.md)\n```\n"
    hidden = "<!-- invisible-code-block: python\nx = 1\n\ny = 2\n-->\n"
    assert on_site(hooks, "index.md", f"A\n\n{hidden}{shown}B <!-- no --> C\n") == (
        f"A\n\n{shown}B  C\n"
    )


def on_site(hooks: ModuleType, source: str, text: str) -> str:
    from mkdocs.structure.files import File, Files

    def file(name: str) -> Any:
        return File(name, str(ROOT / "docs"), str(ROOT / "site"), use_directory_urls=False)

    documents = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.*")]
    names = (*hooks.outside(), f"docs/{FOR_MODELS}", "llms.txt")
    others = [hooks.place(name) for name in names]
    there = Files([file(name) for name in (*documents, *others)])
    page = SimpleNamespace(file=file(source))
    return str(hooks.on_page_markdown(text, page=page, config=None, files=there))


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Run it, test it", "run-it-test-it"),
        ("What do I call for this model, here?", "what-do-i-call-for-this-model-here"),
        ("`timeout` — a deadline", "timeout--a-deadline"),
        ("From 0.9.0 to 3.0", "from-090-to-30"),
        ("Straße_und Weg", "straße_und-weg"),
    ],
)
def test_anchors_are_those_of_github(hooks: ModuleType, heading: str, anchor: str) -> None:
    assert hooks.slug(heading, "-") == anchor


def test_a_site_without_something_public_is_refused(hooks: ModuleType, tmp_path: Path) -> None:
    from mkdocs.exceptions import PluginError

    (tmp_path / "reference").mkdir()
    for page in public_api.PAGES:
        text = "".join(f'<h2 id="{each}">' for each in hooks.identifiers(page))
        (tmp_path / "reference" / f"{page.slug}.html").write_text(text, encoding="utf-8")
    hooks.on_post_build(SimpleNamespace(site_dir=str(tmp_path)))
    built = tmp_path / "reference" / "manager.html"
    missing = "bestehorn_llmmanager.llm_manager.LLMManager.converse"
    built.write_text(
        built.read_text(encoding="utf-8").replace(f'"{missing}"', '""'), encoding="utf-8"
    )
    with pytest.raises(PluginError, match=rf"nothing about {re.escape(missing)}$"):
        hooks.on_post_build(SimpleNamespace(site_dir=str(tmp_path)))


def test_the_index_on_the_site_has_the_addresses_of_the_site(hooks: ModuleType) -> None:
    addresses = LINK.findall(hooks.index())
    assert len(addresses) == len(LINK.findall(INDEX))
    assert addresses[:2] == ["forLLMConsumption.txt", "index.html"]
    assert "examples/quickstart.py.html" in addresses
    pages = {Path(page).with_suffix(".html").as_posix() for page in NAVIGATION}
    assert set(addresses[1:]) <= pages
