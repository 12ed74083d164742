"""Lets mkdocstrings read the docstrings and the dataclasses of this package as they are meant."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import griffe

import public_api

if TYPE_CHECKING:
    from griffe import Function, Module, Object

EXAMPLE = re.compile(r"^>>> .*?(?=\n[ ]*\n|\Z)", re.DOTALL | re.MULTILINE)
NAMES = re.compile(r"`([A-Z]\w+)`")


class Docstrings(griffe.Extension):  # type: ignore[misc,unused-ignore]  # griffe comes with the extra `docs` alone
    """Recognises examples without a heading, dataclasses and constants; links names of classes."""

    def on_module_members(self, *, mod: Module, **_: Any) -> None:
        """`_dataclass` makes what `dataclasses` would."""
        for name in ("dataclass", "field"):
            found = mod.members.get(name)
            if found and found.is_alias:
                mod.set_member(name, griffe.Alias(name, f"dataclasses.{name}", parent=mod))

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Mark examples as such, and let names of public classes lead to them."""
        if obj.docstring:
            text = EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
            obj.docstring.value = NAMES.sub(_linked, text)

    def on_function(self, *, func: Function, **_: Any) -> None:
        """Show constants of the package by their values."""
        for parameter in func.parameters:
            if isinstance(parameter.default, griffe.Expr):
                node = ast.parse(str(parameter.default), mode="eval").body
                shown = public_api.value(func.module.path, node)
                parameter.default = parameter.default if shown is node else ast.unparse(shown)


def _linked(found: re.Match[str]) -> str:
    to = _classes().get(found[1])
    return f"[{found[0]}][{to}]" if to else found[0]


@cache
def _classes() -> dict[str, str]:
    """Where each public class is described; errors of that name last."""
    offered = public_api.public()
    offered = public_api.everything()  # until 4.0.0
    return {each.name: each.identifier for each in reversed(offered) if each.name[0].isupper()}
