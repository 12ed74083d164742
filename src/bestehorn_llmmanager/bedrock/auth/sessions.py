"""Makes sessions from an `AuthConfig`, and clients from a session and a `Boto3Config`.

Imported, and botocore with it, only when AWS is to be asked. Keeps nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, DataNotFoundError, ProfileNotFound
from botocore.loaders import Loader
from botocore.session import Session
from botocore.tokens import FrozenAuthToken

from bestehorn_llmmanager._fork import NoForkMeanwhile
from bestehorn_llmmanager._version import __version__
from bestehorn_llmmanager.bedrock.auth.credentials import (
    BEARER_TOKEN_VARIABLE,
    asks_for_credentials,
    has_evidence_of_credentials,
)
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthenticationType,
    Boto3Config,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3.session

    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import AuthConfig

_SERVICES = ("bedrock", "bedrock-runtime")
# How long the question "is this an EC2 instance?" may take where nothing points at credentials.
_METADATA_SECONDS = 1.0
# A connection beyond these is closed after use, which costs the next call a handshake.
_KEPT_CONNECTIONS = 512
_LIBRARY = f"lib/bestehorn-llmmanager#{__version__}"
_STS_CONFIG = Config(connect_timeout=5, read_timeout=10)
# What STS grants for, unless asked otherwise, and how long before the end botocore renews.
_ROLE_SECONDS, _RENEWED_BEFORE, _NEEDED_BEFORE = 3600, 900, 600


def open_session(config: AuthConfig, region: str | None) -> Session:
    """A session that signs with what `config` asks for; its credentials have been found.

    Args:
        config: What the caller gave.
        region: Where STS and SSO are asked if neither `config` nor the surroundings say.

    Raises:
        AuthenticationError: There are no credentials, or they cannot be had.
    """
    try:
        session = _session(config, region)
        found = _find_credentials(session, config, region)
        if config.role_arn:
            _settle(session, config, found)
            found = _assume_role(session, config)
            session = _session(config, region)
        _settle(session, config, found)
    except ProfileNotFound as error:
        raise _error(
            config,
            region,
            f"There is no AWS profile {error.kwargs.get('profile')!r}. "
            "`aws configure list-profiles` shows those that exist.",
        ) from error
    except (BotoCoreError, OSError, ValueError) as error:
        raise _error(config, region, f"Cannot get AWS credentials: {error}") from error
    return session


def boto3_session(
    session: Session, config: AuthConfig, region: str | None
) -> boto3.session.Session:
    """A session for a caller to do with as they like; it shares the credentials of `session`."""
    with NoForkMeanwhile():
        from boto3.session import Session as Boto3Session  # noqa: PLC0415  (30 ms, rarely needed)

    own = Session(profile=_profile(config))
    _settle(own, config, session.get_credentials())
    return Boto3Session(botocore_session=own, region_name=region)


def make_client(
    session: Session, service: str, region: str, auth_config: AuthConfig, config: Config | None
) -> Any:
    """A client of a service in a region.

    Raises:
        AuthenticationError: It cannot be made: the region, the service or a setting is none.
    """
    config = _with_user_agent(config or Config(), session)
    try:
        return session.create_client(service, region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        message = f"Cannot make a `{service}` client: {error}"
        raise _error(auth_config, region, message) from error


def client_config(
    settings: Boto3Config | None, service: str, longest_wait: float | None = None
) -> Config:
    """What botocore is told for clients of a service.

    Calls of models are tried again by us, not by botocore as well, unless the caller has asked
    for it. They have as many connections as there are threads, unless their number was set.

    Args:
        settings: The caller's; None means botocore's own.
        service: ``"bedrock-runtime"`` is what calls models.
        longest_wait: Seconds after which a client gives up to wait for data.
    """
    config = settings.to_botocore_config() if settings else Config()
    changes: dict[str, Any] = {}
    if service == "bedrock-runtime":
        if not settings or settings.max_pool_connections == Boto3Config.max_pool_connections:
            changes["max_pool_connections"] = _KEPT_CONNECTIONS
        if settings and settings.retries_max_attempts == Boto3Config.retries_max_attempts:
            changes["retries"] = {"total_max_attempts": 1, "mode": "standard"}
    if longest_wait is not None:
        changes["read_timeout"] = min(longest_wait, config.read_timeout)
        changes["connect_timeout"] = min(longest_wait, config.connect_timeout)
    return config.merge(Config(**changes))


def _with_user_agent(config: Config, session: Session) -> Config:
    """`config` with a ``User-Agent`` that names this library and does not change.

    Without one, botocore composes it twice for each request: a fifth of a call's instructions.
    """
    application = config.user_agent_appid or session.get_config_variable("user_agent_appid")
    if config.user_agent or application:
        return config  # where an application is named, in the place that botocore has for it
    return config.merge(Config(user_agent=f"{session.user_agent()} {_LIBRARY}"))


def _session(config: AuthConfig, region: str | None) -> Session:
    session = Session(profile=_profile(config))
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    if config.region or not session.get_config_variable("region"):
        session.set_config_variable("region", config.region or region)
    return session


def _profile(config: AuthConfig) -> str | None:
    is_profile = config.auth_type is AuthenticationType.PROFILE
    return config.profile_name if is_profile else None


def _find_credentials(
    session: Session, config: AuthConfig, region: str | None
) -> Credentials | None:
    """What there is of credentials; None if there is a bearer key in their stead."""
    if config.bearer_token:
        return None
    if config.auth_type is AuthenticationType.CREDENTIALS:
        return Credentials(config.access_key_id, config.secret_access_key, config.session_token)
    has_bearer_key = bool(os.environ.get(BEARER_TOKEN_VARIABLE))
    can_wait = asks_for_credentials(config) or not has_bearer_key
    if can_wait and has_evidence_of_credentials(config):
        found = session.get_credentials()
    else:
        found = _within(_METADATA_SECONDS, session.get_credentials)
    if found is None and (config.role_arn or not has_bearer_key):
        raise _error(
            config,
            region,
            "There are no AWS credentials: neither variables, profile, container, web identity "
            "nor instance role. Set them up, or pass an `AuthConfig`.",
        )
    return found


def _settle(session: Session, config: AuthConfig, credentials: Credentials | None) -> None:
    """Let `session` use these credentials, or the bearer key of `config`, and look for no others.

    What was asked for explicitly wins over ``AWS_BEARER_TOKEN_BEDROCK``, which botocore would
    prefer.
    """
    session.register_component("credential_provider", _Found(credentials))
    if config.bearer_token:
        session.register_component("token_provider", _BearerKey(config.bearer_token))
        _sign_with(session, "bearer")
        for service in _SERVICES:
            session.register(f"before-sign.{service}", _refuse_to_sign_in_clear)
    elif credentials and asks_for_credentials(config):
        _sign_with(session, "v4")


def _assume_role(session: Session, config: AuthConfig) -> RefreshableCredentials:
    """Credentials of the role of `config`, got with those of `session`; they renew themselves.

    Asks STS at once, and from then on when less than a quarter of their time is left.

    Raises:
        AuthenticationError: STS refuses or cannot be reached; a call that finds the
            credentials expired raises it, too.
        botocore.exceptions.BotoCoreError: No client for STS can be made.
    """
    _prefer_regional_sts(session)
    client = session.create_client("sts", config=_STS_CONFIG)
    arguments = {
        "RoleArn": config.role_arn,
        "RoleSessionName": config.role_session_name or f"bestehorn-llmmanager-{os.getpid()}",
        "ExternalId": config.external_id,
        "DurationSeconds": config.role_duration_seconds,
    }
    given = {name: value for name, value in arguments.items() if value is not None}

    def ask() -> dict[str, Any]:
        try:
            answer = client.assume_role(**given)["Credentials"]
        except (ClientError, BotoCoreError) as error:
            message = f"The role {config.role_arn!r} cannot be assumed: {_said(error)}"
            raise _error(config, client.meta.region_name, message) from error
        finally:
            client.close()  # until the next time, an hour from now; it opens again by itself
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }

    seconds = config.role_duration_seconds or _ROLE_SECONDS
    return RefreshableCredentials.create_from_metadata(
        ask(),
        refresh_using=ask,
        method="assume-role",
        # For the shortest roles botocore's own times would mean a call to STS per request.
        advisory_timeout=min(_RENEWED_BEFORE, seconds / 4),
        mandatory_timeout=min(_NEEDED_BEFORE, seconds / 6),
    )


def _prefer_regional_sts(session: Session) -> None:
    """Older releases of botocore ask ``sts.amazonaws.com``, which a private network does not reach."""
    setting = "sts_regional_endpoints"
    if not (os.environ.get(f"AWS_{setting.upper()}") or session.get_scoped_config().get(setting)):
        session.set_config_variable(setting, "regional")


def _sign_with(session: Session, signer: str) -> None:
    for service in _SERVICES:
        session.register(f"choose-signer.{service}", lambda **_: signer)


def _refuse_to_sign_in_clear(request: Any, **_: Any) -> None:
    """Newer releases of botocore do so, too, with an error of their own."""
    if not request.url.lower().startswith("https:"):
        raise AuthenticationError(
            "A bearer token goes to `https` endpoints only; the one that a variable or the AWS "
            "configuration file names is not.",
            auth_type=AuthenticationType.BEARER_TOKEN.value,
        )


def _error(config: AuthConfig, region: str | None, message: str) -> AuthenticationError:
    return AuthenticationError(message, auth_type=config.auth_type.value, region=region)


def _said(error: Exception) -> str:
    """Its text without what botocore adds of its retries, of which it made none where it has 0."""
    return re.sub(r" \(reached max retries: \d+\)", "", str(error))


def _within(seconds: float, work: Callable[[], Credentials | None]) -> Credentials | None:
    """The result of `work`, or None if it takes longer; it is then left to end by itself."""
    results: list[Credentials | None] = []

    def run() -> None:
        with contextlib.suppress(BotoCoreError, OSError, ValueError):  # there are none, then
            results.append(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None


class _Found:
    """A provider, in botocore's sense, of credentials that have been looked for already."""

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Credentials | None:
        return self._credentials


