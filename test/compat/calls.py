"""Makes the calls that are compared: expressions for `driver.py`, by key."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Expression = Any
Calls = dict[str, dict[str, Any]]

STRUCTURES = "bedrock.models.llm_manager_structures"
PARALLEL = "bedrock.models.parallel_structures"
CACHING = "bedrock.models.cache_structures"
RESPONSE = "bedrock.models.bedrock_response"
CATALOG = "bedrock.catalog"
EAST, WEST = "us-east-1", "us-west-2"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(24)


def call(it: Expression, *args: Expression, **kw: Expression) -> Expression:
    return {"$call": it, "args": list(args), "kw": kw}


def name(path: str) -> Expression:
    return {"$name": path}


def get(it: Expression, attribute: str) -> Expression:
    return {"$get": it, "attribute": attribute}


def method(it: Expression, attribute: str, *args: Expression, **kw: Expression) -> Expression:
    return call(get(it, attribute), *args, **kw)


def var(name: str) -> Expression:
    return {"$var": name}


def steps(*pairs: tuple[str, Expression]) -> Expression:
    return {"$steps": [list(pair) for pair in pairs]}


def attempt(it: Expression) -> Expression:
    return {"$try": it}


def function(name: str) -> Expression:
    return {"$function": name}


def octets(content: bytes) -> Expression:
    return {"$bytes": content.decode("latin-1")}


def number(value: Any) -> Expression:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def examples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """The first different values of the strategy; every run gives the same."""
    found: list[Any] = []

    @settings(
        max_examples=3 * count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        if value not in found:
            found.append(value)

    collect()
    return found[:count]


# --- structures ---------------------------------------------------------------------------------

INTEGERS = st.integers(-2, 700)
FRACTIONS = st.one_of(
    st.floats(-0.5, 1.5).map(lambda x: round(x, 3)), st.sampled_from([0.0, 1.0, 0.5])
)
DELAYS = st.one_of(st.integers(-1, 90), st.floats(-1, 90).map(lambda x: round(x, 2)))
NAMES = st.sampled_from([None, "", "work", "Ünïcode name"])
KEYS = st.sampled_from([None, "", "AKIA", "secret"])
FLAGS = st.booleans()


def members(path: str, *names: str) -> st.SearchStrategy[Expression]:
    return st.sampled_from([name(f"{path}.{each}") for each in names])


FIELDS: dict[str, tuple[str, dict[str, st.SearchStrategy[Any]], int]] = {
    "RetryConfig": (
        STRUCTURES,
        {
            "max_retries": st.integers(-2, 9),
            "retry_delay": DELAYS,
            "backoff_multiplier": DELAYS,
            "max_retry_delay": DELAYS,
            "retry_strategy": members(f"{STRUCTURES}:RetryStrategy", "REGION_FIRST", "MODEL_FIRST"),
            "enable_feature_fallback": FLAGS,
            "retryable_errors": st.sampled_from([[], ["A"], ["A", "ThrottlingException"]]),
            "region_order": st.sampled_from(["fixed", "rotate", "shuffle", "FIXED", "", "random"]),
            "access_method_preference": st.sampled_from(
                [None, "direct", "regional_cris", "global_cris", "cris_only", "DIRECT", ""]
            ),
            "global_cris_fraction": st.one_of(st.none(), FRACTIONS),
        },
        60,
    ),
    "Boto3Config": (
        STRUCTURES,
        {
            "read_timeout": INTEGERS,
            "connect_timeout": INTEGERS,
            "max_pool_connections": INTEGERS,
            "retries_max_attempts": st.integers(-2, 12),
        },
        40,
    ),
    "AuthConfig": (
        STRUCTURES,
        {
            "auth_type": members(
                f"{STRUCTURES}:AuthenticationType", "PROFILE", "CREDENTIALS", "IAM_ROLE", "AUTO"
            ),
            "profile_name": NAMES,
            "access_key_id": KEYS,
            "secret_access_key": KEYS,
            "session_token": KEYS,
            "region": st.sampled_from([None, EAST, "nowhere"]),
        },
        40,
    ),
    "ResponseValidationConfig": (
        STRUCTURES,
        {
            "response_validation_function": st.just(function("accepts")),
            "response_validation_retries": st.integers(-3, 9),
            "response_validation_delay": DELAYS,
        },
        25,
    ),
    "CacheConfig": (
        CACHING,
        {
            "enabled": FLAGS,
            "strategy": members(f"{CACHING}:CacheStrategy", "CONSERVATIVE", "AGGRESSIVE", "CUSTOM"),
            "error_handling": members(
                f"{CACHING}:CacheErrorHandling", "GRACEFUL_DEGRADATION", "FAIL_FAST"
            ),
            "auto_cache_system_messages": FLAGS,
            "cache_point_threshold": INTEGERS,
            "max_cache_ttl": st.one_of(st.none(), INTEGERS),
            "cache_availability_check": FLAGS,
            "blacklist_duration_minutes": INTEGERS,
            "log_cache_failures": FLAGS,
            "custom_rules": st.sampled_from([{}, {"cache_all_images": True}]),
            "custom_unsupported_models": st.sampled_from([[], ["Nova Lite"]]),
        },
        40,
    ),
    "ParallelProcessingConfig": (
        PARALLEL,
        {
            "max_concurrent_requests": st.integers(-1, 40),
            "request_timeout_seconds": INTEGERS,
            "enable_request_prioritization": FLAGS,
            "failure_handling_strategy": members(
                f"{PARALLEL}:FailureHandlingStrategy", "CONTINUE_ON_FAILURE", "STOP_ON_THRESHOLD"
            ),
            "load_balancing_strategy": members(
                f"{PARALLEL}:LoadBalancingStrategy", "ROUND_ROBIN", "RANDOM", "LEAST_LOADED"
            ),
            "failure_threshold": FRACTIONS,
            "enable_automatic_retry": FLAGS,
            "max_retries_per_request": st.one_of(st.none(), st.integers(-1, 5)),
        },
        40,
    ),
    "ModelSpecificConfig": (
        "bedrock.models.model_specific_structures",
        {
            "enable_extended_context": st.sampled_from([True, False, 1, "yes", None]),
            "custom_fields": st.sampled_from([None, {}, {"a": 1}, [], "x"]),
        },
        15,
    ),
    "ValidationResult": (
        STRUCTURES,
        {
            "success": FLAGS,
            "error_message": NAMES,
            "error_details": st.sampled_from([None, {}, {"a": [1]}]),
        },
        10,
    ),
}
ALWAYS = {"auth_type", "response_validation_function", "success"}


def structures() -> Calls:
    found: Calls = {}
    for kind, (module, fields, count) in FIELDS.items():
        required = {each: fields[each] for each in fields if each in ALWAYS}
        optional = {each: fields[each] for each in fields if each not in ALWAYS}
        single = [st.fixed_dictionaries({**required, each: optional[each]}) for each in optional]
        some = st.fixed_dictionaries(required, optional=optional)
        for given_fields in examples(st.one_of(*single, some), count):
            kw = {each: number(value) for each, value in given_fields.items()}
            made = call(f"{module}:{kind}", **kw)
            found[f"structures/{kind}({shown(kw)})"] = {"do": made}
    fixed = {
        "RetryConfig(retry_strategy='region_first')": call(
            f"{STRUCTURES}:RetryConfig", retry_strategy="region_first"
        ),
        "RetryConfig(retry_strategy='bogus')": call(
            f"{STRUCTURES}:RetryConfig", retry_strategy="bogus"
        ),
        "RetryConfig(retryable_errors='A')": call(
            f"{STRUCTURES}:RetryConfig", retryable_errors="A"
        ),
        "RetryConfig(global_cris_fraction=nan)": call(
            f"{STRUCTURES}:RetryConfig", global_cris_fraction={"$float": "nan"}
        ),
        "AuthConfig(session_token='Ünïcode')": call(
            f"{STRUCTURES}:AuthConfig",
            name(f"{STRUCTURES}:AuthenticationType.AUTO"),
            session_token="Ünïcode",
        ),
        "repr(AuthConfig)": call(
            "builtins:repr",
            call(
                f"{STRUCTURES}:AuthConfig",
                name(f"{STRUCTURES}:AuthenticationType.CREDENTIALS"),
                access_key_id="AKIA",
                secret_access_key="secret",
            ),
        ),
        "Boto3Config().to_botocore_config()": {
            each: get(method(call(":Boto3Config"), "to_botocore_config"), each)
            for each in ("read_timeout", "connect_timeout", "max_pool_connections", "retries")
        },
        "one class BedrockResponse": call(
            "builtins:issubclass",
            name(f"{STRUCTURES}:BedrockResponse"),
            name(f"{RESPONSE}:BedrockResponse"),
        ),
    }
    for kind in ("ValidationResult", "ModelSpecificConfig"):
        module = FIELDS[kind][0]
        for content in ({}, {"success": True, "error_message": "m"}, {"custom_fields": {"a": 1}}):
            key = f"{kind}.from_dict({shown(content)})"
            read = call(f"{module}:{kind}.from_dict", content)
            fixed[key] = {"made": read, "back": method(read, "to_dict")}
    return found | {f"structures/{key}": {"do": do} for key, do in fixed.items()}


def shown(value: Any) -> str:
    """Short text for a key."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
        return str(next(iter(value.values()))).rpartition(":")[2]
    if isinstance(value, dict):
        return ", ".join(f"{each}={shown(value[each])}" for each in value)
    return repr(value)


