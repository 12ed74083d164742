"""Makes HTML of which nothing but its own tags is markup: whatever text comes in is escaped."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Tints over whatever the page has behind them, and the page's own colours where one must be
# opaque: readable in light and dark themes. Names are those of JupyterLab and VS Code.
_STYLE = """
.blm{font-size:13px;line-height:1.45;max-width:100%;overflow-x:auto;
--blm-ink:var(--jp-content-font-color1,var(--vscode-editor-foreground,CanvasText));
--blm-paper:var(--jp-layout-color0,var(--vscode-editor-background,Canvas));
--blm-line:rgba(128,128,128,.3);color:var(--blm-ink);background:var(--blm-paper)}
.blm.blm table{border-collapse:collapse;border:0;margin:.3em 0;font-size:inherit;table-layout:auto}
.blm.blm.blm tr,.blm.blm td,.blm.blm th{background:none;color:inherit}
.blm.blm td,.blm.blm th{padding:1px 8px 1px 4px;border:0;border-bottom:1px solid var(--blm-line);
text-align:left;vertical-align:top;font-weight:normal;max-width:none}
.blm.blm th{font-weight:600;white-space:nowrap}
.blm.blm td.id{min-width:17em}
.blm.blm td.where{min-width:13em}
.blm.blm .id{font-family:monospace;font-size:12px;overflow-wrap:anywhere}
.blm.blm .dim{opacity:.75;font-size:12px}
.blm.blm .n{text-align:right;white-space:nowrap}
.blm.blm .d,.blm.blm .ok{background:rgba(46,160,67,.35)}
.blm.blm .r{background:rgba(56,139,253,.35)}
.blm.blm .g{background:rgba(163,113,247,.3)}
.blm.blm .bad{background:rgba(219,109,40,.5)}
.blm.blm .lane{min-width:9em;width:30%}
.blm.blm .bar{display:block;height:.8em;min-width:2px;margin-top:.3em}
.blm .matrix{max-height:36em;max-width:100%;overflow:auto;display:inline-block}
.blm.blm .matrix table{border-collapse:separate;border-spacing:0;margin:0}
.blm.blm .matrix td{min-width:2.6em;padding:1px 2px;font-size:11px;text-align:center;
border-right:1px solid var(--blm-line)}
.blm.blm .matrix th{position:sticky;left:0;z-index:1;background:var(--blm-paper);font-weight:normal;
max-width:15em;overflow:hidden;text-overflow:ellipsis}
.blm.blm .matrix thead th{top:0;left:auto;z-index:2;padding:4px 2px;vertical-align:bottom}
.blm.blm .matrix thead th:first-child{left:0;z-index:3;padding-right:8px}
.blm.blm .matrix thead span{writing-mode:vertical-rl;transform:rotate(180deg)}
.blm.blm .matrix th.group{font-weight:600;padding-top:.5em}
"""

# As `html.escape` does; the package imports nothing from where the parser lives.
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

_LONGEST_TEXT = 2_000
_LONGEST_NAME = 100
_SECOND = 1000.0
_SHORT = 10.0
_LARGEST = 10**15  # larger ones may be no floats


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def cut(text: object, most: int = _LONGEST_NAME) -> str:
    """`text` as a string of at most `most` characters."""
    whole = str(text)
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def tag(name: str, *children: object, **attributes: str) -> Markup:
    """One element; children that are not `Markup` are cut and escaped, None is left out.

    Args:
        name: The element.
        children: What it contains.
        attributes: Its attributes; `class_` stands for ``class``.
    """
    written = "".join(
        f' {key.rstrip("_")}="{value.translate(_ESCAPED)}"'
        for key, value in attributes.items()
        if value
    )
    content = "".join(_written(child) for child in children if child is not None)
    return Markup(f"<{name}{written}>{content}</{name}>")


def _written(child: object) -> str:
    # What cannot be encoded would make the whole notebook impossible to save.
    if isinstance(child, Markup):
        return child
    return cut(child, _LONGEST_TEXT).translate(_ESCAPED).encode(errors="replace").decode()


def join(parts: Iterable[Markup]) -> Markup:
    return Markup("".join(parts))


def page(title: str, note: object, *content: Markup) -> str:
    """What is shown for one object: a heading, a remark beside it, then `content`."""
    heading = tag("div", tag("b", title), " ", tag("span", note, class_="dim"))
    return tag("div", tag("style", Markup(_STYLE)), heading, *content, class_="blm")


def facts(rows: Iterable[tuple[str, object]]) -> Markup:
    """A table of names and values; those that are None or empty are left out."""
    return tag(
        "table",
        *(
            tag("tr", tag("th", name, scope="row"), tag("td", value))
            for name, value in rows
            if value not in (None, "")
        ),
    )


def header(*names: str) -> Markup:
    cells = (tag("th", name, scope="col") for name in names)
    return tag("thead", tag("tr", *cells))


def bar(start: float, length: float, whole: float, kind: str) -> Markup:
    """A bar in a lane that is `whole` long."""
    share = 100 / whole if whole > 0 else 0.0
    left, width = min(start * share, 99.0), min(length * share, 100.0)
    place = f"margin-left:{left:.1f}%;width:{min(width, 100 - left):.1f}%"
    return tag("td", tag("span", class_=f"bar {kind}", style=place), class_="lane")


def number(value: object) -> float:
    """`value` if it is a finite number from 0 on, else 0."""
    if not isinstance(value, (int, float)) or (isinstance(value, float) and not isfinite(value)):
        return 0.0
    return float(min(max(value, 0), _LARGEST))


def milliseconds(value: object) -> str | None:
    """A duration in words; None where it is not known."""
    if value is None:
        return None
    known = number(value)
    if known >= _SECOND:
        return f"{known / _SECOND:.2f} s"
    return f"{known:.1f} ms" if known < _SHORT else f"{known:.0f} ms"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(items: Iterable[object], most: int) -> str:
    """The first `most` of `items`, and how many there are besides."""
    texts = [cut(item, 40) for item in items]
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more:,} more" if more > 0 else "")
