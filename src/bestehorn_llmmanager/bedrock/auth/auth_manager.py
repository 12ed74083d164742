"""Makes one session per credential set, and from it the clients that all threads share."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._fork import NoForkMeanwhile, start_afresh_after_fork
from bestehorn_llmmanager.bedrock.auth.credentials import may_have_credentials
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
)

if TYPE_CHECKING:
    from types import TracebackType

    import boto3.session
    from botocore.config import Config
    from botocore.session import Session
    from typing_extensions import Self

READ_TIMEOUT_STEPS = (1, 2, 5, 10, 30, 60, 300, 600)
"""Seconds that clients wait for an answer; there is one per step, made when needed."""

_BOTOCORE_TIMEOUTS = Boto3Config(read_timeout=60, connect_timeout=60)
# 30 seconds are still 30 seconds when a call has come as far as choosing its client.
_TOLERANCE_SECONDS = 0.05
# What another target needs at least, with the making of clients, and from which step on this is the
# smaller part of it.
_SECONDS_FOR_ANOTHER = 1.25
_SHORTEST_SHORTENED_STEP = 3
_SECONDS_BETWEEN_RENEWALS = 1.0
_FIXED = {AuthenticationType.CREDENTIALS, AuthenticationType.BEARER_TOKEN}

_OF_THIS_PROCESS = (
    "_lock",
    "_own_session",
    "_sessions",
    "_runtime_clients",
    "_control_clients",
    "_renewed_at",
)
# After a fork: what the parent goes on using. Kept, because letting go of a client takes a lock
# of its connection pool, which a thread of the parent may have held.
_left_to_the_parent: list[object] = []


class AuthManager:
    """Sessions and clients of one credential set.

    Constructing it does nothing but store the configuration; botocore is imported when the first
    session is made. STS is asked only where the `AuthConfig` has a role to assume.

    Safe to share between threads; one lock guards the making of sessions and clients, because
    botocore does not. A client that exists is found without it.

    Pickling and copying take the configuration along, with the secrets that stand in it, and
    nothing else. In a forked child it starts with new sessions, clients and locks.

    Use it as a context manager, or `close` it, to close connections before the program ends.

    Args:
        auth_config: Where credentials come from; None means botocore's own chain.
        boto3_config: Settings of the clients; None means botocore's own.
    """

    def __init__(
        self, auth_config: AuthConfig | None = None, boto3_config: Boto3Config | None = None
    ) -> None:
        self._auth_config = auth_config or AuthConfig(auth_type=AuthenticationType.AUTO)
        self._boto3_config = boto3_config
        timeouts = boto3_config or _BOTOCORE_TIMEOUTS
        shorter = [step for step in READ_TIMEOUT_STEPS if step < timeouts.read_timeout]
        # Seconds left, and the step to take from there on; None is the configured timeout.
        self._waits = (*shorter, timeouts.read_timeout)
        self._step_limits = [limit - _TOLERANCE_SECONDS for limit in self._waits]
        self._steps = [*shorter, None]
        self._start()

    def _start(self) -> None:
        self._lock = threading.RLock()
        self._own_session: Session | None = None
        self._sessions: dict[str | None, boto3.session.Session] = {}
        self._runtime_clients: dict[tuple[str, float | None], Any] = {}
        self._control_clients: dict[str, Any] = {}
        self._renewed_at = float("-inf")
        start_afresh_after_fork(self)

    def _start_afresh(self) -> None:
        _left_to_the_parent.append({name: getattr(self, name) for name in _OF_THIS_PROCESS})
        self._start()

    def __getstate__(self) -> dict[str, Any]:
        return {name: v for name, v in vars(self).items() if name not in _OF_THIS_PROCESS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def __repr__(self) -> str:
        return f"AuthManager(auth_type={self._auth_config.auth_type.value})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all shared clients.

        The manager can be used again: it then makes new clients, from the session that it has.
        Those of `new_client` are their owners' to close. A call that is under way in another
        thread ends as it would have; at worst it fails as when a connection is lost.
        """
        with self._lock:
            clients = [*self._runtime_clients.values(), *self._control_clients.values()]
            self._runtime_clients, self._control_clients = {}, {}
        for client in clients:
            client.close()

    def renew(self) -> bool:
        """Forget the session and its clients, so that credentials are looked for anew.

        For when AWS says that they have expired: a file, a variable or a role may have others by
        now. Threads that ask together renew once.

        Returns:
            False where nothing can have changed: explicit keys, and bearer keys.
        """
        config = self._auth_config
        if config.auth_type in _FIXED and not config.role_arn:
            return False
        with self._lock:
            now = time.monotonic()
            if now - self._renewed_at < _SECONDS_BETWEEN_RENEWALS:
                return True
            self._renewed_at = now
            self._own_session, self._sessions = None, {}
        self.close()
        return True

    def may_have_credentials(self) -> bool:
        """Whether it is worth asking AWS at all; neither imports boto3 nor sends anything."""
        return may_have_credentials(self._auth_config)

    def ensure_credentials(self, region: str | None = None) -> None:
        """Look for credentials now, if that has not been done.

        Args:
            region: Where STS and SSO are asked if neither the `AuthConfig` nor the surroundings
                say.

        Raises:
            AuthenticationError: There are none, or the profile does not exist.
        """
        with self._lock:
            self._session(region)

    def get_session(self, region: str | None = None) -> boto3.session.Session:
        """A boto3 session with credentials, for `region` or the one of the `AuthConfig`.

        All of them have the same credentials, which are renewed for all at once. The clients of
        this manager are not made from them: they are the caller's.

        Raises:
            AuthenticationError: There are no credentials, or the profile does not exist.
        """
        region = region or self._auth_config.region
        with self._lock:
            session = self._sessions.get(region)
            if session is None:
                own = self._session(region)
                from bestehorn_llmmanager.bedrock.auth.sessions import (  # noqa: PLC0415
                    boto3_session,
                )

                session = boto3_session(own, self._auth_config, region)
                self._sessions[region] = session
            return session

    def runtime_client(
        self,
        region: str,
        read_timeout: float | None = None,
        reserve: bool = False,
    ) -> Any:
        """The shared `bedrock-runtime` client that waits at most so long for data.

        There is one per region and step of 1, 2, 5, 10, 30, 60, 300, 600 s below the configured
        timeout. Made with a `Boto3Config`, it tries once: retries are the business of whoever
        calls it, unless `retries_max_attempts` asks botocore for other than the default number.

        Args:
            region: AWS region code.
            read_timeout: Seconds left; the largest step that fits is taken, the smallest if
                none does. None, and anything from the configured timeout on, means the
                configured one.
            reserve: Whether another target is to have a second: where the step would leave less
                than 1.25, the client waits 1.25 seconds less than the step, from 3 seconds on.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
        """
        step: float | None = None
        if read_timeout is not None:
            position = max(bisect_right(self._step_limits, read_timeout) - 1, 0)
            step = self._steps[position]
            if reserve:
                waits = self._waits[position]
                spare = read_timeout - waits + _TOLERANCE_SECONDS / 2
                if waits >= _SHORTEST_SHORTENED_STEP and spare < _SECONDS_FOR_ANOTHER:
                    step = waits - _SECONDS_FOR_ANOTHER
        client = self._runtime_clients.get((region, step))
        return client if client is not None else self._make_runtime_client(region, step)

    def get_bedrock_client(self, region: str) -> Any:
        """The `bedrock-runtime` client of `region`, always the same one.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
        """
        return self.runtime_client(region)

    def get_bedrock_control_client(self, region: str) -> Any:
        """The `bedrock` (control plane) client of `region`, always the same one.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
        """
        with self._lock:
            client = self._control_clients.get(region)
            if client is None:
                client = self._control_clients[region] = self.new_client("bedrock", region)
            return client

    def new_client(self, service: str, region: str, config: Config | None = None) -> Any:
        """A client of its own for the caller, who closes it.

        Args:
            service: ``"bedrock"`` or ``"bedrock-runtime"``.
            region: AWS region code.
            config: Wins over the `Boto3Config`, setting by setting.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
        """
        return self._make_client(service, region, config=config)

    def get_auth_info(self) -> dict[str, Any]:
        """`auth_type`, `profile_name`, `region` and `has_session`, and `role_arn` if there is one."""
        config = self._auth_config
        is_profile = config.auth_type is AuthenticationType.PROFILE
        return {
            "auth_type": config.auth_type.value,
            "profile_name": config.profile_name if is_profile else None,
            "region": config.region,
            "has_session": self._own_session is not None,
            **({"role_arn": config.role_arn} if config.role_arn else {}),
        }

    def _make_runtime_client(self, region: str, step: float | None) -> Any:
        with self._lock:
            client = self._runtime_clients.get((region, step))
            if client is None:
                client = self._make_client("bedrock-runtime", region, step)
                self._runtime_clients[region, step] = client
            return client

    def _make_client(
        self,
        service: str,
        region: str,
        longest_wait: float | None = None,
        config: Config | None = None,
    ) -> Any:
        with self._lock:
            session = self._session(region)
            from bestehorn_llmmanager.bedrock.auth.sessions import (  # noqa: PLC0415
                client_config,
                make_client,
            )

            own = client_config(self._boto3_config, service, longest_wait)
            merged = own.merge(config) if config else own
            return make_client(session, service, region, self._auth_config, merged)

    def _session(self, region: str | None) -> Session:
        if self._own_session is None:
            with NoForkMeanwhile():
                from bestehorn_llmmanager.bedrock.auth.sessions import (  # noqa: PLC0415
                    open_session,
                )
            self._own_session = open_session(self._auth_config, region)
        return self._own_session