# --- responses ----------------------------------------------------------------------------------

ACCESSORS = [
    "get_content_blocks", "get_text_blocks", "get_image_blocks", "get_tool_uses", "has_tool_use",
    "get_reasoning", "get_citations", "get_content", "get_structured_output", "get_usage",
    "get_input_tokens", "get_output_tokens", "get_total_tokens", "get_cache_read_tokens",
    "get_cache_write_tokens", "get_cache_details", "get_cached_tokens_info", "get_cache_efficiency",
    "get_metrics", "get_stop_reason", "get_stop_reason_category",
    "get_additional_model_response_fields", "get_performance_config", "get_service_tier",
    "get_guardrail_trace", "was_successful", "get_warnings", "get_disabled_features",
    "get_validation_errors", "get_last_error", "get_all_errors", "get_attempt_count",
    "get_successful_attempt", "had_validation_failures", "get_validation_attempt_count",
    "get_last_validation_error", "get_validation_metrics", "had_parameters_removed",
    "get_access_method", "was_profile_used", "get_profile_id", "get_access_method_info",
    "to_dict", "__repr__",
]  # fmt: skip
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
WORDS = st.text("abc äß€{}[]", max_size=12)
BLOCKS = st.one_of(
    WORDS.map(lambda text: {"text": text}),
    st.just({"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": [1, None]}}}),
    st.just({"toolUse": {"toolUseId": "t2", "name": "g"}}),
    WORDS.map(lambda text: {"reasoningContent": {"reasoningText": {"text": text}}}),
    st.just({"reasoningContent": {"reasoningText": {"text": "why", "signature": "s"}}}),
    st.just({"image": {"format": "png", "source": {"uri": "x"}}}),
    st.just({"citationsContent": {"citations": [{"title": "T", "source": "s", "location": {}}]}}),
    st.just({"citationsContent": {"content": [{"text": "x"}], "citations": [{"title": None}]}}),
    st.just({"novelty": {"a": 1}}),
    st.just({"guardContent": {"text": {"text": "g"}}}),
)
TOKENS = st.one_of(st.integers(0, 5000), st.none())
USAGES = st.one_of(
    st.just(USAGE),
    st.fixed_dictionaries(
        {},
        optional={
            "inputTokens": st.integers(0, 5000),
            "outputTokens": st.integers(0, 500),
            "totalTokens": st.integers(0, 5500),
            "cacheReadInputTokens": st.integers(0, 9000),
            "cacheWriteInputTokens": st.integers(0, 9000),
            "cacheDetails": st.just([{"ttl": "1h", "inputTokens": 3}]),
        },
    ),
)
REASONS = st.sampled_from(
    ["end_turn", "tool_use", "max_tokens", "guardrail_intervened", "malformed_tool_use", "novelty"]
)
OUTPUTS = st.fixed_dictionaries(
    {
        "output": st.lists(BLOCKS, max_size=4).map(
            lambda blocks: {"message": {"role": "assistant", "content": blocks}}
        ),
        "stopReason": REASONS,
        "usage": USAGES,
    },
    optional={
        "metrics": st.just({"latencyMs": 5}),
        "additionalModelResponseFields": st.just({"k": 1}),
        "performanceConfig": st.just({"latency": "optimized"}),
        "serviceTier": st.just({"type": "flex"}),
        "trace": st.just({"guardrail": {"modelOutput": ["x"]}}),
    },
)
ODD_OUTPUTS: list[Any] = [
    None, {}, {"output": None}, {"output": {}}, {"output": {"message": None}},
    {"output": {"message": {"content": "text"}}}, {"output": {"message": {"content": [None, 1]}}},
    {"output": {"message": {"content": [{"text": None}]}}},
    {"output": {"message": {"content": [{"toolUse": None}]}}},
    {"output": {"message": {"content": [{"reasoningContent": None}]}}},
    {"output": {"message": {"content": [{"citationsContent": None}]}}},
    {"usage": None}, {"usage": []}, {"usage": {"inputTokens": None}}, {"stopReason": 7},
    {"metrics": {"latencyMs": None}}, {"trace": None}, {"trace": []},
    {"output": {"message": {"content": [{"text": '{"a": 1}'}]}}},
    {"output": {"message": {"content": [{"text": "[1, 2"}, {"text": "]"}]}}},
]  # fmt: skip
ATTEMPT = call(
    f"{STRUCTURES}:RequestAttempt",
    "Nova Lite",
    EAST,
    "direct",
    1,
    call("datetime:datetime", 2026, 1, 1),
    error=call("builtins:ValueError", "bad"),
)
STATES: dict[str, dict[str, Any]] = {
    "failed": {"success": False},
    "failed with data": {"success": False, "response_data": {"output": {}, "usage": USAGE}},
    "attempts": {"success": True, "response_data": {}, "attempts": [ATTEMPT, ATTEMPT]},
    "profile": {
        "success": True,
        "response_data": {},
        "model_used": "Nova Lite",
        "region_used": EAST,
        "access_method_used": "regional_cris",
        "inference_profile_used": True,
        "inference_profile_id": "us.x",
    },
    "warnings": {
        "success": True,
        "response_data": {},
        "warnings": ["w"],
        "features_disabled": ["tool_use"],
        "parameters_removed": ["a", "b"],
        "total_duration_ms": 12.5,
    },
    "validated": {
        "success": True,
        "response_data": {},
        "validation_attempts": [
            call(
                f"{STRUCTURES}:ValidationAttempt",
                1,
                call(f"{STRUCTURES}:ValidationResult", success=True),
            )
        ],
    },
    "bytes": {
        "success": True,
        "response_data": {
            "output": {
                "message": {
                    "content": [{"image": {"format": "png", "source": {"bytes": octets(PNG)}}}]
                }
            }
        },
    },
}


