"""Finds the model that a name, an id, a profile id or an ARN stands for; never guesses."""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.catalog.name_normalizer import normalize_model_name
from bestehorn_llmmanager.bedrock.models.arns import parse_arn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from dataclasses import dataclass

    from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import (
        AliasGenerationConfig,
        ModelNameMatch,
    )
    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
    from bestehorn_llmmanager.bedrock.models.model_details import NotCallableModel
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo
else:
    from bestehorn_llmmanager._dataclass import dataclass

_CATALOGUED_ARN_KINDS = ("foundation-model", "inference-profile")

# `resolve_name(strict=False)` and `get_suggestions` score as 0.9.0 did.
_CLOSE_ENOUGH_TO_MATCH = 0.7
_DIFFLIB_CUTOFF = 0.6
_WORTH_SUGGESTING = 0.3
_WORTH_SUGGESTING_FOR_SHORT_INPUT = 0.2
_SHORT_INPUT = 5


@dataclass(frozen=True)
class _Meaning:
    """What a name can mean: one model, or several where it is ambiguous."""

    match_type: str
    models: tuple[UnifiedModelInfo, ...]


class ModelNameResolver:
    """Look-up of models in one catalogue, which it does not change.

    Safe to share between threads: the table of spellings is made on first need, aside, and then
    put in place.

    Args:
        catalog: The models to find.
        config: Which further names the models get; all, if not given.
    """

    def __init__(
        self, catalog: UnifiedCatalog, config: AliasGenerationConfig | None = None
    ) -> None:
        self._catalog = catalog
        self._config = config
        models = catalog.models
        with_provider = {f"{model.provider} {name}": model for name, model in models.items()}
        self._ids = dict(_identifiers(models.values()))
        self._exact = {**with_provider, **self._ids, **models}
        self._names: dict[str, _Meaning] | None = None
        self._spellings: dict[str, _Meaning] | None = None

    def find(self, text: str, *, any_spelling: bool = True) -> UnifiedModelInfo | None:
        """The model that `text` stands for, or None if there is none or it is ambiguous.

        Args:
            text: Canonical name, model id, profile id, id with a context length, foundation-model
                or inference-profile ARN, name with its provider in front, or a former name.
            any_spelling: Whether case, spaces, dots and dashes may differ.
        """
        model = self._exact.get(text)
        if model is not None:
            return model
        if text.startswith("arn:"):
            return self._find_arn(text)
        meaning = self._meaning(text, any_spelling=any_spelling)
        return meaning.models[0] if meaning and len(meaning.models) == 1 else None

    def meanings(self, text: str) -> list[str]:
        """Canonical names of the models that `text` can mean; several if it is ambiguous."""
        model = self.find(text)
        if model is not None:
            return [model.model_name]
        meaning = self._meaning(text, any_spelling=True)
        return [model.model_name for model in meaning.models] if meaning else []

    def find_not_callable(self, text: str) -> NotCallableModel | None:
        """The model that is known but cannot be called, by its id, a name or a former name."""
        wanted = normalize_model_name(text)
        for model in self._catalog.not_callable.values():
            provider = normalize_model_name(model.provider) + " "
            spellings = map(normalize_model_name, self._names_of(model))
            if wanted.removeprefix(provider) in {name.removeprefix(provider) for name in spellings}:
                return model
        return None

    def _names_of(self, model: NotCallableModel) -> Iterator[str]:
        from bestehorn_llmmanager.bedrock.catalog.name_aliases import aliases_of  # noqa: PLC0415

        yield model.model_id
        for name in (model.name, *model.former_names):
            yield name
            yield from aliases_of(name, self._alias_config())

    def resolve_name(self, user_name: str, strict: bool = False) -> ModelNameMatch | None:
        """Find a name, and say by which rule.

        Unlike `find`, this explicit tool may go by similarity: then the match is `FUZZY` (or
        `NORMALIZED` with 0.9 for a part of exactly one name), its confidence is below 1, and it
        is for the caller to decide. No model is called because of it.

        Args:
            user_name: Any name or identifier.
            strict: Leave similarity out.
        """
        from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import (  # noqa: PLC0415
            MatchType,
            ModelNameMatch,
        )

        def match(name: str, kind: MatchType, confidence: float) -> ModelNameMatch:
            return ModelNameMatch(name, kind, confidence, user_name)

        if not user_name.strip():
            return None
        if user_name in self._catalog.models:
            return match(user_name, MatchType.EXACT, 1.0)
        exact = self.find(user_name, any_spelling=False)
        if exact:
            meaning = self._meaning(user_name, any_spelling=False)
            kind = MatchType(meaning.match_type) if meaning else MatchType.ALIAS
            return match(exact.model_name, kind, 1.0)
        spelled = self.find(user_name)
        if spelled:
            return match(spelled.model_name, MatchType.NORMALIZED, 0.95)
        if strict or len(self.meanings(user_name)) > 1:
            return None
        part_of = self._names_containing(user_name)
        if len(part_of) == 1:
            return match(part_of[0], MatchType.NORMALIZED, 0.9)
        similar = self._most_similar(user_name)
        return match(similar[0], MatchType.FUZZY, similar[1]) if similar else None

    def get_suggestions(self, user_name: str, max_suggestions: int = 5) -> list[str]:
        """Canonical names close to `user_name`, best first; empty for a blank one."""
        wanted = user_name.strip()
        if not wanted:
            return []
        short = len(wanted) < _SHORT_INPUT
        limit = _WORTH_SUGGESTING_FOR_SHORT_INPUT if short else _WORTH_SUGGESTING
        scored = sorted(
            ((-_score(wanted, name), name) for name in self._catalog.models),
        )
        return [name for score, name in scored if -score >= limit][:max_suggestions]

    def generate_aliases(self, model_info: UnifiedModelInfo) -> list[str]:
        """Further names of the model, unique when spelled alike."""
        from bestehorn_llmmanager.bedrock.catalog.name_aliases import aliases_of  # noqa: PLC0415

        return aliases_of(model_info.model_name, self._alias_config())

    def _find_arn(self, text: str) -> UnifiedModelInfo | None:
        arn = parse_arn(text)
        known = arn is not None and arn.kind in _CATALOGUED_ARN_KINDS
        return self._ids.get(arn.resource_id) if arn and known else None

    def _meaning(self, text: str, *, any_spelling: bool) -> _Meaning | None:
        if any_spelling:
            if self._spellings is None:
                self._spellings = self._index(normalize_model_name)
            return self._spellings.get(normalize_model_name(text))
        if self._names is None:
            self._names = self._index(str)
        return self._names.get(text)

    def _index(self, key: Callable[[str], str]) -> dict[str, _Meaning]:
        """Every name under its key; a name of a higher rank wins, one that is unique breaks a tie."""
        index: dict[str, _Meaning] = {}
        for match_type, names in self._names_by_rank():
            for name, meaning in _meanings(match_type, names, key).items():
                known = index.get(name)
                if known is None or _decides(meaning, known):
                    index[name] = meaning
        index.pop("", None)
        return index

    def _names_by_rank(self) -> Iterator[tuple[str, list[tuple[str, UnifiedModelInfo]]]]:
        """What AWS says today beats what earlier releases called a model, rules come after both."""
        from bestehorn_llmmanager.bedrock.catalog.name_aliases import aliases_of  # noqa: PLC0415

        models = self._catalog.models
        config = self._alias_config()
        yield "exact", list(models.items())
        yield "alias", list(self._exact.items())
        yield "alias", [(f"{m.provider} {m.api_name}", m) for m in models.values()]
        former = [(old, m) for m in models.values() for old in m.former_names]
        if config.include_legacy_mappings:
            yield "legacy", former
        yield "alias", [(a, m) for m in models.values() for a in aliases_of(m.api_name, config)]
        if config.include_legacy_mappings:
            yield "alias", [(alias, m) for old, m in former for alias in aliases_of(old, config)]
        yield (
            "alias",
            [(name.partition(" (")[0], m) for name, m in models.items() if name.endswith(")")],
        )

    def _alias_config(self) -> AliasGenerationConfig:
        from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import (  # noqa: PLC0415
            AliasGenerationConfig,
        )

        return self._config or AliasGenerationConfig()

    def _names_containing(self, user_name: str) -> list[str]:
        """Models of which exactly one normalised name has the input as a part."""
        part = normalize_model_name(user_name)
        self._meaning("", any_spelling=True)
        holding = [m for name, m in (self._spellings or {}).items() if part and part in name]
        if len(holding) != 1 or len(holding[0].models) != 1:
            return []
        return [holding[0].models[0].model_name]

    def _most_similar(self, user_name: str) -> tuple[str, float] | None:
        from difflib import SequenceMatcher, get_close_matches  # noqa: PLC0415

        folded = user_name.casefold()
        names = list(self._catalog.models)
        holding = [n for n in names if folded in n.casefold() or n.casefold() in folded]
        if len(holding) == 1:
            return holding[0], 0.85
        for name in get_close_matches(user_name, names, n=1, cutoff=_DIFFLIB_CUTOFF):
            ratio = SequenceMatcher(None, folded, name.casefold()).ratio()
            if ratio >= _CLOSE_ENOUGH_TO_MATCH:
                return name, 0.9 * ratio
        return None


