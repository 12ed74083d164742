"""Makes frozen dataclasses without importing `dataclasses` until somebody looks into one.

That import pulls in `inspect` and costs about 10 ms, and each class a further millisecond: more
than everything else that a cold start needs to answer from the catalogue. What is made here has
the same constructor, comparison, hash, `repr` and immutability; `dataclasses.fields`, `replace`,
`asdict` and `is_dataclass` work on it, because they get the real thing on first use.

Used where a cold start passes, and type checkers are shown the original:

    if TYPE_CHECKING:
        from dataclasses import dataclass, field, replace
    else:
        from bestehorn_llmmanager._dataclass import dataclass, field, replace
"""

from __future__ import annotations

import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Factory:
    """A default that is made anew for each object."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __repr__(self) -> str:
        return "<factory>"


def field(*, default_factory: Callable[[], Any]) -> Any:
    """As in `dataclasses`."""
    return _Factory(default_factory)


def replace(value: Any, /, **changes: Any) -> Any:
    """As in `dataclasses`, for what is made here."""
    return value.__class__(**{**vars(value), **changes})


def dataclass(*, frozen: bool, kw_only: bool = False) -> Callable[[type], type]:
    """As in `dataclasses`, for frozen classes with no base class of their own."""
    if not frozen:
        raise TypeError("only frozen classes are made here")

    def decorate(cls: type) -> type:
        names = tuple(cls.__annotations__)
        defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        setattr(cls, "__init__", _initializer(cls, names, defaults, kw_only=kw_only))  # noqa: B010
        setattr(cls, "__match_args__", () if kw_only else names)  # noqa: B010
        for name, default in defaults.items():
            if isinstance(default, _Factory):
                delattr(cls, name)
        for method in (*_methods(names), _refuse_set, _refuse_delete):
            if method.__name__ not in cls.__dict__:
                setattr(cls, method.__name__, method)
        original = _Original(defaults, kw_only=kw_only)
        cls.__dataclass_fields__ = _OnFirstUse(original, "__dataclass_fields__")  # type: ignore[attr-defined]  # the name that `dataclasses` looks for
        cls.__dataclass_params__ = _OnFirstUse(original, "__dataclass_params__")  # type: ignore[attr-defined]  # the same
        return cls

    return decorate


def _initializer(
    cls: type, names: tuple[str, ...], defaults: dict[str, Any], *, kw_only: bool
) -> Callable[..., None]:
    """A real `__init__`, so that signatures and error messages are those of any function."""
    parameters = [f"{name}=_{name}" if name in defaults else name for name in names]
    values = [
        f"_{name}.make() if {name} is _{name} else {name}"
        if isinstance(defaults.get(name), _Factory)
        else name
        for name in names
    ]
    assignments = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    lines = [
        f"def __init__(self, {'*, ' if kw_only else ''}{', '.join(parameters)}):",
        f"    self.__dict__.update({{{assignments}}})",
    ]
    if "__post_init__" in cls.__dict__:
        lines.append("    self.__post_init__()")
    namespace: dict[str, Any] = {f"_{name}": default for name, default in defaults.items()}
    exec("\n".join(lines), namespace)  # noqa: S102  (as `dataclasses` does; names are our own)
    function: Callable[..., None] = namespace["__init__"]
    function.__qualname__ = f"{cls.__qualname__}.__init__"
    function.__module__ = cls.__module__
    function.__annotations__ = {**cls.__annotations__, "return": None}
    return function


def _methods(names: tuple[str, ...]) -> tuple[Callable[..., Any], ...]:
    values = operator.attrgetter(*names)

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    def __repr__(self: Any) -> str:  # noqa: N807
        content = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({content})"

    return __eq__, __hash__, __repr__


def _refuse_set(self: Any, name: str, value: Any) -> None:  # noqa: ARG001
    from dataclasses import FrozenInstanceError  # noqa: PLC0415

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:  # noqa: ARG001
    from dataclasses import FrozenInstanceError  # noqa: PLC0415

    raise FrozenInstanceError(f"cannot delete field {name!r}")


_refuse_set.__name__ = "__setattr__"
_refuse_delete.__name__ = "__delattr__"


class _Original:
    """Makes the class that `dataclasses` would have made; only its descriptions are used."""

    def __init__(self, defaults: dict[str, Any], *, kw_only: bool) -> None:
        self._defaults = defaults
        self._kw_only = kw_only

    def make(self, cls: type) -> type:
        import dataclasses  # noqa: PLC0415

        namespace = {
            name: dataclasses.field(default_factory=default.make)
            if isinstance(default, _Factory)
            else default
            for name, default in self._defaults.items()
        }
        namespace |= {"__annotations__": dict(cls.__annotations__), "__module__": cls.__module__}
        make = dataclasses.dataclass(frozen=True, kw_only=self._kw_only)
        return make(type(cls.__name__, (), namespace))


class _OnFirstUse:
    """A class attribute that is made when it is first looked at."""

    def __init__(self, original: _Original, name: str) -> None:
        self._original = original
        self._name = name

    def __get__(self, _: object, cls: type) -> Any:
        original = self._original.make(cls)
        value = vars(original)[self._name]
        setattr(cls, self._name, value)
        return value