def response_calls(made: Expression) -> Expression:
    every = {each: attempt(method(var("r"), each)) for each in ACCESSORS}
    every["get_content_blocks_by_type"] = attempt(
        method(var("r"), "get_content_blocks_by_type", "text")
    )
    every["to_json"] = attempt(call("json:loads", method(var("r"), "to_json")))
    every["get_parameter_warnings"] = attempt(
        call("builtins:len", method(var("r"), "get_parameter_warnings"))
    )
    every["from_dict"] = attempt(
        call(f"{RESPONSE}:BedrockResponse.from_dict", method(var("r"), "to_dict"))
    )
    return steps(("r", made), ("all", every))


def responses() -> Calls:
    kind = f"{RESPONSE}:BedrockResponse"
    found: Calls = {}
    outputs = [*ODD_OUTPUTS, *examples(OUTPUTS, 40)]
    for index, data in enumerate(outputs):
        made = call(kind, success=True, response_data=data)
        found[f"response/of output {index}"] = {"do": response_calls(made)}
    for state, fields in STATES.items():
        found[f"response/{state}"] = {"do": response_calls(call(kind, **fields))}
    for data in ({}, {"success": True}, {"success": False, "warnings": ["x"], "unknown": 1}):
        found[f"response/from_dict({shown(data)})"] = {"do": call(f"{kind}.from_dict", data)}
    reasons = "bedrock.models.stop_reason:StopReasonClassifier"
    for reason in ("end_turn", "guardrail_intervened", "malformed_tool_use", "", None, "novelty"):
        found[f"response/stop reason {reason!r}"] = {
            "do": [call(f"{reasons}.{each}", reason) for each in ("categorize", "is_retryable")]
        }
    blocks = "bedrock.models.content_block_types:ResponseContentType.from_block"
    shapes: list[Any] = [
        {"text": "x"},
        {"audio": {}},
        {"a": 1},
        {},
        None,
        "x",
        {"text": 1, "image": 2},
    ]
    for block in shapes:
        found[f"response/type of {shown(block)}"] = {"do": attempt(call(blocks, block))}
    return found


# --- builder ------------------------------------------------------------------------------------

SUFFIXES = {
    "image": {"jpg", "png", "gif", "webp"},
    "document": {"pdf", "doc", "docx", "xls", "xlsx", "html"},
    "video": {"mp4", "mov", "webm", "mkv", "flv", "mpg", "mpeg", "wmv", "3gp"},
}
ADDED: dict[str, list[tuple[list[Any], dict[str, Any]]]] = {
    "add_text": [
        (["Hello"], {}), (["  x \n"], {}), ([""], {}), ([" "], {}), ([None], {}), ([1], {}),
        (["x"], {"cacheable": True}),
    ],
    "add_image_bytes": [
        ([octets(PNG)], {}), ([octets(b"")], {}), ([octets(b"no image at all")], {}),
        ([octets(b"no image")], {"filename": "a.PNG"}), ([None], {}), (["text"], {}),
        ([octets(b"x")], {"format": name(":ImageFormatEnum.WEBP")}),
        ([octets(PNG)], {"filename": "a.gif"}),
        ([{"$times": octets(b"x"), "count": 3_750_000}], {"format": name(":ImageFormatEnum.PNG")}),
        ([{"$times": octets(b"x"), "count": 3_750_001}], {"format": name(":ImageFormatEnum.PNG")}),
        ([octets(b"x")], {"format": "png"}), ([octets(b"x")], {"format": "bmp"}),
    ],
    "add_document_bytes": [
        ([octets(b"%PDF-1.7 abc")], {}), ([octets(b"a,b")], {"filename": "t.csv"}),
        ([octets(b"x")], {"filename": "notes.txt", "name": "Notes"}), ([octets(b"")], {}),
        ([octets(b"# x")], {"filename": "a.md", "citations_enabled": True, "context": "c"}),
        ([octets(b"x")], {"format": name(":DocumentFormatEnum.TXT")}),
        ([octets(b"x")], {"filename": "a.exe"}),
        ([{"$times": octets(b"x"), "count": 4_500_001}], {"format": name(":DocumentFormatEnum.TXT")}),
    ],
    "add_video_bytes": [
        ([octets(b"x")], {"format": name(":VideoFormatEnum.THREE_GP")}), ([octets(b"")], {}),
        ([octets(b"\x00\x00\x00\x20ftypmp42" + bytes(30))], {}), ([octets(b"x")], {"filename": "a.mov"}),
        ([octets(b"nothing known here")], {}),
    ],
    "add_image_s3": [
        (["s3://b/k.png", name(":ImageFormatEnum.PNG")], {}),
        (["s3://b/k.png", name(":ImageFormatEnum.PNG")], {"bucket_owner": "123456789012"}),
        (["s3://b/k.png", name(":ImageFormatEnum.PNG")], {"bucket_owner": "12345678901"}),
        (["https://b/k.png", name(":ImageFormatEnum.PNG")], {}), (["s3://b/k.png", None], {}),
        (["", name(":ImageFormatEnum.PNG")], {}),
    ],
    "add_document_s3": [
        (["s3://b/k.pdf", name(":DocumentFormatEnum.PDF")], {"name": "n", "citations_enabled": True}),
        (["s3://b/k.pdf", name(":DocumentFormatEnum.PDF")], {"context": "c"}), (["x", None], {}),
    ],
    "add_video_s3": [
        (["s3://b/k.mp4", name(":VideoFormatEnum.MP4")], {}), (["s3://b/k.mp4", None], {}),
    ],
    "add_cache_point": [
        ([], {}), ([], {"ttl": "5m"}), ([], {"ttl": name(":CachePointTTLEnum.ONE_HOUR")}),
        ([], {"ttl": "2h"}), ([], {"cache_type": "other"}), ([], {"cache_type": None}),
    ],
    "add_guard_content": [
        ([" x "], {}), (["x"], {"qualifiers": []}), (["x"], {"qualifiers": ["query"]}),
        (["x"], {"qualifiers": [name(":GuardContentQualifierEnum.QUERY")]}), ([" "], {}),
        (["x"], {"qualifiers": ["other"]}),
    ],
    "add_tool_use": [
        (["t", "f", {"a": 1}], {}), (["t", "f", {}], {}), (["", "f", {}], {}), (["t", " ", {}], {}),
        (["t", "f", "x"], {}), (["t", "f", None], {}),
    ],
    "add_tool_result": [
        (["t", "done"], {}), (["t", {"a": 1}], {"status": "success"}),
        (["t", [{"text": "x"}, {"json": {}}]], {"status": name(":ToolResultStatusEnum.ERROR")}),
        (["t", ""], {}), (["t", []], {}), (["t", {}], {}), (["t", None], {}), ([" ", "x"], {}),
        (["t", "x"], {"status": "maybe"}), (["t", 5], {}),
    ],
    "add_reasoning_content": [
        (["why"], {}), (["why", "sig"], {}), ([], {}), ([""], {}),
        ([], {"redacted_content": octets(b"zz")}), (["t"], {"redacted_content": octets(b"zz")}),
    ],
}  # fmt: skip


def builder_with(*added: tuple[str, list[Any], dict[str, Any]], role: str = "user") -> Expression:
    pairs: list[tuple[str, Expression]] = [("b", call(f":create_{role}_message"))]
    pairs += [
        (f"r{i}", method(var("b"), how, *args, **kw)) for i, (how, args, kw) in enumerate(added)
    ]
    return steps(*pairs, ("built", method(var("b"), "build")))


