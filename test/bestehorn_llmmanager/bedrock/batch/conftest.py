"""What the tests of batch jobs share: an S3, a Bedrock that reads it, and requests."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.batch import BatchInference, BatchLimits
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROLE = "arn:aws:iam::123456789012:role/batch"


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The URL of an S3."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def _endpoint(s3_url: str) -> Iterator[LocalBedrock]:
    with LocalBedrock(s3_endpoint=s3_url, record_bodies=True) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> LocalBedrock:
    """A Bedrock and an S3 that boto3 clients of this process find by themselves."""
    _endpoint.reset()
    for name, value in _endpoint.environment().items():
        monkeypatch.setenv(name, value)
    return _endpoint


@pytest.fixture(scope="session")
def s3(_endpoint: LocalBedrock, s3_url: str) -> Any:
    """A client of the S3."""
    create = _endpoint.client("bedrock").meta.service_model.operation_model(
        "CreateModelInvocationJob"
    )
    if "modelInvocationType" not in create.input_shape.members:
        pytest.skip("The installed botocore does not know batch jobs of Converse requests")
    return _endpoint.client("s3", endpoint_url=s3_url)


@pytest.fixture
def bucket(bedrock: LocalBedrock, s3: Any) -> str:
    """A bucket that nobody else has."""
    name = f"jobs-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def make_batch(bucket: str) -> Callable[..., BatchInference]:
    """Makes a `BatchInference` whose jobs take three requests, and any number of them."""

    def make(model: str = "Nova Lite", region: str = "us-east-1", **options: Any) -> BatchInference:
        given: dict[str, Any] = {
            "role_arn": ROLE,
            "s3_uri": f"s3://{bucket}/mine",
            "limits": BatchLimits(min_records=1, max_records=3),
            "catalog_cache_mode": CacheMode.NONE,
            "catalog_refresh": "never",
        }
        return BatchInference(model, region, **{**given, **options})

    return make


@pytest.fixture
def batch(make_batch: Callable[..., BatchInference]) -> BatchInference:
    return make_batch()


def request(name: str, text: str = "Say something.", **options: Any) -> BedrockConverseRequest:
    messages = [{"role": "user", "content": [{"text": text}]}]
    return BedrockConverseRequest(messages=messages, request_id=name, **options)


@pytest.fixture
def ask() -> Callable[..., BedrockConverseRequest]:
    """Makes a request with this id."""
    return request


@pytest.fixture
def requests() -> Callable[[int], list[BedrockConverseRequest]]:
    """Makes so many requests, with the ids ``q1``, ``q2``, …, each of another length."""
    return lambda count: [request(f"q{n}", "word " * n) for n in range(1, count + 1)]


@pytest.fixture
def pauses() -> list[float]:
    """Stands for waiting: `wait(sleep=pauses.append)`."""
    return []
