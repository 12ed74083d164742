"""Tests the serializer that 0.9.0 offered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.serializers.json_serializer import JSONModelSerializer

if TYPE_CHECKING:
    from pathlib import Path

RESPONSE: Any = BedrockResponse(success=True, model_used="Nova Lite")


def test_the_serializer_writes_sorted_keys_below_new_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.json"
    JSONModelSerializer().serialize_dict_to_file({"b": "é", "a": 1}, path)
    assert path.read_text(encoding="utf-8") == '{\n  "a": 1,\n  "b": "é"\n}'
    assert JSONModelSerializer().load_from_file(path) == {"a": 1, "b": "é"}
    JSONModelSerializer(indent=1, ensure_ascii=True).serialize_dict_to_file({"b": "é"}, path)
    assert path.read_text(encoding="utf-8") == '{\n "b": "\\u00e9"\n}'


def test_the_serializer_writes_what_has_a_dict_to_text_and_to_a_file(tmp_path: Path) -> None:
    serializer = JSONModelSerializer()
    serializer.serialize_to_file(RESPONSE, tmp_path / "catalog.json")
    assert serializer.load_from_file(tmp_path / "catalog.json") == RESPONSE.to_dict()
    assert json.loads(serializer.serialize_to_string(RESPONSE)) == RESPONSE.to_dict()


def test_the_serializer_tells_what_json_cannot_express_and_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("{}")
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    for data in ({"a": {1, 2}}, circle):
        with pytest.raises(TypeError, match="JSON"):
            JSONModelSerializer().serialize_dict_to_file(data, path)
    assert path.read_text() == "{}"


def test_the_serializer_tells_files_that_are_not_there_or_not_json(tmp_path: Path) -> None:
    serializer = JSONModelSerializer()
    with pytest.raises(FileNotFoundError):
        serializer.load_from_file(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError, match=r"bad\.json"):
        serializer.load_from_file(tmp_path / "bad.json")
    with pytest.raises(OSError, match="directory"):
        serializer.load_from_file(tmp_path)