def builders() -> Calls:
    found: Calls = {}
    for how, cases in ADDED.items():
        for index, (args, kw) in enumerate(cases):
            key = f"builder/{how} {index}: {shown([*args])[:60]} {shown(kw)}"
            tried = steps(
                ("b", call(":create_user_message")),
                ("t", method(var("b"), "add_text", "before")),
                ("r", attempt(method(var("b"), how, *args, **kw))),
                (
                    "out",
                    {
                        "built": method(var("b"), "build"),
                        "error": attempt(
                            call("builtins:isinstance", var("r"), name("builtins:Exception"))
                        ),
                    },
                ),
            )
            found[key] = {"do": tried}
            if how == "add_cache_point":
                found[f"{key}, first"] = {"do": builder_with((how, args, kw))}
    for role in ("user", "assistant", "USER", 1, None):
        found[f"builder/create_message({role!r})"] = {"do": call(":create_message", role)}
    for role in ("USER", "ASSISTANT"):
        made = call(":MessageBuilder", name(f":RolesEnum.{role}"))
        found[f"builder/role {role}"] = {
            "do": {
                "str": call("builtins:str", made), "count": get(made, "content_block_count"),
                "role": get(made, "role"), "empty": attempt(method(made, "build")),
            }
        }  # fmt: skip
    found["builder/101 blocks"] = {
        "do": builder_with(*[("add_text", [str(index)], {}) for index in range(101)])
    }
    found["builder/100 blocks"] = {
        "do": builder_with(*[("add_text", [str(index)], {}) for index in range(100)])
    }
    found["builder/no such file"] = {"do": builder_with(("add_local_image", ["/no/such.png"], {}))}
    found["builder/larger than asked for"] = {
        "do": builder_with(
            ("add_local_image", [{"$path": "files/rgb.png"}], {"max_size_mb": 0.00001})
        )
    }
    for args in ([], ["default", "5m"], ["default", "9m"], ["other"]):
        found[f"builder/build_cache_point{args}"] = {"do": call(":build_cache_point", *args)}
    for schema in ({"type": "object"}, {}, None, "x"):
        made = attempt(call(":build_json_schema_output_config", schema))
        found[f"builder/schema {shown(schema)}"] = {"do": made}
    return found


def files(data: Path) -> Calls:
    """The builder and the detector with every file."""
    found: Calls = {}
    for path in sorted((data / "files").iterdir()):
        for kind in (each for each, suffixes in SUFFIXES.items() if path.suffix[1:] in suffixes):
            file = f"files/{path.name}"
            found[f"builder/local {kind} {path.name}"] = {
                "do": builder_with((f"add_local_{kind}", [{"$path": file}], {}))
            }
            found[f"builder/bytes of {kind} {path.name}"] = {
                "do": builder_with((f"add_{kind}_bytes", [{"$file": file}], {}))
            }
            for of in (None, path.name):
                found[f"detection/{kind} {path.name} as {of}"] = {"do": detected(kind, file, of)}
    return found


def detected(kind: str, file: str, of: str | None) -> Expression:
    detector = call("util.file_type_detector:FileTypeDetector")
    parts = ("detected_format", "confidence", "detection_method")
    return steps(
        ("d", call(get(detector, f"detect_{kind}_format"), {"$file": file}, of)),
        ("out", {each: get(var("d"), each) for each in parts}),
    )


# --- caching, parameters, requests, names ---------------------------------------------------------

SIZES = st.lists(
    st.one_of(
        st.sampled_from([4, 40, 399, 400, 1200, 4000]).map(lambda n: ("text", n)),
        st.just(("image", 0)),
    ),
    min_size=1,
    max_size=6,
)


def caching() -> Calls:
    found: Calls = {}
    strategies = ("CONSERVATIVE", "AGGRESSIVE", "CUSTOM")
    for strategy in strategies:
        for sizes in examples(SIZES, 14):
            content = [
                {"text": {"$times": "x", "count": size}}
                if kind == "text"
                else {"image": {"format": "png", "source": {"bytes": octets(PNG)}}}
                for kind, size in sizes
            ]
            config = call(
                f"{CACHING}:CacheConfig",
                enabled=True,
                strategy=name(f"{CACHING}:CacheStrategy.{strategy}"),
                custom_rules={"cache_all_images": True},
            )
            manager = call("bedrock.cache:CachePointManager", config)
            messages = [{"role": "user", "content": content}]
            key = " ".join(kind if kind == "image" else str(size) for kind, size in sizes)
            found[f"caching/{strategy} {key}"] = {
                "do": method(manager, "inject_cache_points", messages)
            }
    return found


def parameter_and_request_calls() -> Calls:
    found: Calls = {}
    builder = call("bedrock.builders.parameter_builder:ParameterBuilder")
    specific = "bedrock.models.model_specific_structures:ModelSpecificConfig"
    for model in (
        "Claude Sonnet 4",
        "Claude 3.5 Sonnet v2",
        "Nova Lite",
        "Claude Sonnet 4 20250514",
    ):
        for own in (None, {"k": 1}, {"anthropic_beta": ["x"]}, {"anthropic_beta": "x"}):
            for extended in (True, False):
                config = call(specific, extended, own)
                do = {
                    "plain": method(builder, "build_additional_fields", model, config),
                    "with fields": method(
                        builder,
                        "build_additional_fields",
                        model,
                        config,
                        {"k": 2, "anthropic_beta": ["y", "x"]},
                    ),
                }
                found[f"parameters/{model} {shown(own)} {extended}"] = {"do": do}
    request = f"{PARALLEL}:BedrockConverseRequest"
    messages = [{"role": "user", "content": [{"text": "Hi"}]}]
    every: dict[str, Any] = {
        "system": [{"text": "s"}], "inference_config": {"maxTokens": 5},
        "additional_model_request_fields": {"a": 1},
        "additional_model_response_field_paths": ["/a"], "guardrail_config": {"g": 1},
        "tool_config": {"tools": []}, "request_metadata": {"a": "b"},
        "prompt_variables": {"p": {"text": "x"}}, "request_id": "id", "max_retries": 2,
        "model_specific_config": call(specific, True),
    }  # fmt: skip
    for which in [[], *([each] for each in every), list(every)]:
        made = call(request, messages, **{each: every[each] for each in which})
        found[f"requests/with {' '.join(which[:2]) or 'nothing'}{' …' * (len(which) > 2)}"] = {
            "do": steps(
                ("r", made),
                ("out", {
                    "made": var("r"), "args": method(var("r"), "to_converse_args"),
                    "dict": method(var("r"), "to_dict"), "repr": call("builtins:repr", var("r")),
                    "again": call(f"{request}.from_dict", method(var("r"), "to_dict")),
                    "may": method(var("r"), "can_retry", 0),
                }),
            )
        }  # fmt: skip
    found["requests/bytes in system"] = {"do": call(request, messages, [{"x": octets(b"1")}])}
    found["requests/no messages"] = {"do": call(f"{request}.from_dict", {})}
    found["requests/failures"] = {
        "do": steps(
            ("r", call(request, messages, request_id="x", max_retries=1)),
            ("f", method(var("r"), "record_failure", call("builtins:ValueError", "v"), "m", EAST)),
            ("out", [method(var("r"), "can_retry", 9), method(var("r"), "get_last_failure")]),
        )
    }
    validator = call("bedrock.validators.request_validator:RequestValidator")
    contents: list[Any] = [
        [{"text": "x"}], [], [{"reasoningContent": {}}], [{"guardContent": {}}], [{"novelty": 1}],
        ["x"], "x", [{"toolUse": {}}], [{"cachePoint": {}}], [{}], [{"citationsContent": {}}],
    ]  # fmt: skip
    for content in contents:
        checked = call(request, [{"role": "user", "content": content}])
        do = call("builtins:len", method(validator, "validate_request_structure", checked))
        found[f"requests/structure of content {content!r}"] = {"do": do}
    others: list[dict[str, Any]] = [
        {"system": [{"cachePoint": {"type": "default"}}]}, {"system": [{"guardContent": {}}]},
        {"system": [{}]}, {"inference_config": {"maxTokens": 0}},
        {"inference_config": {"temperature": 2}}, {"inference_config": {"topP": "x"}},
        {"inference_config": {"maxTokens": 1.5}},
    ]  # fmt: skip
    for fields in others:
        do = call(
            "builtins:len",
            method(validator, "validate_request_structure", call(request, messages, **fields)),
        )
        found[f"requests/structure of {shown(fields)}"] = {"do": do}
    return found


