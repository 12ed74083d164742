"""Where this package may differ from 0.9.0, by the row of `docs/differences.md` that says why.

A key is ``<heading>: <first cell of the row>``; a pattern is ``<key of a call> @ <place>`` with `*`
for anything, or the key alone for all its places.
"""

from __future__ import annotations

DIFFERENCES: dict[str, tuple[str, ...]] = {
    # --- structures
    "Structures: `repr(AuthConfig)`": ("structures/repr(AuthConfig)",),
    "Structures: Keys with characters that no key has": (
        "structures/AuthConfig(session_token='Ünïcode')",
    ),
    "Structures: `RetryConfig` with strings": (
        "structures/RetryConfig(retry_strategy='*",
        "structures/RetryConfig(retryable_errors='A')",
    ),
    "Structures: A negative `max_retries_per_request`": (
        "structures/ParallelProcessingConfig(*max_retries_per_request=-1*",
    ),
    "Structures: `BedrockResponse` and `StreamingResponse` of `llm_manager_structures`": (
        "structures/one class BedrockResponse",
    ),
    "Structures: `BedrockConverseRequest`": (
        "requests/bytes in system",
        "requests/with * @ value.again.<BedrockConverseRequest>.*",
        "requests/with * @ value.dict.m*",
    ),
    "Structures: `RequestValidator`": ("requests/structure of *",),
    # --- manager
    "Manager: A string instead of a list": (
        "manager/regions of a string @ raises",
        "parallel/manager * of a string @ raises",
    ),
    "Manager: A wrong `default_inference_config`": ("manager/default_inference_config of text",),
    "Manager: A model or region that cannot be called beside others that can": (
        "manager/one unknown * @ value.valid.warnings",
        "parallel/manager one unknown * @ value.warnings",
    ),
    # --- request
    "Request: What the service would refuse": (
        "converse/extra unknown @ raises",
        "converse/unknown inference member @ raises",
        "converse/wrong temperature @ raises",
        "converse/messages unknown block @ raises",
        "converse/messages assistant first*",
        "converse/messages empty content*",
    ),
    "Request: The role `system`": ("converse/messages role system",),
    "Request: Many images or videos": ("converse/messages 21 images",),
    "Request: Document names": ("converse/messages document name*",),
    "Request: Extended context": ("parameters/*",),
    "Request: Cache points": ("caching/*",),
    # --- retry
    "Retry: An error that no target can cure": ("converse/messages tool result",),
    "Retry: `max_retries`": (
        "targets/throttled @ sent",
        "targets/broken everywhere @ sent",
        "targets/models first @ sent",
    ),
    "Retry: What errors tell": (
        "targets/* @ value.attempts",
        "targets/* @ value.*s_tried[*",
    ),
    "Retry: Preference and share of global profiles": (
        "targets/half global*",
        "stream/global preferred @ sent[0].model_id",
    ),
    "Retry: Ids and ARNs as models": ("targets/by *", "stream/by *"),
    "Retry: An answer that is not accepted": ("validation/*",),
    # --- response
    "Response: Profile and access method": (
        "targets/profile needed @ *",
        "targets/profile only @ *",
        "targets/global preferred @ *",
    ),
    "Response: Answers of an unexpected shape": (
        "response/of output 7 @ *",
        "response/of output 8 @ *",
        "response/of output 9 @ *",
        "response/of output 10 @ *",
        "response/of output 13 @ *",
        "response/of output 14 @ *",
        "response/of output 15 @ *",
    ),
    "Response: `get_cache_efficiency()`": ("* @ value.get_cache_efficiency.cached_share",),
    "Response: `had_validation_failures()`": ("response/validated @ *had_validation_failures",),
    "Response: `to_dict()` and `to_json()`": (
        "* @ value.to_*.attempt_log",
        "* @ value.to_*.model_id_used",
        "response/bytes @ value.to_json.*",
    ),
    # --- streaming
    "Streaming: Access method and profile": ("stream/* @ value.access_method_used",),
    "Streaming: Hidden reasoning": ("stream/answer reasoning @ *",),
    "Streaming: A stream that breaks": ("stream/breaks @ *",),
    "Streaming: A stream that never begins": (
        "stream/denied @ value.*",
        "stream/throttled @ *",
        "stream/broken everywhere @ *",
        "stream/models first @ *",
    ),
    "Streaming: Profiles, parameters and features": ("stream/profile needed @ *",),
    # --- builder
    "Builder: What a file is": ("detection/*", "builder/bytes of *", "builder/local *"),
    "Builder: Formats as strings": ("builder/add_image_bytes 10: *",),
    "Builder: Qualifiers of guard content": ("builder/add_guard_content 3: *",),
    # --- catalogue
    "Catalogue: A name of another model": (
        "catalogue/'Claude Sonnet 4' @ *",
        "catalogue/'Titan Text Embeddings V2' @ *",
    ),
    "Catalogue: Ids and ARNs": ("catalogue/'amazon.nova-*", "catalogue/'us.amazon.nova-*"),
    "Catalogue: Direct access": (
        "catalogue/'Amazon Nova Lite' @ value.eu.*",
        "catalogue/'Nova Lite' @ value.eu.*",
        "catalogue/'nova-lite' @ value.eu.*",
        "catalogue/'Llama 3.1 8B Instruct' @ *",
        "manager/access of Nova * in eu-central-1 @ *",
        "targets/*, then fine @ sent[0].model_id",
        "targets/*, then fine @ value.*.access_method",
        "targets/*, then fine @ value.attempts[0].<RequestAttempt>.access_method",
        "targets/denied @ sent[0].model_id",
        "stream/*, then fine @ sent[0].model_id",
        "stream/denied @ sent[0].model_id",
    ),
    "Catalogue: Models of one name": ("catalogue/list *",),
    "Catalogue: `metadata.source`": ("catalogue/source",),
    "Catalogue: `cache_directory`": ("catalogue/made with cache_directory=*",),
    "Catalogue: `max_retries`": ("catalogue/made with max_retries=-1",),
    # --- parallel
    "Parallel: Regions of a request": ("parallel/* @ sent[1].region",),
    "Parallel: Hopeless requests": ("parallel/* @ sent",),
    "Parallel: Retrying a part of the failures": ("parallel/retry first @ value.*",),
    # --- discovery
    "Discovery: Regions": ("regions/all",),
}
