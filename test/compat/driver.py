"""Runs calls that are given as JSON, and says as JSON what each gave, warned of and sent to models.

Runs with 0.9.0 as with this package, and needs nothing but the package and boto3:
``python driver.py <calls.json> <results.json> <directory for files> <directory of test data>``.

The calls are ``[{"key": …, "do": expression}, …]``; `Driver.value` says what an expression may be.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import hashlib
import importlib
import json
import math
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

import botocore.httpsession
import botocore.loaders

PACKAGE = "bestehorn_llmmanager"
LONGEST_TEXT = 300
REQUEST_ID = re.compile(r"req_[0-9a-f]{12}_\d+")
TIMES = re.compile(r"(_ms|_at|_time|timestamp|last_updated|duration|date)$")
FREE_WORDS = {"warnings", "errors", "parallel_warnings", "parallel_errors"}
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)?")


class Sent(list[dict[str, Any]]):
    """What goes to models, as botocore hands it to the network."""

    def start(self) -> None:
        session = botocore.httpsession.URLLib3Session
        send = session.send

        def recording_send(this: Any, request: Any) -> Any:
            found = re.search(r"/model/([^/]+)/([a-z-]+)$", request.url)
            answer = send(this, request)
            if found:
                scope = re.search(
                    r"/([a-z0-9-]+)/bedrock/", _text(request.headers["Authorization"])
                )
                self.append(
                    {
                        "operation": found[2],
                        "region": scope[1] if scope else None,
                        "model_id": unquote(unquote(found[1])),
                        "status": answer.status_code,
                        "body": json.loads(request.body),
                    }
                )
            return answer

        session.send = recording_send


class Driver:
    """Evaluates expressions; keeps nothing from one call to the next."""

    def __init__(self, files: Path, data: Path) -> None:
        self.files = files
        self.data = data
        self.variables: dict[str, Any] = {}
        self.functions: dict[str, Callable[..., Any]] = {
            "accepts": lambda _: self.validation(success=True),
            "rejects": lambda _: self.validation(success=False, error_message="no"),
            "raises": _raise,
            "is_json": lambda response: self.validation(
                success=response.get_structured_output() is not None
            ),
            "no_result": lambda _: True,
            "first": lambda name, _: name.endswith("1"),
            "none": lambda *_: False,
            "all": lambda *_: True,
            "bases": lambda models: sorted({str(base_model(model)) for model in models}),
            "resolved": resolved,
            "known_names": known_names,
        }

    def validation(self, **fields: Any) -> Any:
        return self.named("bedrock.models.llm_manager_structures:ValidationResult")(**fields)

    def named(self, path: str) -> Any:
        module, _, attributes = path.partition(":")
        if module in {"builtins", "datetime", "json"}:
            found = importlib.import_module(module)
        else:
            found = importlib.import_module(f"{PACKAGE}.{module}".rstrip("."))
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
        return found

    def value(self, expression: Any) -> Any:
        """What JSON stands for: itself, but a dict whose first key starts with ``$`` is an action."""
        if isinstance(expression, list):
            return [self.value(each) for each in expression]
        if not isinstance(expression, dict):
            return expression
        action = next(iter(expression), "")
        if not action.startswith("$"):
            return {name: self.value(each) for name, each in expression.items()}
        return getattr(self, f"do_{action[1:]}")(
            it=expression[action],
            **{name: each for name, each in expression.items() if name != action},
        )

    def do_name(self, it: str) -> Any:
        return self.named(it)

    def do_call(
        self, it: Any, args: Iterable[Any] = (), kw: Mapping[str, Any] | None = None
    ) -> Any:
        function = self.named(it) if isinstance(it, str) else self.value(it)
        given = {name: self.value(each) for name, each in (kw or {}).items()}
        return function(*(self.value(each) for each in args), **given)

    def do_get(self, it: Any, attribute: str) -> Any:
        return getattr(self.value(it), attribute)

    def do_item(self, it: Any, key: Any) -> Any:
        return self.value(it)[key]

    def do_var(self, it: str) -> Any:
        return self.variables[it]

    def do_steps(self, it: list[Any]) -> Any:
        """Of ``[name, expression]`` each, which can use the names before; the last one is given."""
        result = None
        for name, expression in it:
            result = self.variables[name] = self.value(expression)
        return result

    def do_try(self, it: Any) -> Any:
        try:
            return self.value(it)
        except Exception as error:  # noqa: BLE001 (which one is the result)
            return error

    def do_list(self, it: Any) -> Any:
        return list(self.value(it))

    def do_bytes(self, it: str) -> bytes:
        return it.encode("latin-1")

    def do_times(self, it: Any, count: int) -> Any:
        return self.value(it) * count

    def do_float(self, it: str) -> float:
        return float(it)

    def do_file(self, it: str) -> bytes:
        return (self.data / it).read_bytes()

    def do_path(self, it: str) -> str:
        return str(self.data / it)

    def do_work(self, it: str) -> Path:
        return self.files / it

    def do_function(self, it: str) -> Callable[..., Any]:
        return self.functions[it]

    def do_text(self, it: str) -> str:
        return (self.files / it).read_text(encoding="utf-8")

    def do_write(self, it: str, text: str) -> None:
        path = self.files / it
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def do_json(self, it: Any) -> str:
        return json.dumps(self.value(it))

    def do_pickle(self, it: Any) -> str:
        return base64.b64encode(pickle.dumps(self.value(it), 4)).decode()

    def do_unpickle(self, it: str) -> Any:
        return pickle.loads(base64.b64decode(it))

    def said(self, value: Any, name: str = "") -> Any:
        """The value as JSON, without times, places of files, and words that are free."""
        if isinstance(value, enum.Enum):
            return f"{type(value).__name__}.{value.name}"
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return self._number(value, name)
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, (bytes, bytearray)):
            return f"<{len(value)} bytes {hashlib.sha256(value).hexdigest()[:8]}>"
        if isinstance(value, datetime):
            return "<time>"
        if isinstance(value, BaseException):
            return {"error": type(value).__name__}
        if isinstance(value, type) or callable(value):
            return f"<{getattr(value, '__qualname__', type(value).__name__)}>"
        return self._said_parts(value, name)

    def _number(self, value: float, name: str) -> Any:
        if TIMES.search(name):
            return "<time>"
        return value if math.isfinite(value) else str(value)

    def _string(self, value: str) -> str:
        text = value.replace(str(self.files), "<work>").replace(str(self.data), "<data>")
        text = ISO_TIME.sub("<time>", REQUEST_ID.sub("<request id>", text))
        return text if len(text) <= LONGEST_TEXT else f"<{len(text)} characters>"

    def _said_parts(self, value: Any, name: str) -> Any:
        if dataclasses.is_dataclass(value):
            fields = [field.name for field in dataclasses.fields(value)]
            parts = {n: self.said(getattr(value, n), n) for n in fields if not n.startswith("_")}
            return {f"<{type(value).__name__}>": parts}
        if isinstance(value, Mapping):
            return {
                self._string(str(self.said(key))): self.said(item, str(key))
                for key, item in value.items()
                if key != "ResponseMetadata"
            }
        if isinstance(value, (set, frozenset)):
            return sorted((self.said(item) for item in value), key=str)
        if isinstance(value, (list, tuple)):
            if name in FREE_WORDS and value and all(isinstance(item, str) for item in value):
                return f"<{len(value)} messages>"
            return [self.said(item) for item in value]
        if isinstance(value, PurePath):
            return self._string(str(value))
        text = repr(value)
        return self._string(text) if " at 0x" not in text else f"<{type(value).__name__}>"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _body_first(request: dict[str, Any]) -> str:
    return json.dumps([request["body"], request["region"], request["model_id"]])


def _raise(response: Any) -> Any:
    raise ValueError("too short")


def base_model(model: Any) -> str | None:
    """The id of the model without what names a profile."""
    if model is None:
        return None
    ids = [model.model_id] if model.model_id else []
    for access in model.region_access.values():
        ids += [access.model_id, access.regional_cris_profile_id, access.global_cris_profile_id]
    found = next((each for each in ids if each), "")
    return re.sub(r"^(us|eu|apac|global|jp|au|ca|us-gov|sa|uk|in|kr)\.", "", found) or None


def bundled() -> Any:
    module = importlib.import_module(f"{PACKAGE}.bedrock.catalog.bundled_loader")
    return module.BundledDataLoader.load_bundled_catalog()


def known_names() -> list[str]:
    """Every name of the bundled catalogue: canonical, alias, older, id of model and profile."""
    catalog = bundled()
    module = importlib.import_module(f"{PACKAGE}.bedrock.catalog.name_resolver")
    resolver = module.ModelNameResolver(catalog)
    mappings = importlib.import_module(f"{PACKAGE}.bedrock.catalog.legacy_name_mappings")
    names = {*mappings.LEGACY_NAME_MAPPINGS, *mappings.DEPRECATED_MODELS}
    for name, model in catalog.models.items():
        names |= {name, model.model_id, *resolver.generate_aliases(model)}
        for access in model.region_access.values():
            names |= {access.regional_cris_profile_id, access.global_cris_profile_id}
    return sorted(name for name in names if name)


def resolved(names: Iterable[str]) -> dict[str, Any]:
    """Name to the id of its base model in the bundled catalogue, and the rule that found it."""
    catalog = bundled()
    module = importlib.import_module(f"{PACKAGE}.bedrock.catalog.name_resolver")
    resolver = module.ModelNameResolver(catalog)
    found: dict[str, Any] = {}
    for name in names:
        match = resolver.resolve_name(name)
        model = match and catalog.models[match.canonical_name]
        found[name] = match and [base_model(model), match.match_type.value, match.confidence]
    return found


def read_botocore_once() -> None:
    """0.9.0 makes a session for each request, and each would read its service models anew."""
    read = botocore.loaders.JSONFileLoader.load_file
    known: dict[str, Any] = {}

    def load_file(this: Any, file_path: str) -> Any:
        if file_path not in known:
            known[file_path] = read(this, file_path)
        return known[file_path]

    botocore.loaders.JSONFileLoader.load_file = load_file


def forget_learned() -> None:
    """Every call finds the process as the first one does."""
    module = importlib.import_module(f"{PACKAGE}.bedrock.tracking.access_method_tracker")
    module.AccessMethodTracker.reset_for_testing()
    module = importlib.import_module(f"{PACKAGE}.bedrock.tracking.parameter_compatibility_tracker")
    tracker = module.ParameterCompatibilityTracker
    if getattr(tracker, "_instance", None) is not None:
        tracker._instance = None


def main(calls: str, results: str, files: str, data: str) -> None:
    sent = Sent()
    sent.start()
    read_botocore_once()
    outcomes: dict[str, Any] = {}
    for call in json.loads(Path(calls).read_text(encoding="utf-8")):
        driver = Driver(Path(files), Path(data))
        sent.clear()
        forget_learned()
        outcome: dict[str, Any] = {}
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                outcome["value"] = driver.value(call["do"])
                if not call.get("raw"):
                    outcome["value"] = driver.said(outcome["value"])
            except Exception as error:  # noqa: BLE001 (which one is the result)
                outcome = {"raises": type(error).__name__}
        kinds = {each.category for each in warned if issubclass(each.category, DeprecationWarning)}
        kinds = {kind for kind in kinds if not kind.__module__.startswith("boto")}
        if kinds:
            outcome["warns"] = sorted(kind.__name__ for kind in kinds)
        if sent:
            order = sorted(sent, key=_body_first) if call.get("unordered") else list(sent)
            outcome["sent"] = driver.said(order)
        outcomes[call["key"]] = outcome
    Path(results).write_text(json.dumps(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