NAME_LIKE = st.text("aA -_.45bé", max_size=14)


def names() -> Calls:
    normalize = "bedrock.catalog.name_normalizer:normalize_model_name"
    fixed = [
        "Claude 3.5 Haiku",
        "claude-3-5-haiku",
        "CLAUDE_3_5_HAIKU",
        "Llama 3 8B",
        "4 5 6 7",
        "",
    ]
    found: Calls = {
        f"names/normalized {text!r}": {"do": call(normalize, text)}
        for text in [*fixed, *examples(NAME_LIKE, 30)]
    }
    for text in (
        "a",
        "Claude Haiku 4 5 20251001",
        "Llama 3 8B Instruct",
        "APAC Anthropic Claude 3",
    ):
        model = call(
            "bedrock.models.unified_structures:UnifiedModelInfo",
            text, "Anthropic", "x.y", ["TEXT"], ["TEXT"], True,
            {EAST: call("bedrock.models.access_method:ModelAccessInfo", EAST, True, model_id="x.y")},
        )  # fmt: skip
        config = call(f"{CATALOG}:AliasGenerationConfig")
        for generator in ("Claude", "Versioned", "Prefixed", "VersionPeriod"):
            kind = generator if generator in {"Claude", "VersionPeriod"} else f"{generator}Model"
            made = call(f"bedrock.catalog.alias_generators:{kind}AliasGenerator", config)
            found[f"names/aliases {kind} of {text}"] = {
                "do": [method(made, "can_generate", model), method(made, "generate", model)]
            }
    for arguments in examples(
        st.fixed_dictionaries(
            {},
            optional={
                "has_direct_access": FLAGS, "has_regional_cris": FLAGS, "has_global_cris": FLAGS,
                "model_id": st.sampled_from([None, "m"]),
                "regional_cris_profile_id": st.sampled_from([None, "us.m"]),
                "global_cris_profile_id": st.sampled_from([None, "global.m"]),
            },
        ),
        30,
    ):  # fmt: skip
        made = call("bedrock.models.access_method:ModelAccessInfo", EAST, **arguments)
        found[f"names/access {shown(arguments)}"] = {
            "do": steps(("a", made), ("out", {
                "made": var("a"), "summary": method(var("a"), "get_access_summary"),
                "ids": method(var("a"), "get_cris_profile_ids"),
                "old": get(var("a"), "access_method"), "profile": get(var("a"), "inference_profile_id"),
            }))
        }  # fmt: skip
    errors = "bedrock.exceptions.llm_manager_exceptions"
    made_with: dict[str, dict[str, Any]] = {
        "LLMManagerError": {"details": {}}, "ConfigurationError": {"invalid_config": {"a": 1}},
        "AuthenticationError": {"auth_type": "profile", "region": ""}, "ContentError": {"content_size": 0},
        "ModelAccessError": {"model_id": "m"}, "RetryExhaustedError": {"attempts_made": 0},
        "RequestValidationError": {"validation_errors": ["a"], "invalid_fields": ["b"]},
        "StreamingError": {"stream_position": 0, "partial_content": "p"}, "CacheError": {"cache_path": "p"},
        "APIFetchError": {"region": "all"}, "CatalogError": {}, "BundledDataError": {"details": {"a": 1}},
    }  # fmt: skip
    for kind, arguments in made_with.items():
        made = call(f"{errors}:{kind}", "text", **arguments)
        found[f"errors/{kind}"] = {
            "do": {"str": call("builtins:str", made), "repr": call("builtins:repr", made),
                   "details": get(made, "details"), "args": get(made, "args")}
        }  # fmt: skip
    return found


# --- managers -------------------------------------------------------------------------------------

AT_ONCE = call(f"{STRUCTURES}:RetryConfig", max_retries=1, retry_delay=0)
ONE_SEND = call(":Boto3Config", retries_max_attempts=0)
THROTTLED, DENIED, BROKEN, STREAM_BREAKS = (
    "eu-west-1",
    "eu-west-3",
    "eu-central-1",
    "ap-southeast-2",
)


def manager(
    models: Sequence[Any] | str = ("Nova Lite",),
    regions: Sequence[Any] | str = (EAST,),
    kind: str = "LLMManager",
    **kw: Expression,
) -> Expression:
    lists = [each if isinstance(each, str) else list(each) for each in (models, regions)]
    return call(f":{kind}", *lists, **{"retry_config": AT_ONCE, "boto3_config": ONE_SEND, **kw})