def _identifiers(models: Iterable[UnifiedModelInfo]) -> Iterator[tuple[str, UnifiedModelInfo]]:
    for model in models:
        variants = [variant.model_id for variant in model.context_variants]
        for identifier in (model.model_id, *_profile_ids(model), *variants):
            if identifier:
                yield identifier, model


def _profile_ids(model: UnifiedModelInfo) -> list[str]:
    if model.profiles or model.inference_types:
        return [profile.profile_id for profile in model.profiles]
    # Data of 0.9.0 names the profiles only region by region.
    return model.get_inference_profiles()


def _meanings(
    match_type: str, names: Iterable[tuple[str, UnifiedModelInfo]], key: Callable[[str], str]
) -> dict[str, _Meaning]:
    found: dict[str, dict[int, UnifiedModelInfo]] = {}
    for name, model in names:
        found.setdefault(key(name), {})[id(model)] = model
    return {name: _Meaning(match_type, tuple(models.values())) for name, models in found.items()}


def _decides(lower: _Meaning, higher: _Meaning) -> bool:
    """Whether a name of lower rank settles one that is ambiguous in a higher."""
    return len(lower.models) == 1 < len(higher.models)


def _score(wanted: str, name: str) -> float:
    from difflib import SequenceMatcher  # noqa: PLC0415

    folded, other = wanted.casefold(), name.casefold()
    if wanted == name:
        return 1.0
    if normalize_model_name(wanted) == normalize_model_name(name):
        return 0.95
    if folded in other:
        return 0.7 + 0.2 * len(folded) / len(other)
    if other in folded:
        return 0.85 * len(other) / len(folded)
    return 0.8 * SequenceMatcher(None, folded, other).ratio()
