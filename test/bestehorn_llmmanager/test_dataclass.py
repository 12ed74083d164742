"""The frozen dataclasses of the cold start, beside those that `dataclasses` makes of the same text."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import Any

import pytest

from bestehorn_llmmanager import _dataclass
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile, ModelFacts

SOURCE = '''
@dataclass(frozen=True{options})
class Value:
    """Something."""

    name: str
    count: int = 3
    tags: list[str] = field(default_factory=list)

    def __post_init__(self):
        if self.count < 0:
            raise ValueError("count")

    @property
    def double(self):
        return self.count * 2
'''


def both(options: str = "") -> tuple[Any, Any]:
    """The same class, made by us and made by `dataclasses`."""
    made = []
    for module in (_dataclass, dataclasses):
        namespace = {"dataclass": module.dataclass, "field": module.field, "__name__": __name__}
        code = compile(SOURCE.format(options=options), "value", "exec", dont_inherit=True)
        exec(code, namespace)
        made.append(namespace["Value"])
    return made[0], made[1]


ARGUMENTS = [
    (("a",), {}),
    (("a", 5), {}),
    (("a",), {"tags": ["x"]}),
    ((), {"name": "a", "count": 0, "tags": []}),
]


@pytest.mark.parametrize(("args", "kwargs"), ARGUMENTS)
def test_objects_have_the_same_fields_and_text(args: Any, kwargs: Any) -> None:
    ours, theirs = both()
    assert vars(ours(*args, **kwargs)) == vars(theirs(*args, **kwargs))
    assert repr(ours(*args, **kwargs)) == repr(theirs(*args, **kwargs))
    assert ours(*args, **kwargs).double == theirs(*args, **kwargs).double


@pytest.mark.parametrize(
    ("args", "kwargs", "error"),
    [((), {}, TypeError), (("a", 1, [], 2), {}, TypeError), (("a", -1), {}, ValueError)],
)
def test_wrong_arguments_are_refused_alike(args: Any, kwargs: Any, error: type[Exception]) -> None:
    for cls in both():
        with pytest.raises(error):
            cls(*args, **kwargs)


def test_the_constructor_has_the_same_signature() -> None:
    ours, theirs = both()
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))


def test_keyword_only_fields_take_no_position() -> None:
    for cls in both(", kw_only=True"):
        assert cls(name="a").count == 3
        with pytest.raises(TypeError):
            cls("a")


def test_equal_values_are_equal_and_other_classes_are_not() -> None:
    ours, theirs = both()
    for cls in (ours, theirs):
        assert cls("a") == cls("a")
        assert cls("a") != cls("b")
    assert ours("a") != theirs("a")
    assert ours("a") != "a"


def test_the_hash_is_that_of_the_fields() -> None:
    one = InferenceProfile("us.x", "X", "us", routes=(), status="ACTIVE")  # type: ignore[arg-type]  # hashable on purpose
    assert hash(one) == hash(dataclasses.replace(one))
    with pytest.raises(TypeError):
        hash(InferenceProfile("us.x", "X", "us", routes={}))


def test_a_default_list_is_made_anew() -> None:
    for cls in both():
        assert cls("a").tags is not cls("a").tags


def test_fields_cannot_be_set_or_deleted() -> None:
    for cls in both():
        value = cls("a")
        with pytest.raises(dataclasses.FrozenInstanceError):
            value.name = "b"
        with pytest.raises(dataclasses.FrozenInstanceError):
            del value.name


def test_the_functions_of_dataclasses_work_on_it() -> None:
    ours, theirs = both()
    is_dataclass: Any = dataclasses.is_dataclass  # not as the type guard that it also is
    assert is_dataclass(ours)
    assert is_dataclass(ours("a"))
    assert ours.__dataclass_params__.frozen
    names = [(f.name, f.default, f.default_factory) for f in dataclasses.fields(ours)]
    assert names == [(f.name, f.default, f.default_factory) for f in dataclasses.fields(theirs)]
    assert dataclasses.asdict(ours("a")) == dataclasses.asdict(theirs("a"))
    assert dataclasses.astuple(ours("a")) == dataclasses.astuple(theirs("a"))
    assert dataclasses.replace(ours("a"), count=9) == ours("a", 9)


def test_our_replace_is_that_of_dataclasses() -> None:
    facts = ModelFacts(as_of="2026-10-27", max_output_tokens=5)
    changed = _dataclass.replace(facts, max_output_tokens=6)
    assert changed == dataclasses.replace(facts, max_output_tokens=6)
    with pytest.raises(ValueError, match="No access method"):
        _dataclass.replace(ModelAccessInfo("r", True, model_id="m"), has_direct_access=False)


def test_a_subclass_may_be_an_ordinary_dataclass() -> None:
    @dataclasses.dataclass(frozen=True)
    class Priced(ModelFacts):
        currency: str = "USD"

    assert Priced("2026-10-27", 5).currency == "USD"
    assert [f.name for f in dataclasses.fields(Priced)][-1] == "currency"


@pytest.mark.parametrize(
    "travel", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_values_travel(travel: Any) -> None:
    value = InferenceProfile("us.x", "X", "us", {"us-east-1": ["us-east-1"]})
    assert travel(value) == value


def test_only_frozen_classes_are_made() -> None:
    with pytest.raises(TypeError, match="frozen"):
        _dataclass.dataclass(frozen=False)


def test_making_and_using_them_imports_neither_dataclasses_nor_inspect() -> None:
    program = (
        "import sys\n"
        "from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo\n"
        "a = ModelAccessInfo('r', True, model_id='m')\n"
        "assert a == ModelAccessInfo('r', True, model_id='m') and repr(a) and hash(a)\n"
        "assert not {'dataclasses', 'inspect'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