def message(text: str = "Hi", role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": [{"text": text}]}


def saying(*blocks: Mapping[str, Any], stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    """A message that makes the endpoint answer so."""
    answer = {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": USAGE,
        "metrics": {"latencyMs": 5},
        **more,
    }
    return message(f"say:{json.dumps(answer)}")


CONSTRUCTED: dict[str, dict[str, Any]] = {
    "plain": {}, "two of each": {"models": ["Nova Lite", "Nova Micro"], "regions": [EAST, WEST]},
    "no models": {"models": []}, "no regions": {"regions": []}, "blank model": {"models": [" "]},
    "models of a string": {"models": "Nova Lite"}, "regions of a string": {"regions": EAST},
    "model 5": {"models": [5]}, "region None": {"regions": [None]}, "unknown model": {"models": ["zzz"]},
    "one unknown model": {"models": ["zzz", "Nova Lite"]}, "unknown region": {"regions": ["xx-nowhere-1"]},
    "one unknown region": {"regions": [EAST, "xx-nowhere-1"]},
    "wrong boto3_config": {"boto3_config": {"read_timeout": 1}},
    "wrong region_order": {"region_order": "sideways"}, "rotate": {"region_order": "rotate"},
    "wrong preference": {"access_method_preference": "best"},
    "wrong fraction": {"global_cris_fraction": 2}, "log_level DEBUG": {"log_level": "DEBUG"},
    "log_level bogus": {"log_level": "BOGUS"},
    "strict_cache_mode": {"strict_cache_mode": True}, "timeout 30": {"timeout": 30},
    "default_inference_config": {"default_inference_config": {"maxTokens": 5}},
    "default_inference_config of text": {"default_inference_config": "x"},
}  # fmt: skip


def managers() -> Calls:
    found: Calls = {}
    for key, kw in CONSTRUCTED.items():
        made = manager(**kw)
        found[f"manager/{key}"] = {
            "do": steps(("m", made), ("out", {
                "repr": call("builtins:repr", var("m")), "models": method(var("m"), "get_available_models"),
                "regions": method(var("m"), "get_available_regions"),
                "stats": method(var("m"), "get_retry_stats"),
                "valid": method(var("m"), "validate_configuration"),
            }))
        }  # fmt: skip
    for model in ("Nova Lite", "Nova Micro", "Claude Haiku 4.5", "Claude 3 Haiku", "zzz"):
        for region in (EAST, "eu-central-1", "nowhere"):
            found[f"manager/access of {model} in {region}"] = {
                "do": method(manager(), "get_model_access_info", model, region)
            }
    for key, kw in CONSTRUCTED.items():
        if set(kw) <= {"models", "regions"}:
            found[f"parallel/manager {key}"] = {
                "do": method(manager(kind="ParallelLLMManager", **kw), "validate_configuration")
            }
    return found


def converse(*messages: Any, on: Expression = None, **kw: Expression) -> Expression:
    return method(on or manager(), "converse", list(messages), **kw)


def with_answers(response: Expression, *more: str) -> Expression:
    which = (*more, "get_content", "get_usage", "get_stop_reason", "get_access_method_info")
    return steps(
        ("r", response),
        ("out", {"response": var("r"), **{each: method(var("r"), each) for each in which}}),
    )


TOOL = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
REQUEST_FIELDS: dict[str, dict[str, Any]] = {
    "system": {"system": [{"text": "Be short."}]},
    "system of nothing": {"system": []},
    "tools": {"tool_config": {"tools": [TOOL], "toolChoice": {"auto": {}}}},
    "guardrail": {
        "guardrail_config": {
            "guardrailIdentifier": "abcdef",
            "guardrailVersion": "1",
            "trace": "enabled",
        }
    },
    "metadata": {"request_metadata": {"team": "a"}},
    "variables": {"prompt_variables": {"v": {"text": "x"}}},
    "fields": {"additional_model_request_fields": {"topK": 5}},
    "fields and config": {
        "additional_model_request_fields": {"topK": 5},
        "model_specific_config": call(
            "bedrock.models.model_specific_structures:ModelSpecificConfig", custom_fields={"a": 1}
        ),
    },
    "field paths": {"additional_model_response_field_paths": ["/stop_sequence"]},
    "extended context": {"enable_extended_context": True},
    "performance": {"performance_config": {"latency": "optimized"}},
    "service tier": {"service_tier": {"type": "flex"}},
    "extra": {"extra_request_fields": {"performanceConfig": {"latency": "standard"}}},
    "extra wins": {
        "inference_config": {"maxTokens": 5},
        "extra_request_fields": {"inferenceConfig": {"maxTokens": 7}},
    },
    "extra unknown": {"extra_request_fields": {"novelty": 1}},
    "output": {
        "output_config": {
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"schema": '{"type": "object"}'}},
            }
        }
    },
    "wrong temperature": {"inference_config": {"temperature": "hot"}},
    "unknown inference member": {"inference_config": {"max_tokens": 5}},
}
MESSAGES: dict[str, list[Any]] = {
    "none": [], "no role": [{"content": []}], "role system": [message(role="system")],
    "role tool": [message(role="tool")], "no content": [{"role": "user"}],
    "content of text": [{"role": "user", "content": "Hi"}],
    "empty content": [{"role": "user", "content": []}], "block of text": [{"role": "user", "content": ["x"]}],
    "message of text": ["Hi"], "assistant first": [message(role="assistant")],
    "unknown block": [{"role": "user", "content": [{"novelty": 1}]}],
    "two turns": [message("a"), message("b", "assistant"), message("c")],
    "image": [{"role": "user", "content": [
        {"text": "x"}, {"image": {"format": "png", "source": {"bytes": octets(PNG)}}}]}],
    "21 images": [{"role": "user", "content": [
        {"text": "x"}, *[{"image": {"format": "png", "source": {"bytes": octets(PNG)}}}] * 21]}],
    "6 documents": [{"role": "user", "content": [{"text": "x"}, *[
        {"document": {"format": "txt", "name": f"d{n}", "source": {"bytes": octets(b"x")}}}
        for n in range(6)]]}],
    "document name": [{"role": "user", "content": [{"text": "x"}, {
        "document": {"format": "txt", "name": "a_b.txt", "source": {"bytes": octets(b"x")}}}]}],
    "tool result": [
        message("a"),
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}]},
    ],
}  # fmt: skip
ANSWERS: dict[str, Expression] = {
    "text": saying({"text": "Hello"}),
    "two texts": saying({"text": "a"}, {"text": "b"}),
    "tool use": saying(
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}, stop="tool_use"
    ),
    "reasoning": saying({"reasoningContent": {"reasoningText": {"text": "why"}}}, {"text": "x"}),
    "json": saying({"text": '{"a": [1]}'}),
    "cut": saying({"text": "Hel"}, stop="max_tokens"),
    "cached": saying({"text": "x"}, usage={**USAGE, "cacheReadInputTokens": 40}),
    "nothing": saying(),
}
INFERENCE = st.fixed_dictionaries(
    {},
    optional={
        "maxTokens": st.integers(1, 5000),
        "temperature": st.floats(0, 1).map(lambda x: round(x, 2)),
        "topP": st.floats(0, 1).map(lambda x: round(x, 2)),
        "stopSequences": st.lists(st.sampled_from(["END", "\n\n"]), max_size=2, unique=True),
    },
)
TARGETS: dict[str, dict[str, Any]] = {
    "throttled": {"regions": [THROTTLED]},
    "throttled, then fine": {"regions": [THROTTLED, EAST]},
    "denied": {"regions": [DENIED]},
    "denied, then fine": {"regions": [DENIED, EAST]},
    "broken, then fine": {"regions": [BROKEN, EAST]},
    "broken everywhere": {"regions": [BROKEN, DENIED], "models": ["Nova Lite", "Nova Micro"]},
    "models first": {
        "regions": [DENIED, BROKEN],
        "models": ["Nova Lite", "Nova Micro"],
        "retry_config": call(
            f"{STRUCTURES}:RetryConfig",
            retry_delay=0,
            retry_strategy=name(f"{STRUCTURES}:RetryStrategy.MODEL_FIRST"),
        ),
    },
    "profile only": {"models": ["Claude Haiku 4.5"]},
    "global preferred": {
        "models": ["Claude Haiku 4.5"],
        "access_method_preference": "global_cris",
    },
    "profile needed": {"models": ["Nova Pro"]},
    "by id": {"models": ["amazon.nova-lite-v1:0"]},
    "by profile id": {"models": ["us.amazon.nova-lite-v1:0"]},
}


def conversations() -> Calls:
    found: Calls = {}
    for key, kw in REQUEST_FIELDS.items():
        found[f"converse/{key}"] = {"do": with_answers(converse(message(), **kw))}
        if key in {"system", "tools", "guardrail", "metadata", "fields", "extra", "performance"}:
            stream = method(manager(), "converse_stream", [message()], **kw)
            found[f"stream/{key}"] = {"do": streamed(stream)}
    for index, config in enumerate(examples(INFERENCE, 20)):
        made = manager(default_inference_config={"maxTokens": 9, "temperature": 0.5})
        do = with_answers(converse(message(), on=made, inference_config=config))
        found[f"converse/inference {index}"] = {"do": do}
    for key, messages in MESSAGES.items():
        found[f"converse/messages {key}"] = {"do": with_answers(converse(*messages))}
    for key, kw in {"tools": {"tool_config": {"tools": [TOOL]}}}.items():
        found[f"converse/tool result with {key}"] = {
            "do": with_answers(converse(*MESSAGES["tool result"], **kw))
        }
    for key, text in ANSWERS.items():
        found[f"converse/answer {key}"] = {
            "do": with_answers(
                converse(text), "get_tool_uses", "get_reasoning", "get_cached_tokens_info"
            )
        }
        found[f"stream/answer {key}"] = {
            "do": streamed(method(manager(), "converse_stream", [text]))
        }
    for key, kw in TARGETS.items():
        made = manager(**kw)
        failing = steps(
            ("m", made),
            ("e", attempt(converse(message(), on=var("m")))),
            ("out", {
                "result": var("e"),
                **{each: attempt(get(var("e"), each)) for each in (
                    "attempts_made", "models_tried", "regions_tried", "last_errors",
                    "attempts", "model_used", "region_used", "access_method_used", "inference_profile_id",
                )},
            }),
        )  # fmt: skip
        found[f"targets/{key}"] = {"do": failing}
        found[f"stream/{key}"] = {"do": streamed(method(made, "converse_stream", [message()]))}
    broken = manager(regions=[STREAM_BREAKS, EAST])
    found["stream/breaks"] = {"do": streamed(method(broken, "converse_stream", [message()]))}
    rotating = manager(regions=[EAST, WEST], region_order="rotate")
    found["targets/rotate"] = {
        "do": steps(
            ("m", rotating),
            ("out", [get(converse(message(), on=var("m")), "region_used") for _ in range(4)]),
        )
    }
    twice = manager(models=["Claude Haiku 4.5"], global_cris_fraction=0.5)
    found["targets/half global"] = {
        "do": steps(
            ("m", twice),
            (
                "out",
                [get(converse(message(), on=var("m")), "access_method_used") for _ in range(4)],
            ),
        )
    }
    for validation in ("accepts", "rejects", "raises", "is_json", "no_result"):
        for retries in (0, 2):
            config = call(f"{STRUCTURES}:ResponseValidationConfig", function(validation), retries)
            made = converse(ANSWERS["json"], response_validation_config=config)
            found[f"validation/{validation} with {retries}"] = {"do": with_answers(made)}
    return found


