"""Tells from the surroundings, without boto3 or network, whether there may be credentials."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import AuthConfig

BEARER_TOKEN_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"  # noqa: S105  (a name, not a token)

# docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    BEARER_TOKEN_VARIABLE,
)
_FILES = (
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
)


def has_evidence_of_credentials(auth_config: AuthConfig | None) -> bool:
    """Whether anything points at credentials: the configuration, a variable, or a file."""
    if auth_config is not None and auth_config.auth_type.value != "auto":
        return True
    return any(os.environ.get(name) for name in _VARIABLES) or any(
        os.path.isfile(os.path.expanduser(os.environ.get(name) or default))
        for name, default in _FILES
    )


def asks_for_credentials(auth_config: AuthConfig) -> bool:
    """Whether it names keys, a profile or a role, so that a bearer key in a variable must not do."""
    explicit = auth_config.auth_type.value in {"profile", "credentials"}
    return explicit or auth_config.role_arn is not None


def may_have_credentials(auth_config: AuthConfig | None) -> bool:
    """Whether it is worth asking AWS: there is evidence, or this may be an EC2 instance."""
    metadata_disabled = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    return has_evidence_of_credentials(auth_config) or not metadata_disabled
