"""Remembers, for the whole process, how a model has to be called in a region."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from bestehorn_llmmanager._fork import start_afresh_after_fork
from bestehorn_llmmanager.bedrock.models.access_method_preference import AccessMethodPreference


class AccessMethodTracker:
    """One preference for each pair of model id and region; the same object wherever it is made.

    Only what was learned from an error says how a model has to be called. A success is what it
    is; whoever prefers another method is not bound by it.

    Safe to share between threads: a lock guards the changes, looking up takes none.
    """

    _instance: ClassVar[AccessMethodTracker | None] = None
    _making: ClassVar[threading.Lock] = threading.Lock()
    _preferences: dict[tuple[str, str], AccessMethodPreference]
    _lock: threading.Lock

    def __new__(cls) -> AccessMethodTracker:  # noqa: PYI034  (there is one object, of this class)
        if cls._instance is None:
            with cls._making:
                if cls._instance is None:
                    made = super().__new__(cls)
                    made._preferences = {}
                    made._start_afresh()
                    cls._instance = made
        return cls._instance

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        start_afresh_after_fork(self)

    @classmethod
    def get_instance(cls) -> AccessMethodTracker:
        """The one object."""
        return cls()

    @classmethod
    def reset_for_testing(cls) -> None:
        """Forget everything; whoever holds the old object holds an empty one of the past."""
        with cls._making:
            if cls._instance is not None:
                cls._instance._preferences = {}  # noqa: SLF001  (it is of this class)
            cls._instance = None

    def record_success(
        self,
        model_id: str,
        region: str,
        access_method: str,
        model_id_used: str,  # noqa: ARG002  (part of the 0.9.0 interface)
    ) -> None:
        """Prefer the method that worked; replaces what was known, also from an error."""
        self._remember(
            model_id,
            region,
            AccessMethodPreference(
                prefer_direct=access_method == "direct",
                prefer_regional_cris=access_method == "regional_cris",
                prefer_global_cris=access_method == "global_cris",
            ),
        )

    def record_profile_requirement(self, model_id: str, region: str) -> None:
        """Remember that the service wants an inference profile; the regional one is first."""
        self._remember(
            model_id,
            region,
            AccessMethodPreference(
                prefer_direct=False, prefer_regional_cris=True, learned_from_error=True
            ),
        )

    def get_preference(self, model_id: str, region: str) -> AccessMethodPreference | None:
        """What was recorded last."""
        return self._preferences.get((model_id, region))

    def requires_profile(self, model_id: str, region: str) -> bool:
        """Whether the service said that the model is served through a profile only."""
        known = self._preferences.get((model_id, region))
        return known is not None and known.learned_from_error and not known.prefer_direct

    def get_statistics(self) -> dict[str, Any]:
        """Numbers of pairs; each counts under the first method of its preference."""
        with self._lock:
            known = list(self._preferences.values())
        methods = [preference.get_preferred_method() for preference in known]
        errors = [preference for preference in known if preference.learned_from_error]
        return {
            "total_tracked": len(known),
            "profile_required_count": sum(not preference.prefer_direct for preference in errors),
            "direct_access_count": methods.count("direct"),
            "regional_cris_count": methods.count("regional_cris"),
            "global_cris_count": methods.count("global_cris"),
            "learned_from_error_count": len(errors),
        }

    def _remember(self, model_id: str, region: str, preference: AccessMethodPreference) -> None:
        with self._lock:
            self._preferences[model_id, region] = preference