def streamed(made: Expression) -> Expression:
    parts = (
        "get_full_content", "get_usage", "get_metrics", "get_target_switches", "get_recovery_info",
        "is_streaming_complete", "get_reasoning", "get_citations", "__repr__",
    )  # fmt: skip
    fields = (
        "success", "model_used", "region_used", "access_method_used", "stop_reason",
        "current_message_role", "content_parts",
    )  # fmt: skip
    return steps(
        ("s", made),
        ("chunks", {"$list": var("s")}),
        ("out", {
            "chunks": var("chunks"),
            **{each: get(var("s"), each) for each in fields},
            **{each: method(var("s"), each) for each in parts},
        }),
    )  # fmt: skip


# --- parallel runs --------------------------------------------------------------------------------


def parallel_runs() -> Calls:
    request = f"{PARALLEL}:BedrockConverseRequest"
    good = [call(request, [message(f"q{n}")], request_id=f"good{n}") for n in range(3)]
    bad = [call(request, refused(f"bad {n}"), request_id=f"bad{n}") for n in range(2)]
    strategies = ("CONTINUE_ON_FAILURE", "STOP_ON_FIRST_FAILURE", "STOP_ON_THRESHOLD")
    runs = {"good": good, "mixed": [*good, *bad], "bad": bad}
    found: Calls = {}
    for strategy in strategies:
        for key, requests in runs.items():
            config = call(
                f"{PARALLEL}:ParallelProcessingConfig",
                max_concurrent_requests=1,
                enable_automatic_retry=False,
                failure_handling_strategy=name(f"{PARALLEL}:FailureHandlingStrategy.{strategy}"),
            )
            made = manager(
                regions=[EAST, WEST],
                kind="ParallelLLMManager",
                parallel_config=config,
                retry_config=call(f"{STRUCTURES}:RetryConfig", max_retries=0, retry_delay=0),
            )
            run = steps(
                ("m", made),
                ("r", method(var("m"), "converse_parallel", requests)),
                ("out", ran(var("r"))),
            )
            found[f"parallel/{strategy} {key}"] = {"do": run, "unordered": True}
    config = call(f"{PARALLEL}:ParallelProcessingConfig", enable_automatic_retry=False)
    made = manager(
        regions=[EAST, WEST],
        kind="ParallelLLMManager",
        parallel_config=config,
        retry_config=call(f"{STRUCTURES}:RetryConfig", max_retries=0, retry_delay=0),
    )
    for which in ("first", "none", "all"):
        run = steps(
            ("m", made),
            ("r", method(var("m"), "converse_parallel", [*good, *bad])),
            ("again", method(var("m"), "retry_failed_requests", var("r"), function(which))),
            ("out", ran(var("again"))),
        )
        found[f"parallel/retry {which}"] = {"do": run, "unordered": True}
    arguments: dict[str, list[Any]] = {
        "nothing": [[]],
        "equal ids": [[good[0], good[0]]],
        "no regions asked for": [good, 0],
        "too many regions asked for": [good, 3],
        "two regions each": [good, 2],
        "empty message": [[call(request, [], request_id="x")]],
    }
    for key, args in arguments.items():
        run = steps(
            ("m", made),
            ("r", method(var("m"), "converse_parallel", *args)),
            ("out", ran(var("r"))),
        )
        found[f"parallel/{key}"] = {"do": run, "unordered": True}
    return found


def refused(text: str) -> list[Any]:
    """A tool result without a configuration of tools, which the service does not take."""
    return [message(text), *MESSAGES["tool result"][1:]]


def ran(response: Expression) -> Expression:
    parts = (
        "get_success_rate", "get_total_tokens_used", "get_cache_metrics",
        "get_access_method_statistics", "get_profile_usage_details",
        "get_parameter_compatibility_summary",
    )  # fmt: skip
    fields = ("failed_requests", "failed_request_ids", "successful_request_ids")
    return {
        "success": get(response, "success"),
        **{each: call("builtins:sorted", get(response, each)) for each in fields},
        **{each: method(response, each) for each in parts},
        "retryable": call("builtins:sorted", method(response, "get_retryable_request_ids")),
        "ids": call("builtins:sorted", method(get(response, "request_responses"), "keys")),
        "by type": [
            call("builtins:len", method(response, "get_failed_by_exception_type", kind))
            for kind in ("ClientError", "RequestValidationError", "RetryExhaustedError")
        ],
        "stats": get(response, "parallel_execution_stats"),
    }


# --- catalogue ------------------------------------------------------------------------------------

LOOKED_UP = [
    "Nova Lite", "nova-lite", "Amazon Nova Lite", "Claude 3 Haiku", "Claude Haiku 4.5",
    "Claude 4.5 Sonnet", "Claude Sonnet 4", "Llama 3.1 8B Instruct", "Titan Text Embeddings V2",
    "Command R", "DeepSeek-R1", "gpt-oss-120b", "amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0",
    "zzz", "", " ", "Claude", "Nova",
]  # fmt: skip
WRONG_CATALOGS: list[dict[str, Any]] = [
    {"cache_mode": "file"}, {"cache_max_age_hours": 0}, {"cache_max_age_hours": -1}, {"timeout": 0},
    {"max_workers": 0}, {"max_retries": -1}, {"max_retries": 0}, {"timeout": 5},
    {"cache_directory": "/some/text"}, {"cache_directory": 5},
]  # fmt: skip


def catalogue() -> Calls:
    catalog = call(f"{CATALOG}:BedrockModelCatalog", cache_mode=name(f"{CATALOG}:CacheMode.FILE"))
    found: Calls = {}
    for model in LOOKED_UP:
        found[f"catalogue/{model!r}"] = {
            "do": steps(("c", catalog), ("out", {
                EAST: method(var("c"), "get_model_info", model, EAST),
                "eu": method(var("c"), "get_model_access_info", model, "eu-central-1"),
                "is there": method(var("c"), "is_model_available", model, WEST),
                "nowhere": method(var("c"), "is_model_available", model, "nowhere"),
            }))
        }  # fmt: skip
    listings: dict[str, dict[str, Any]] = {
        "us-east-1": {"region": EAST}, "Anthropic": {"provider": "Anthropic"},
        "anthropic": {"provider": "anthropic"}, "Amazon in eu": {"region": "eu-central-1", "provider": "Amazon"},
        "streaming": {"region": WEST, "streaming_only": True}, "nowhere": {"region": "nowhere"},
    }  # fmt: skip
    for key, kw in listings.items():
        do = call(function("bases"), method(catalog, "list_models", **kw))
        found[f"catalogue/list {key}"] = {"do": do}
    for kw in WRONG_CATALOGS:
        found[f"catalogue/made with {shown(kw)}"] = {
            "do": steps(("c", call(f"{CATALOG}:BedrockModelCatalog", **kw)),
                        ("loaded", get(var("c"), "is_catalog_loaded")))
        }  # fmt: skip
    found["catalogue/source"] = {"do": get(method(catalog, "get_catalog_metadata"), "source")}
    found["regions/all"] = {"do": call("bedrock.models.aws_regions:get_all_regions")}
    for region in (" us-east-1*", "us-east-1", "", "*"):
        found[f"regions/normalized {region!r}"] = {
            "do": [call("bedrock.models.aws_regions:normalize_region_name", region),
                   call("bedrock.models.aws_regions:is_cross_region_inference", region)]
        }  # fmt: skip
    discovery = call(":BedrockRegionDiscovery", cache_dir={"$work": "regions"})
    found["regions/discovered"] = {
        "do": method(method(discovery, "get_bedrock_regions"), "__contains__", EAST)
    }
    found["regions/discovery of 0 hours"] = {
        "do": call(":BedrockRegionDiscovery", cache_dir={"$work": "regions"}, cache_ttl_hours=0)
    }
    return found


