"""What a query of a loaded catalogue costs, by each kind of identifier, at 1 x and 100 x the models.

python scripts/benchmarks/lookup.py
"""

from __future__ import annotations

import logging
import statistics
import timeit
from dataclasses import replace
from time import perf_counter

from measuring import print_table

from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
from bestehorn_llmmanager.bedrock.models.catalog_structures import CatalogSource, UnifiedCatalog

MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
FORMS = {
    "name": "Claude Haiku 4.5",
    "model id": MODEL,
    "profile id": f"us.{MODEL}",
    "foundation-model ARN": f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",
    "profile ARN": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{MODEL}",
    "other spelling": "claude-haiku-4-5",
    "unknown": "no such model 4.5",
}
LOOPS = 20_000


def main() -> None:
    logging.disable()
    small, large = loaded(bundled_catalog()), loaded(times_hundred(bundled_catalog()))
    rows = [["`get_model_info` by", "1 x the models", "100 x the models"], ["---"] * 3]
    rows += [[form, cost(small, text), cost(large, text)] for form, text in FORMS.items()]
    print_table(f"Microseconds, median of 7 x {LOOPS} calls (lowest-highest)", rows)
    started = perf_counter()
    fresh = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    bundled_catalog.cache_clear()
    fresh.get_model_info(MODEL, "us-east-1")
    print(
        f"\nfrom the bundled file to the first answer: {(perf_counter() - started) * 1000:.1f} ms"
    )


def cost(catalog: BedrockModelCatalog, text: str) -> str:
    catalog.get_model_info(text, "us-east-1")
    runs = timeit.repeat(lambda: catalog.get_model_info(text, "us-east-1"), number=LOOPS, repeat=7)
    each = [seconds / LOOPS * 1e6 for seconds in runs]
    return f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})"


def loaded(catalog: UnifiedCatalog) -> BedrockModelCatalog:
    """A catalogue object that serves exactly these models, through its cache."""
    served = BedrockModelCatalog(
        cache_mode=CacheMode.MEMORY,
        refresh="never",
        regions=["us-east-1"],
        fallback_to_bundled=False,
    )
    metadata = replace(catalog.metadata, source=CatalogSource.API)
    served._cache.save_cache(replace(catalog, metadata=metadata))  # noqa: SLF001
    served.ensure_catalog_available()
    return served


def times_hundred(catalog: UnifiedCatalog) -> UnifiedCatalog:
    models = dict(catalog.models)
    for copy in range(1, 100):
        for model in catalog.models.values():
            name = f"{model.model_name} copy {copy}"
            profiles = [replace(p, profile_id=f"{p.profile_id}-{copy}") for p in model.profiles]
            models[name] = replace(
                model,
                model_name=name,
                model_id=f"{model.model_id}-{copy}",
                profiles=profiles,
                context_variants=[],
                former_names=[],
            )
    return replace(catalog, models=models)


if __name__ == "__main__":
    main()
