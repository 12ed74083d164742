"""Tells clients how to reach a LocalBedrock: URL, environment, ready-made boto3 clients."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any

DEFAULT_REGION = "us-east-1"
_ACCESS_KEY, _SECRET_KEY = "AKIALOCALBEDROCK0000", "local-bedrock-checks-no-signature"
# Set, these would lead a boto3 client past the variables that `environment` gives.
MISLEADING_VARIABLES = (
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


class Endpoint(ABC):
    """Safe to share between threads; `_session_lock` guards the session that makes clients."""

    def __init__(self, s3_endpoint: str | None = None) -> None:
        self._s3_endpoint = s3_endpoint
        self._session_lock = threading.Lock()
        self._session: Any = None

    @property
    @abstractmethod
    def url(self) -> str:
        """For example ``"http://127.0.0.1:40123"``; serves every region that signs its requests."""

    def endpoint(self, region: str | None = None) -> str:
        """The URL for one region, which bearer keys need: they name no region themselves."""
        return self.url if region is None else f"{self.url}/region/{region}"

    def environment(self) -> dict[str, str]:
        """The variables that send an unconfigured boto3 here, and to the S3 of batch jobs."""
        s3 = {"AWS_ENDPOINT_URL_S3": self._s3_endpoint} if self._s3_endpoint else {}
        return {
            **s3,
            "AWS_ENDPOINT_URL_BEDROCK": self.url,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
            "AWS_DEFAULT_REGION": DEFAULT_REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(
        self, service: str = "bedrock-runtime", region: str = DEFAULT_REGION, **options: Any
    ) -> Any:
        """An ordinary boto3 client pointing here; `options` are those of `boto3.client`."""
        import boto3  # noqa: PLC0415 (importing us must not load boto3)

        with self._session_lock:
            if self._session is None:
                self._session = boto3.session.Session(
                    aws_access_key_id=_ACCESS_KEY, aws_secret_access_key=_SECRET_KEY
                )
            options.setdefault("endpoint_url", self.endpoint(region))
            return self._session.client(service, region_name=region, **options)