# until 4.0.0
def old_managers() -> Calls:
    found: Calls = {}
    for kind in ("ModelManager", "CRISManager", "UnifiedModelManager"):
        found[f"old managers/{kind}"] = {
            "do": call("builtins:type", call(f"bedrock.{kind}:{kind}"))
        }
    unified = call("bedrock.UnifiedModelManager:UnifiedModelManager")
    found["old managers/nothing loaded"] = {
        "do": [
            attempt(method(unified, "get_model_names")),
            attempt(method(unified, "has_model", "x")),
        ]
    }
    return found


# end


def all_calls(data: Path) -> Calls:
    makers: list[Callable[[], Calls]] = [
        structures, responses, builders, lambda: files(data), caching, parameter_and_request_calls, names,
        managers, conversations, parallel_runs, catalogue,
        old_managers,  # until 4.0.0
    ]  # fmt: skip
    found: Calls = {}
    for make in makers:
        found |= make()
    return found


# --- what one writes and the other reads ------------------------------------------------------------

TINY_CATALOG = {
    "models": {
        "Duck": {
            "model_name": "Duck",
            "provider": "Acme",
            "model_id": "acme.duck-v1:0",
            "input_modalities": ["TEXT"],
            "output_modalities": ["TEXT"],
            "streaming_supported": True,
            "inference_parameters_link": None,
            "hyperparameters_link": None,
            "region_access": {
                EAST: {
                    "region": EAST,
                    "has_direct_access": True,
                    "has_regional_cris": True,
                    "has_global_cris": False,
                    "model_id": "acme.duck-v1:0",
                    "regional_cris_profile_id": "us.acme.duck-v1:0",
                    "global_cris_profile_id": None,
                }
            },
        }
    },
    "metadata": {
        "source": "api",
        "retrieval_timestamp": "2026-06-17T12:00:00",
        "api_regions_queried": [EAST],
        "bundled_data_version": None,
        "cache_file_path": None,
    },
}
REQUEST = call(
    f"{PARALLEL}:BedrockConverseRequest",
    [message()],
    [{"text": "s"}],
    request_id="r",
    max_retries=2,
)
FULL_RESPONSE = call(
    f"{RESPONSE}:BedrockResponse",
    success=True,
    response_data={"output": {"message": {"content": [{"text": "x"}]}}, "usage": USAGE},
    **{
        each: STATES["profile"][each] for each in STATES["profile"] if each.endswith(("used", "id"))
    },
    attempts=[ATTEMPT],
    warnings=["w"],
)
TINY = call(f"{CATALOG}:UnifiedCatalog.from_dict", TINY_CATALOG)

# Kind of object -> how one is made, and its class where that has `from_dict`.
EXCHANGED: dict[str, tuple[Expression, str | None]] = {
    "RetryConfig": (call(f"{STRUCTURES}:RetryConfig", max_retries=7), None),
    "AuthConfig": (
        call(f"{STRUCTURES}:AuthConfig", name(f"{STRUCTURES}:AuthenticationType.AUTO")),
        None,
    ),
    "Boto3Config": (call(":Boto3Config", read_timeout=5), None),
    "CacheConfig": (call(f"{CACHING}:CacheConfig", enabled=True), None),
    "ParallelProcessingConfig": (call(f"{PARALLEL}:ParallelProcessingConfig"), None),
    "ValidationResult": (
        call(f"{STRUCTURES}:ValidationResult", success=False, error_message="m"),
        f"{STRUCTURES}:ValidationResult",
    ),
    "ModelSpecificConfig": (
        call("bedrock.models.model_specific_structures:ModelSpecificConfig", True, {"a": 1}),
        "bedrock.models.model_specific_structures:ModelSpecificConfig",
    ),
    "BedrockConverseRequest": (REQUEST, f"{PARALLEL}:BedrockConverseRequest"),
    "BedrockResponse": (FULL_RESPONSE, f"{RESPONSE}:BedrockResponse"),
    "ParallelResponse": (
        call(
            f"{PARALLEL}:ParallelResponse",
            True,
            {"r": FULL_RESPONSE},
            original_requests={"r": REQUEST},
        ),
        None,
    ),
    "UnifiedCatalog": (TINY, f"{CATALOG}:UnifiedCatalog"),
    "ModelAccessInfo": (
        call("bedrock.models.access_method:ModelAccessInfo", EAST, True, model_id="m"),
        None,
    ),
    "ToolUse": (call(":ToolUse", "t", "f", {"a": 1}), None),
    "ReasoningContent": (call(":ReasoningContent", "why", "sig"), None),
    "RetryExhaustedError": (
        call("bedrock.exceptions:RetryExhaustedError", "gone", attempts_made=2),
        None,
    ),
}


def writing() -> Calls:
    """Calls that give texts for the other package to read, and what they should read."""
    found: Calls = {}
    for kind, (made, has_dict) in EXCHANGED.items():
        found[f"pickle of {kind}"] = {"do": {"$pickle": made}, "raw": True}
        found[f"meaning of {kind}"] = {"do": made}
        if has_dict:
            found[f"dict of {kind}"] = {"do": {"$json": method(made, "to_dict")}, "raw": True}
    caches = call(
        "bedrock.catalog.cache_manager:CacheManager",
        name(f"{CATALOG}:CacheMode.FILE"),
        {"$work": "written"},
    )
    found["cache file"] = {
        "do": steps(
            ("m", caches),
            ("s", method(var("m"), "save_cache", TINY)),
            ("t", {"$text": "written/bedrock_catalog.json"}),
        ),
        "raw": True,
    }
    return found


KNOWN_NAMES = {
    "names": {"do": call(function("resolved"), call(function("known_names"))), "raw": True},
}


def reading(written: Mapping[str, Any]) -> Calls:
    """Calls that read what the other package wrote; `written`: outcomes of `writing`."""
    found: Calls = {}
    for kind, (_, has_dict) in EXCHANGED.items():
        found[f"pickle of {kind}"] = {"do": {"$unpickle": written[f"pickle of {kind}"]["value"]}}
        if has_dict:
            content = json.loads(written[f"dict of {kind}"]["value"])
            found[f"dict of {kind}"] = {"do": call(f"{has_dict}.from_dict", content)}
    caches = call(
        "bedrock.catalog.cache_manager:CacheManager",
        name(f"{CATALOG}:CacheMode.FILE"),
        {"$work": "read"},
        1e6,
    )
    found["cache file"] = {
        "do": steps(
            ("w", {"$write": "read/bedrock_catalog.json", "text": written["cache file"]["value"]}),
            ("m", caches),
            ("l", method(var("m"), "load_cache")),
        )
    }
    return found
