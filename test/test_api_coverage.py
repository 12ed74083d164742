"""Tests that every member of Converse and ConverseStream that botocore knows is known to us, too.

`test/data/converse_members.json` has the members, with the values of enumerations, that somebody
looked at. ``python test/test_api_coverage.py`` records those of the installed botocore anew.
"""

from __future__ import annotations

import copy
import json
import re
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore
import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.builders.document_names import with_valid_document_names
from bestehorn_llmmanager.bedrock.builders.request_features import features_used
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.validators.converse_request import check_request
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator

    # botocore's shapes carry no types of their own.
    Shape = Any

OPERATIONS = ("Converse", "ConverseStream")
RECORD = Path(__file__).parent / "data" / "converse_members.json"
TEXT = {"text": "a"}
NOVA = "amazon.nova-lite-v1:0"


def service_description() -> dict[str, Any]:
    loaded: dict[str, Any] = create_loader().load_service_model("bedrock-runtime", "service-2")
    return loaded


def members(shape: Shape, place: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """The place of every member, and of every value of an enumeration, in `shape`."""
    if shape.type_name == "structure" and shape.name not in above:
        for name, member in shape.members.items():
            yield f"{place}.{name}"
            yield from members(member, f"{place}.{name}", (*above, shape.name))
    elif shape.type_name == "list":
        yield from members(shape.member, f"{place}[]", above)
    elif shape.type_name == "map":
        yield from members(shape.value, f"{place}{{}}", above)
    else:
        for value in shape.metadata.get("enum", ()):
            yield f"{place}={value}"


def all_members(description: dict[str, Any]) -> set[str]:
    model = ServiceModel(description, "bedrock-runtime")
    return {
        place
        for operation in map(model.operation_model, OPERATIONS)
        for root, shape in (("input", operation.input_shape), ("output", operation.output_shape))
        for place in members(shape, root)
    }


def recorded_members() -> set[str]:
    groups: dict[str, str] = json.loads(RECORD.read_text())["members"]
    return {f"{place}{name}" for place, names in groups.items() for name in names.split()}


def members_not_recorded(description: dict[str, Any]) -> list[str]:
    return sorted(all_members(description) - recorded_members())


def record() -> None:
    """Write the members that the installed botocore knows, those of a structure in one line."""
    groups: dict[str, list[str]] = {}
    for member in sorted(all_members(service_description())):
        place, separator, name = re.split(r"([.=])(?=[^.=]*$)", member)
        groups.setdefault(f"{place}{separator}", []).append(name)
    content = {
        "about": "Members of Converse and ConverseStream, with the values of enumerations",
        "source": f"service model of bedrock-runtime in botocore {botocore.__version__}",
        "made_by": "python test/test_api_coverage.py",
        "members": {place: " ".join(names) for place, names in groups.items()},
    }
    RECORD.write_text(json.dumps(content, indent=1) + "\n")


def test_every_member_that_the_installed_botocore_knows_was_looked_at() -> None:
    new = members_not_recorded(service_description())
    assert not new, (
        f"botocore {botocore.__version__} knows what is not in {RECORD.name}. See that it can be "
        f"sent and read, then run `python test/test_api_coverage.py`: {new}"
    )


def test_a_new_member_a_new_value_and_a_new_event_are_noticed() -> None:
    description = copy.deepcopy(service_description())
    shapes = description["shapes"]
    shapes["ContentBlock"]["members"]["hologram"] = {"shape": "ImageBlock"}
    shapes["ConversationRole"]["enum"].append("narrator")
    shapes["ConverseStreamOutput"]["members"]["applause"] = {"shape": "MessageStopEvent"}
    new = members_not_recorded(description)
    assert {
        "input.messages[].content[].hologram",
        "input.messages[].content[].hologram.source.bytes",
        "input.messages[].role=narrator",
        "output.output.message.content[].hologram",
        "output.output.message.role=narrator",
        "output.stream.applause",
    } <= set(new)
    assert all(re.search("hologram|narrator|applause", place) for place in new)


# --- every member can be sent ---------------------------------------------------------------------------


class Examples:
    """Makes values of a shape that together have every member, and every value of enumerations."""

    def of(self, shape: Shape) -> list[Any]:
        make = getattr(self, f"_{shape.type_name}", None)
        return make(shape) if make else [{"boolean": True}[shape.type_name]]

    def _structure(self, shape: Shape) -> list[Any]:
        if shape.is_document_type:
            return [{"a": [1, 2.5, "x", True, None, {"b": []}]}]
        members = {name: self.of(member) for name, member in shape.members.items()}
        if shape.is_tagged_union:
            return [{name: value} for name, values in members.items() for value in values]
        return [
            {name: values[number % len(values)] for name, values in members.items()}
            for number in range(max(map(len, members.values()), default=1))
        ]

    def _list(self, shape: Shape) -> list[Any]:
        return [self.of(shape.member)]

    def _map(self, shape: Shape) -> list[Any]:
        return [{f"key{n}": value for n, value in enumerate(self.of(shape.value))}]

    def _boolean(self, _shape: Shape) -> list[Any]:
        return [True, False]

    def _blob(self, _shape: Shape) -> list[Any]:
        return [b"content"]

    def _integer(self, shape: Shape) -> list[Any]:
        return [shape.metadata.get("min", 0), 7]

    def _float(self, shape: Shape) -> list[Any]:
        return [shape.metadata["min"], 0.5, shape.metadata["max"]]

    def _string(self, shape: Shape) -> list[Any]:
        if "enum" in shape.metadata:
            return list(shape.metadata["enum"])
        if "FieldPaths" in shape.name:
            return ["/a/0", "/b"]
        pattern = shape.metadata.get("pattern", ".*")
        values = ["a", "DRAFT", "s3://bucket/key", "123456789012"]
        return [next(value for value in values if re.fullmatch(pattern, value))]


def maximal_requests(operation: str) -> list[dict[str, Any]]:
    """Requests that together have everything that the installed botocore can send."""
    model = ServiceModel(service_description(), "bedrock-runtime")
    requests: list[dict[str, Any]] = Examples().of(model.operation_model(operation).input_shape)
    first, *others = requests[0]["messages"]
    documents = [block for block in first["content"] if "document" in block]
    rest = [block for block in first["content"] if "document" not in block]
    messages = [{**first, "content": rest}, *({**m, "content": [TEXT]} for m in others)]
    for request in requests:
        del request["modelId"]
        request["messages"] = with_valid_document_names(messages)[0]
    for start in range(0, len(documents), 5):
        messages = [{**first, "content": [TEXT, *documents[start : start + 5]]}]
        requests.append({"messages": with_valid_document_names(messages)[0]})
    return requests


def members_of(value: Any, shape: Shape, place: str) -> Iterator[str]:
    """The places of `members` that `value` has."""
    if shape.type_name == "structure" and not shape.is_document_type:
        for name, member in value.items():
            yield f"{place}.{name}"
            yield from members_of(member, shape.members[name], f"{place}.{name}")
    elif shape.type_name == "list":
        for item in value:
            yield from members_of(item, shape.member, f"{place}[]")
    elif shape.type_name == "map":
        for item in value.values():
            yield from members_of(item, shape.value, f"{place}{{}}")
    elif "enum" in shape.metadata:
        yield f"{place}={value}"


def as_sent(request: dict[str, Any]) -> Any:
    return json.loads(json.dumps(request, default=lambda content: b64encode(content).decode()))


@pytest.fixture(scope="module")
def _endpoint() -> Iterator[LocalBedrock]:
    with LocalBedrock(record_bodies=True) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> LocalBedrock:
    _endpoint.reset()
    for name, value in _endpoint.environment().items():
        monkeypatch.setenv(name, value)
    return _endpoint


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_maximal_requests_have_every_member(operation: str) -> None:
    shape = ServiceModel(service_description()).operation_model(operation).input_shape
    places = {
        p for request in maximal_requests(operation) for p in members_of(request, shape, "input")
    }
    assert places == set(members(shape, "input")) - {"input.modelId"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_member_passes_the_check_and_nothing_is_changed(operation: str) -> None:
    features: set[str] = set()
    for request in maximal_requests(operation):
        before = copy.deepcopy(request)
        check_request(request)
        assert with_valid_document_names(request["messages"])[0] is request["messages"]
        features |= features_used(request)
        assert request == before
    assert {"image_processing", "document_processing", "tool_use", "guardrails"} <= features


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_endpoint_takes_every_member_from_an_ordinary_client(
    bedrock: LocalBedrock, operation: str
) -> None:
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    send = client.converse if operation == "Converse" else client.converse_stream
    requests = maximal_requests(operation)
    for request in requests:
        for event in send(modelId=NOVA, **request).get("stream", ()):
            assert event
    assert [sent.body for sent in bedrock.requests] == list(map(as_sent, requests))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("is_extra", [False, True])
def test_every_member_is_sent_as_it_is_given_and_nothing_is_changed(
    bedrock: LocalBedrock, operation: str, is_extra: bool
) -> None:
    manager = LLMManager(
        ["Nova Lite"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never"
    )
    send = manager.converse if operation == "Converse" else manager.converse_stream
    requests = maximal_requests(operation)
    before = copy.deepcopy(requests)
    for request in requests:
        if is_extra:
            answer: Any = send([{"role": "user", "content": [TEXT]}], extra_request_fields=request)
        else:
            answer = send(**{re.sub("([A-Z])", r"_\1", k).lower(): v for k, v in request.items()})
        if operation == "ConverseStream":
            assert list(answer)
        assert answer.success
    assert requests == before
    assert [sent.body for sent in bedrock.requests] == list(map(as_sent, requests))


if __name__ == "__main__":
    record()
