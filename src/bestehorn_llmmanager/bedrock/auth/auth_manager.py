"""Makes one session per credential set, and from it one client per service and region."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.auth.credentials import (
    BEARER_TOKEN_VARIABLE,
    has_evidence_of_credentials,
    may_have_credentials,
)
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3.session import Session
    from botocore.config import Config

    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import Boto3Config

# How long the question "is this an EC2 instance?" may take where nothing points at credentials.
_METADATA_SECONDS = 1.0


class AuthManager:
    """Sessions and clients of one credential set.

    Constructing it does nothing but store the configuration. boto3 is imported when the first
    session is made. No STS call is made at any time.

    Safe to share between threads; one lock guards the making of sessions and clients, because
    boto3 does not.

    Args:
        auth_config: Where credentials come from; None means botocore's own chain.
        boto3_config: Settings of the clients; None means botocore's own.
    """

    def __init__(
        self, auth_config: AuthConfig | None = None, boto3_config: Boto3Config | None = None
    ) -> None:
        self._auth_config = auth_config or AuthConfig(auth_type=AuthenticationType.AUTO)
        self._boto3_config = boto3_config
        self._lock = threading.RLock()
        self._sessions: dict[str | None, Session] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    def __repr__(self) -> str:
        return f"AuthManager(auth_type={self._auth_config.auth_type.value})"

    def may_have_credentials(self) -> bool:
        """Whether it is worth asking AWS at all; neither imports boto3 nor sends anything."""
        return may_have_credentials(self._auth_config)

    def get_session(self, region: str | None = None) -> Session:
        """A session with credentials, for `region` or the one of the `AuthConfig`.

        Raises:
            AuthenticationError: There are no credentials, or the profile does not exist.
        """
        region = region or self._auth_config.region
        with self._lock:
            session = self._sessions.get(region)
            if session is None:
                session = self._sessions[region] = self._make_session(region)
            return session

    def get_bedrock_client(self, region: str) -> Any:
        """The `bedrock-runtime` client of `region`, always the same one.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
        """
        return self._shared_client("bedrock-runtime", region)

    def get_bedrock_control_client(self, region: str) -> Any:
        """The `bedrock` (control plane) client of `region`, always the same one.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
        """
        return self._shared_client("bedrock", region)

    def new_client(self, service: str, region: str, config: Config | None = None) -> Any:
        """A client of its own for the caller, who closes it.

        Args:
            service: ``"bedrock"`` or ``"bedrock-runtime"``.
            region: AWS region code.
            config: Wins over the `Boto3Config`, setting by setting.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
        """
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415

        own = self._boto3_config.to_botocore_config() if self._boto3_config else None
        merged = own.merge(config) if own and config else config or own
        with self._lock:
            session = self.get_session()
            try:
                return session.client(service, region_name=region, config=merged)
            except (BotoCoreError, ValueError) as error:
                raise self._error(f"Cannot make a `{service}` client: {error}", region) from error

    def get_auth_info(self) -> dict[str, Any]:
        """`auth_type`, `profile_name`, `region` and `has_session`; never a secret."""
        is_profile = self._auth_config.auth_type is AuthenticationType.PROFILE
        return {
            "auth_type": self._auth_config.auth_type.value,
            "profile_name": self._auth_config.profile_name if is_profile else None,
            "region": self._auth_config.region,
            "has_session": bool(self._sessions),
        }

    def _shared_client(self, service: str, region: str) -> Any:
        client = self._clients.get((service, region))
        if client is not None:
            return client
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._clients[service, region] = self.new_client(service, region)
            return client

    def _make_session(self, region: str | None) -> Session:
        from boto3.session import Session  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ProfileNotFound  # noqa: PLC0415

        try:
            session = Session(**self._session_arguments(), region_name=region)
            found = self._credentials(session)
        except ProfileNotFound as error:
            raise self._error(
                f"There is no AWS profile {error.kwargs.get('profile')!r}. "
                "`aws configure list-profiles` shows those that exist.",
                region,
            ) from error
        except (BotoCoreError, OSError, ValueError) as error:
            raise self._error(f"Cannot get AWS credentials: {error}", region) from error
        if found is None and not os.environ.get(BEARER_TOKEN_VARIABLE):
            raise self._error(
                "There are no AWS credentials: neither variables, profile, container, web "
                "identity nor instance role. Set them up, or pass an `AuthConfig`.",
                region,
            )
        return session

    def _session_arguments(self) -> dict[str, Any]:
        config = self._auth_config
        if config.auth_type is AuthenticationType.PROFILE:
            return {"profile_name": config.profile_name}
        if config.auth_type is AuthenticationType.CREDENTIALS:
            return {
                "aws_access_key_id": config.access_key_id,
                "aws_secret_access_key": config.secret_access_key,
                "aws_session_token": config.session_token,
            }
        return {}

    def _credentials(self, session: Session) -> object:
        if has_evidence_of_credentials(self._auth_config):
            return session.get_credentials()
        return _within(_METADATA_SECONDS, session.get_credentials)

    def _error(self, message: str, region: str | None) -> AuthenticationError:
        return AuthenticationError(
            message, auth_type=self._auth_config.auth_type.value, region=region
        )


def _within(seconds: float, work: Callable[[], object]) -> object:
    """The result of `work`, or None if it takes longer; it is then left to end by itself."""
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    results: list[object] = []

    def run() -> None:
        with contextlib.suppress(BotoCoreError, OSError, ValueError):  # there are none, then
            results.append(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None
