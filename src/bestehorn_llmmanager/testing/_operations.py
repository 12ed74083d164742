"""Turns a checked request into what the service would answer."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.testing._errors import (
    ServiceError,
    invalid_identifier,
    validation_error,
)
from bestehorn_llmmanager.testing._replies import count_tokens
from bestehorn_llmmanager.testing._wire import output_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bestehorn_llmmanager.testing._batch import BatchJobs
    from bestehorn_llmmanager.testing._catalogue import Catalogue, RegionCatalogue
    from bestehorn_llmmanager.testing._wire import Operation

_DEFAULT_PAGE = 100
_MOST_DOCUMENTS = 5
# API reference, DocumentBlock: single spaces only.
_DOCUMENT_NAME = re.compile(r"(?!.*\s\s)[A-Za-z0-9\s\-()\[\]]+", re.DOTALL)


class ControlPlane:
    """The operations of the service `bedrock`.

    Safe to share between threads: two that miss in `_rendered` at once store the same answer.
    """

    def __init__(self, catalogue: Catalogue, jobs: BatchJobs) -> None:
        self._catalogue = catalogue
        self._jobs = jobs
        # To check and to write a listing of 100 models takes longer than the rest of a request.
        self._rendered: dict[tuple[Any, ...], bytes] = {}

    def answer(
        self, operation: Operation, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> bytes:
        """The output of `operation` as JSON.

        Raises:
            ServiceError: The service would refuse.
            ValueError: The snapshot does not have the shape that the service model demands.
        """
        if self._jobs.serves(operation):
            return self._jobs.answer(operation, region, parameters)
        asked = tuple(sorted(parameters.items()))
        key = (operation.name, region.region, asked, self._catalogue.registered)
        if key not in self._rendered:
            answer = getattr(self, f"_{operation.name}")(region, parameters)
            if problems := output_problems(operation, answer):
                raise ValueError(f"The snapshot does not fit {operation.name}: {problems[:3]}")
            self._rendered[key] = to_json(answer)
        return self._rendered[key]

    def _ListFoundationModels(  # noqa: N802 (named as the service does)
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {"modelSummaries": [m for m in region.models if _passes(m, parameters)]}

    def _ListInferenceProfiles(  # noqa: N802
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        kind = parameters.get("typeEquals")
        profiles = [p for p in self._catalogue.profiles(region) if kind in {None, p["type"]}]
        size = parameters.get("maxResults", _DEFAULT_PAGE)
        start = _read_token(parameters["nextToken"], region) if "nextToken" in parameters else 0
        end = start + size
        answer: dict[str, Any] = {"inferenceProfileSummaries": profiles[start:end]}
        if end < len(profiles):
            answer["nextToken"] = _make_token(end, region)
        return answer

    def _GetFoundationModel(  # noqa: N802
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        model = region.model(parameters["modelIdentifier"])
        if model is None:
            raise invalid_identifier()
        return {"modelDetails": model}

    def _GetInferenceProfile(  # noqa: N802
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        profile = self._catalogue.profile(region, parameters["inferenceProfileIdentifier"])
        if profile is None:
            raise ServiceError(
                "ResourceNotFoundException", 404, "The inference profile could not be found."
            )
        return profile


def _passes(model: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    provider = filters.get("byProvider")
    return (
        (provider is None or provider.lower() == model["providerName"].lower())
        and _has(model, "customizationsSupported", filters.get("byCustomizationType"))
        and _has(model, "outputModalities", filters.get("byOutputModality"))
        and _has(model, "inferenceTypesSupported", filters.get("byInferenceType"))
    )


def _has(model: Mapping[str, Any], name: str, wanted: str | None) -> bool:
    return wanted is None or wanted in model.get(name, [])


def _make_token(start: int, region: RegionCatalogue) -> str:
    return urlsafe_b64encode(f"{region.region}:{start}".encode()).decode()


def _read_token(token: str, region: RegionCatalogue) -> int:
    try:
        issued_in, _, start = urlsafe_b64decode(token).decode().partition(":")
        if issued_in == region.region:
            return int(start)
    except ValueError:  # Not base64, not UTF-8, not a number.
        pass
    raise validation_error("The provided nextToken is invalid.")


def token_count(
    catalogue: Catalogue, region: RegionCatalogue, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """CountTokens: of models only, also of those that nothing but a profile can call."""
    if region.model(parameters["modelId"]) is None:
        catalogue.target(region, parameters["modelId"])
        raise validation_error("The provided model doesn't support counting tokens.")
    body = parameters["input"].get("converse")
    if body is None:
        # An InvokeModel body is the model's own affair: base64 text, 4 characters for 3 bytes.
        return {"inputTokens": max(len(parameters["input"]["invokeModel"]["body"]) * 3 // 16, 1)}
    return {"inputTokens": count_tokens(body)}


def refuse_conversation(
    catalogue: Catalogue,
    region: RegionCatalogue,
    parameters: Mapping[str, Any],
    *,
    stream: bool,
) -> None:
    """Raise what the service would raise for this Converse or ConverseStream request.

    The sentences are the service's, as users of botocore, Dify and Amazon's own clients quote them:
    langgenius/dify#17545, aws-samples/generative-ai-use-cases#1685, maximhq/bifrost#7003.
    """
    model = catalogue.target(region, parameters["modelId"]).model
    if model is not None:
        if "TEXT" not in model.get("outputModalities", ["TEXT"]):
            raise validation_error(
                "This action doesn't support the model that you provided."
                " Try again with a supported text or chat model."
            )
        if stream and model.get("responseStreamingSupported") is False:
            raise validation_error("The model is unsupported for streaming.")
    messages = parameters.get("messages") or []
    if messages and messages[0]["role"] == "assistant":
        raise validation_error(
            "A conversation must start with a user message."
            " Try again with a conversation that starts with a user message."
        )
    for number, message in enumerate(messages):
        _refuse_content(number, message["content"])
    blocks = [block for message in messages for block in message["content"]]
    _refuse_many_documents([block["document"] for block in blocks if "document" in block])
    if "toolConfig" not in parameters and any(
        kind in block for block in blocks for kind in ("toolUse", "toolResult")
    ):
        raise validation_error(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        )


def _refuse_content(number: int, content: list[Mapping[str, Any]]) -> None:
    if not content:
        raise validation_error(
            f"The content field in the Message object at messages.{number} is empty."
            " Add a ContentBlock object to the content field and try again."
        )
    for index, block in enumerate(content):
        if "text" in block and not block["text"].strip():
            raise validation_error(
                f"The text field in the ContentBlock object at messages.{number}.content.{index}"
                " is blank. Add text to the text field, and try again."
            )
    _refuse_documents(content)


def _refuse_documents(content: list[Mapping[str, Any]]) -> None:
    names = [block["document"]["name"] for block in content if "document" in block]
    if names and not any("text" in block for block in content):
        raise validation_error("A text block must be included when using documents.")
    if not all(map(_DOCUMENT_NAME.fullmatch, names)):
        raise validation_error(
            "The document file name can only contain alphanumeric characters, whitespace"
            " characters, hyphens, parentheses, and square brackets. The name can't contain more"
            " than one consecutive whitespace character."
        )


def _refuse_many_documents(documents: list[Mapping[str, Any]]) -> None:
    names = [document["name"] for document in documents]
    if len(set(names)) < len(names):
        raise validation_error(
            "Messages can't contain duplicate document names."
            " Rename the document and retry your request."
        )
    if sum("bytes" in document["source"] for document in documents) > _MOST_DOCUMENTS:
        raise validation_error(
            f"You can't include more than {_MOST_DOCUMENTS} documents in a request."
        )


def to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_json_default).encode()


def _json_default(value: object) -> str:
    """How values that boto3 would return, in replies or snapshots, travel."""
    if isinstance(value, (bytes, bytearray)):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a JSON answer")