class _BearerKey:
    """A provider, in botocore's sense, of a token for Bedrock alone; it is the token, too."""

    def __init__(self, key: str) -> None:
        self._key = key

    def load_token(self, signing_name: str = "bedrock", **_: object) -> _BearerKey | None:
        return self if signing_name == "bedrock" else None

    def get_frozen_token(self) -> FrozenAuthToken:
        return FrozenAuthToken(self._key)


class _QuickLoader(Loader):  # type: ignore[misc]  # botocore comes without types
    """Looks for one service without listing the four hundred that there are.

    That listing is half of what the first client of a process costs.
    """

    def list_available_services(self, type_name: str) -> _Services:
        return _Services(self, type_name)


class _Services:
    def __init__(self, loader: Loader, type_name: str) -> None:
        self._loader = loader
        self._type_name = type_name

    def __contains__(self, service: str) -> bool:
        try:
            return bool(self._loader.list_api_versions(service, self._type_name))
        except DataNotFoundError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(Loader.list_available_services(self._loader, self._type_name))


# What they read of AWS's service models is 10 MB of dictionaries and 20 ms: one for all managers.
_loaders: WeakValueDictionary[str | None, _QuickLoader] = WeakValueDictionary()


def _loader(data_path: str | None) -> _QuickLoader:
    """The loader for a value of ``AWS_DATA_PATH``, which is read as botocore reads it."""
    loader = _loaders.get(data_path)
    if loader is None:
        paths = data_path.split(os.pathsep) if data_path else []
        expanded = [os.path.expanduser(os.path.expandvars(path)) for path in paths]  # noqa: PTH111
        loader = _loaders.setdefault(data_path, _QuickLoader(extra_search_paths=expanded))
    return loader
