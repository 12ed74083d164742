"""Draws the ratios of docs/performance.md as docs/images/performance.svg.

    python scripts/performance_chart.py            writes the picture
    python scripts/performance_chart.py --check    says whether it shows what the document says

The picture has colours of its own for dark and for light surroundings, and its own ground in both.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "performance.svg"

# What is shown, and with which words its row begins in the document. In all of them less is better.
ROWS = {
    "converse, one thread": "`converse`, one thread, the session's region",
    "converse, another region": "`converse`, one thread, another region",
    "stream, per event": "stream, per event",
    "process start to first answer": "from the start of the process to the first answer",
    "1,000 requests, 64 in flight: wall": "wall, library / bare",
    "the same: CPU per request": "CPU per request, library / bare",
    "listing 31 regions, 50 ms a call": "50 ms",
}
_RATIO = re.compile(r"(\d+\.\d+) \((\d+\.\d+) to (\d+\.\d+)\)")

_WIDTH, _LEFT, _RIGHT = 760, 270, 590
_TOP, _STEP = 84, 34
_LOWEST, _HIGHEST = 0.4, 1.4
_STYLE = """
    svg { --ground: #ffffff; --ink: #1f2328; --pale: #59636e; --line: #d1d9e0; --mark: #0969da }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #151b23; --ink: #f0f6fc; --pale: #9198a1; --line: #3d444d; --mark: #4493f8 }
    }
    text { font: 13px -apple-system, "Segoe UI", "DejaVu Sans", Arial, sans-serif; fill: var(--ink) }
    .title { font-size: 15px; font-weight: 600 }
    .pale { fill: var(--pale) }
    .ground { fill: var(--ground); stroke: var(--line) }
    .grid { stroke: var(--line) }
    .one { stroke: var(--pale); stroke-dasharray: 4 3 }
    .range { stroke: var(--mark); stroke-width: 3; stroke-linecap: round }
    .median { fill: var(--mark); stroke: var(--ground); stroke-width: 1.5 }
"""


class Ratio(NamedTuple):
    """A median with its quartiles, as the document has them."""

    median: float
    low: float
    high: float


def ratios(text: str) -> dict[str, Ratio]:
    """The label of each row to its ratio, read from the tables of the document.

    Raises:
        ValueError: The document has no such row, or no ratio in it.
    """
    found = {}
    for label, beginning in ROWS.items():
        line = next((x for x in text.splitlines() if x.startswith(f"| {beginning}")), "")
        cells = [match for cell in line.split("|")[2:] if (match := _RATIO.match(cell.strip()))]
        if not cells:
            raise ValueError(f"{SOURCE.name} has no ratio in a row that begins with {beginning!r}")
        found[label] = Ratio(*map(float, cells[0].groups()))
    return found


def draw(values: dict[str, Ratio]) -> str:
    """The picture as SVG.

    Raises:
        ValueError: A value is outside of the scale.
    """
    for label, ratio in values.items():
        if not all(_LOWEST <= value <= _HIGHEST for value in ratio):
            raise ValueError(f"{label!r} is {ratio}: the scale is {_LOWEST} to {_HIGHEST}")
    height = _TOP + len(values) * _STEP + 40
    bottom = _TOP + len(values) * _STEP - 8
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title desc">'
        ),
        '<title id="title">The library against bare boto3</title>',
        f'<desc id="desc">{escape(described(values))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>',
        '<text class="title" x="24" y="32">Time and CPU of the library / of bare boto3</text>',
        '<text class="pale" x="24" y="53">median and quartiles; 1 is bare boto3, less is better</text>',
    ]
    for tick in (0.4, 0.6, 0.8, 1.0, 1.2, 1.4):
        kind = "one" if tick == 1 else "grid"
        parts.append(_line(kind, _x(tick), _TOP - 14, _x(tick), bottom))
        parts.append(_text(f"{tick:.1f}", _x(tick), bottom + 20, "middle", "pale"))
    for number, (label, ratio) in enumerate(values.items()):
        parts += _row(label, ratio, _TOP + number * _STEP + 4)
    return "\n".join([*parts, "</svg>", ""])


def described(values: dict[str, Ratio]) -> str:
    return "; ".join(f"{label}: {ratio.median:.2f}" for label, ratio in values.items())


def _row(label: str, ratio: Ratio, y: float) -> list[str]:
    figures = f"{ratio.median:.2f}  ({ratio.low:.2f} to {ratio.high:.2f})"
    return [
        _text(label, _LEFT - 16, y + 4, "end"),
        _line("range", _x(ratio.low), y, _x(ratio.high), y),
        f'<circle class="median" cx="{_x(ratio.median)}" cy="{y}" r="6"/>',
        _text(figures, _RIGHT + 16, y + 4, "start"),
    ]


def _x(ratio: float) -> float:
    share = (ratio - _LOWEST) / (_HIGHEST - _LOWEST)
    return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(text: str, x: float, y: float, anchor: str, kind: str = "") -> str:
    css = f' class="{kind}"' if kind else ""
    return f'<text{css} x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def main() -> int:
    """Exit status: 1 if `--check` finds another picture than the document asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    checks = parser.parse_args().check
    picture = draw(ratios(SOURCE.read_text(encoding="utf-8")))
    if not checks:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(picture, encoding="utf-8")
        return 0
    is_current = PICTURE.exists() and PICTURE.read_text(encoding="utf-8") == picture
    print(f"{PICTURE.relative_to(ROOT)} is {'current' if is_current else 'not current'}")
    return 0 if is_current else 1


if __name__ == "__main__":
    sys.exit(main())
