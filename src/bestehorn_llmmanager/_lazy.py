"""Puts imports off until they are needed: of public names (PEP 562), and of `logging`."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
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


class _LazyLogger:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        import logging  # noqa: PLC0415

        return getattr(logging.getLogger(self._name), method)


def lazy_logger(name: str) -> logging.Logger:
    """``logging.getLogger(name)`` for the modules of a cold start that mostly have nothing to say.

    `logging` costs them five milliseconds.
    """
    logger: Any = _LazyLogger(name)
    return logger  # type: ignore[no-any-return]  # it has a logger's methods
