"""Turns a table of public names into a module's `__getattr__` and `__dir__` (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def lazy_names(
    module_name: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make `module_name` import each public name on its first use.

    Args:
        module_name: The `__name__` of the module that offers the names.
        homes: Public name to the full path of the module that defines it. A name whose
            home is ``<module_name>.<name>`` is that submodule itself.

    Returns:
        `__getattr__` and `__dir__` for that module.
    """

    def load(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        __import__(home)  # `importlib` itself would cost a cold start half a millisecond
        module = sys.modules[home]
        value = module if home == f"{module_name}.{name}" else getattr(module, name)
        setattr(sys.modules[module_name], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[module_name]), *homes})

    return load, names
