"""Asks the model catalogue what there is, where it can be called, and by which identifier.

With AWS credentials it talks to AWS. Without, it starts a Bedrock endpoint on this machine
(`LocalBedrock`) and says so.

    python examples/catalog_basic_usage.py
"""

from __future__ import annotations

from contextlib import ExitStack

from bestehorn_llmmanager import AuthenticationError, BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.testing import LocalBedrock

REGIONS = ["us-east-1", "eu-central-1"]
# A name, another spelling, a model id, a profile id and an ARN: all the same model.
SPELLINGS = [
    "Claude Haiku 4.5",
    "claude-haiku-4-5",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
]


def main() -> None:
    with ExitStack() as stack:
        if not has_credentials():
            local = stack.enter_context(LocalBedrock(set_environment=True))
            print(f"No AWS credentials: using LocalBedrock at {local.url}.\n")
        # Nothing is asked before the first query; then these regions, and no others.
        catalog = BedrockModelCatalog(cache_mode=CacheMode.MEMORY, regions=REGIONS)
        show_source(catalog)
        show_access(catalog)
        show_model(catalog)
        show_lists(catalog)
        show_what_is_missing(catalog)


def has_credentials() -> bool:
    try:
        AuthManager().get_session()
    except AuthenticationError:
        return False
    return True


def show_source(catalog: BedrockModelCatalog) -> None:
    for region in REGIONS:
        entry = catalog.get_catalog_metadata().regions_metadata[region]
        print(f"{region}: source {entry.source.value}, {entry.retrieval_timestamp:%Y-%m-%d}")


def show_access(catalog: BedrockModelCatalog) -> None:
    print()
    for region in REGIONS:
        access = catalog.get_model_info("Nova Lite", region)
        assert access is not None
        print(f"Nova Lite in {region}: {access.get_access_summary()}")
        print(f"  on demand: {access.model_id}")
        print(f"  regional profile: {access.regional_cris_profile_id}")
        print(f"  global profile: {access.global_cris_profile_id}")


def show_model(catalog: BedrockModelCatalog) -> None:
    names = {model.model_name for text in SPELLINGS if (model := catalog.find_model(text))}
    print(f"\n{len(SPELLINGS)} ways to write it, models found: {', '.join(names)}")
    model = catalog.find_model("Claude Haiku 4.5")
    assert model is not None
    assert model.facts is not None
    print(f"  {', '.join(model.input_modalities)} in, {', '.join(model.output_modalities)} out")
    print(f"  context window: {model.facts.context_window_tokens:,} tokens")
    for profile in model.profiles:
        if "eu-central-1" in profile.routes:
            routes = profile.routes["eu-central-1"]
            destinations = "anywhere" if "*" in routes else ", ".join(routes)
            print(f"  {profile.profile_id} routes from eu-central-1 to {destinations}")


def show_lists(catalog: BedrockModelCatalog) -> None:
    lists = {
        "all": catalog.list_models(),
        "in eu-central-1": catalog.list_models(region="eu-central-1"),
        "by Amazon, in eu-central-1": catalog.list_models("eu-central-1", "Amazon"),
        "that stream": catalog.list_models(streaming_only=True),
        "that see images": catalog.list_models(input_modality="IMAGE"),
        "on demand in us-east-1": catalog.list_models("us-east-1", access_method="direct"),
    }
    print()
    for title, models in lists.items():
        print(f"{len(models):4} {title}: {', '.join(model.model_name for model in models[:3])}, …")


def show_what_is_missing(catalog: BedrockModelCatalog) -> None:
    print()
    for name, region in ("Claude Haiku 4", "eu-central-1"), ("Nova Premier", "eu-central-1"):
        assert catalog.get_model_info(name, region) is None
        print(catalog.explain_missing(name, region))


if __name__ == "__main__":
    main()
