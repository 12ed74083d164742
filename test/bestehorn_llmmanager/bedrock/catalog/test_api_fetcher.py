"""Tests how regions are asked, over HTTP, with ordinary boto3 clients."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog.api_fetcher import BedrockAPIFetcher, RawCatalogData
from bestehorn_llmmanager.bedrock.catalog.regions import all_regions
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    APIFetchError,
    AuthenticationError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.config import Config

EIGHT = [
    "ap-northeast-1",
    "ap-south-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "us-east-1",
    "us-east-2",
    "us-west-2",
]
MODELS, PROFILES = "ListFoundationModels", "ListInferenceProfiles"
SECRET, TOKEN = "wJalr-not-a-real-secret-key", "IQoJ-not-a-real-session-token"


def listing(region: str, profiles: int = 1) -> dict[str, Any]:
    arn = f"arn:aws:bedrock:{region}::foundation-model/amazon.nova-lite-v1:0"
    model = {
        "modelId": "amazon.nova-lite-v1:0",
        "modelArn": arn,
        "modelName": f"Nova Lite of {region}",
        "inferenceTypesSupported": ["ON_DEMAND"],
    }
    return {
        "modelSummaries": [model],
        "inferenceProfileSummaries": [
            {
                "inferenceProfileId": f"p{number}.amazon.nova-lite-v1:0",
                "inferenceProfileName": f"Profile {number}",
                "inferenceProfileArn": f"{arn}/{number}",
                "models": [{"modelArn": arn}],
                "status": "ACTIVE",
                "type": "SYSTEM_DEFINED",
            }
            for number in range(profiles)
        ],
    }


def listings(*regions: str, **profiles: int) -> dict[str, Any]:
    """The snapshot of some regions; `profiles` says for a region how many it has."""
    numbers = {name.replace("_", "-"): number for name, number in profiles.items()}
    return {"regions": {region: listing(region, numbers.get(region, 1)) for region in regions}}


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead boto3 to `url` with every service, so that no request goes unseen."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LocalBedrock]]:
    """Starts an endpoint with the listings of some regions and points boto3 at it."""
    with ExitStack() as stack:

        def start(*regions: str, latency: float = 0.0, **profiles: int) -> LocalBedrock:
            snapshot = listings(*regions, **profiles)
            endpoint = stack.enter_context(LocalBedrock(snapshot, latency=latency))
            point_at(endpoint.url, monkeypatch)
            return endpoint

        yield start


@contextmanager
def answering(answer: Callable[[str, str], tuple[int, bytes]]) -> Iterator[str]:
    """A server that answers what no Bedrock would: from path and region to status and body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            # Credential=<key>/<date>/<region>/bedrock/aws4_request
            region = self.headers["Authorization"].split("/")[2]
            status, body = answer(self.path.partition("?")[0], region)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # the usual 5 lets some of many clients wait a second

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# One for all tests: its session loads botocore's service model once. Its clients are new for
# every fetch and look up the endpoint in the environment of their test.
AUTH = AuthManager(
    AuthConfig(
        AuthenticationType.CREDENTIALS,
        access_key_id="AKIATEST",
        secret_access_key=SECRET,
        session_token=TOKEN,
    )
)


def fetcher(auth_manager: AuthManager = AUTH, **options: Any) -> BedrockAPIFetcher:
    return BedrockAPIFetcher(auth_manager, **{"timeout": 20, "max_retries": 1, **options})


# What is asked


def test_each_region_is_asked_for_its_models_and_its_profiles(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve(*EIGHT)
    raw = fetcher().fetch_all_data(EIGHT)
    expected = listings(*EIGHT)["regions"]
    assert {region: expected[region]["modelSummaries"] for region in EIGHT} == raw.foundation_models
    assert {
        region: expected[region]["inferenceProfileSummaries"] for region in EIGHT
    } == raw.inference_profiles
    assert sorted(raw.successful_regions) == EIGHT
    assert (raw.failed_regions, raw.failure_kinds) == ({}, {})
    asked = sorted((r.region, r.operation) for r in endpoint.requests)
    assert asked == [(region, operation) for region in EIGHT for operation in (MODELS, PROFILES)]
    assert all(n <= 2 for n in endpoint.connections_by_region().values())


def test_only_the_regions_asked_for_are_asked_and_each_once(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve(*EIGHT)
    raw = fetcher().fetch_all_data(["us-east-1", "eu-west-1", "us-east-1"])
    assert sorted(raw.successful_regions) == ["eu-west-1", "us-east-1"]
    assert endpoint.count() == 4
    assert set(endpoint.connections_by_region()) == {"eu-west-1", "us-east-1"}


def test_no_regions_are_no_requests(serve: Callable[..., LocalBedrock]) -> None:
    endpoint = serve("us-east-1")
    raw = fetcher().fetch_all_data([])
    assert (raw.has_data, raw.failed_regions, endpoint.count()) == (False, {}, 0)


def test_all_commercial_regions_are_the_default(bedrock: LocalBedrock) -> None:
    raw = fetcher().fetch_all_data()
    regions = all_regions()
    assert sorted([*raw.successful_regions, *raw.failed_regions]) == regions
    assert {"us-east-1", "ap-southeast-6", "mx-central-1"} <= set(regions)
    assert not [region for region in regions if region.startswith(("us-gov", "cn-"))]
    assert bedrock.count() == 2 * len(regions)


def test_profiles_are_followed_through_all_pages(serve: Callable[..., LocalBedrock]) -> None:
    numbers = {"eu_north_1": 0, "eu_west_1": 1000, "us_east_1": 1001, "us_west_2": 2300}
    endpoint = serve(*EIGHT, **numbers)
    raw = fetcher().fetch_all_data(EIGHT)
    found = {
        region: [p["inferenceProfileId"] for p in profiles]
        for region, profiles in raw.inference_profiles.items()
    }
    assert found == {
        region: [
            f"p{number}.amazon.nova-lite-v1:0"
            for number in range(numbers.get(region.replace("-", "_"), 1))
        ]
        for region in EIGHT
    }
    pages = {region: endpoint.count(PROFILES, region) for region in EIGHT}
    assert pages == {**dict.fromkeys(EIGHT, 1), "us-east-1": 2, "us-west-2": 3}
    assert endpoint.count(MODELS) == len(EIGHT)


def test_only_system_defined_profiles_are_asked_for(serve: Callable[..., LocalBedrock]) -> None:
    endpoint = serve("us-east-1")
    endpoint.register_target(
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/mine",
        "amazon.nova-lite-v1:0",
    )
    raw = fetcher().fetch_all_data(["us-east-1"])
    assert {p["type"] for p in raw.inference_profiles["us-east-1"]} == {"SYSTEM_DEFINED"}


def test_regions_and_the_two_calls_of_a_region_are_asked_side_by_side(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve(*EIGHT, latency=0.2)
    raw = fetcher().fetch_all_data(EIGHT)
    assert sorted(raw.successful_regions) == EIGHT
    arrivals = [request.time for request in endpoint.requests]
    # One after the other it takes 3.0 s from the first request to the sixteenth.
    assert max(arrivals) - min(arrivals) < 1.2


def test_no_more_regions_are_in_flight_than_workers_each_with_both_calls(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve(*EIGHT[:3], latency=0.3)
    fetcher(max_workers=1).fetch_all_data(EIGHT[:3])
    arrivals = sorted(request.time for request in endpoint.requests)
    # The third comes when one of the first two was answered; those come side by side.
    assert all(
        later - earlier > 0.28 for earlier, later in zip(arrivals, arrivals[2:], strict=False)
    )
    assert any(arrivals[i + 1] - arrivals[i] < 0.2 for i in (0, 2, 4))


def test_retries_of_the_boto3_configuration_do_not_multiply_those_of_the_fetcher(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve("us-east-1")
    endpoint.fail(Fault.internal_error())
    config = Boto3Config(retries_max_attempts=9, read_timeout=300)
    credentials = AuthConfig(
        AuthenticationType.CREDENTIALS, access_key_id="AKIATEST", secret_access_key=SECRET
    )
    with pytest.raises(APIFetchError):
        fetcher(AuthManager(credentials, config)).fetch_all_data(["us-east-1"])
    assert endpoint.count() == 2


def test_one_fetcher_serves_several_threads(serve: Callable[..., LocalBedrock]) -> None:
    endpoint = serve(*EIGHT[:2], latency=0.05)
    shared, results = fetcher(), list[RawCatalogData]()
    start = threading.Barrier(4)

    def fetch() -> None:
        start.wait()
        results.append(shared.fetch_all_data(EIGHT[:2]))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sorted(raw.successful_regions) for raw in results] == [EIGHT[:2]] * 4
    assert endpoint.count() == 16


# Trying again


def test_what_passes_is_tried_again(serve: Callable[..., LocalBedrock]) -> None:
    faults = [
        Fault.throttling(),
        Fault.error("TooManyRequestsException", 429),
        Fault.internal_error(),
        Fault.unavailable(),
        Fault.reset(),
        Fault.reset_in_body(),
    ]
    regions = EIGHT[: len(faults)]
    endpoint = serve(*regions)
    for region, fault in zip(regions, faults, strict=True):
        endpoint.fail(fault, region=region, operation=MODELS, times=1)
    raw = fetcher(max_retries=2).fetch_all_data(regions)
    assert sorted(raw.successful_regions) == regions
    assert raw.failed_regions == {}
    assert [endpoint.count(MODELS, region) for region in regions] == [2] * len(regions)
    assert [endpoint.count(PROFILES, region) for region in regions] == [1] * len(regions)


def test_tries_end_with_max_retries(serve: Callable[..., LocalBedrock]) -> None:
    endpoint = serve("us-east-1", "eu-west-1")
    endpoint.fail(Fault.throttling(), region="us-east-1")
    raw = fetcher(max_retries=2).fetch_all_data(["us-east-1", "eu-west-1"])
    assert raw.failure_kinds == {"us-east-1": "throttled"}
    assert (endpoint.count(MODELS, "us-east-1"), endpoint.count(PROFILES, "us-east-1")) == (2, 2)


@pytest.mark.parametrize("max_retries", [0, 1])
def test_none_and_one_are_one_try(serve: Callable[..., LocalBedrock], max_retries: int) -> None:
    endpoint = serve("us-east-1")
    endpoint.fail(Fault.unavailable())
    with pytest.raises(APIFetchError, match="ServiceUnavailableException"):
        fetcher(max_retries=max_retries).fetch_all_data(["us-east-1"])
    assert endpoint.count() == 2


def test_what_does_not_pass_is_not_tried_again(serve: Callable[..., LocalBedrock]) -> None:
    codes = [
        "AccessDeniedException",
        "UnrecognizedClientException",
        "ExpiredTokenException",
        "ValidationException",
    ]
    regions = EIGHT[: len(codes)]
    endpoint = serve(*EIGHT)
    for region, code in zip(regions, codes, strict=True):
        endpoint.fail(Fault.error(code, 403), region=region)
    raw = fetcher(max_retries=6).fetch_all_data([*regions, "us-west-2"])
    assert sorted(raw.failed_regions) == regions
    assert [endpoint.count(region=region) for region in regions] == [2] * len(regions)


def test_retries_end_with_the_sweep(serve: Callable[..., LocalBedrock]) -> None:
    endpoint = serve("us-east-1", "eu-west-1")
    endpoint.fail(Fault.throttling(), region="us-east-1")
    started = time.monotonic()
    raw = fetcher(timeout=3, max_retries=50).fetch_all_data(["us-east-1", "eu-west-1"])
    assert time.monotonic() - started < 10
    assert raw.successful_regions == ["eu-west-1"]
    assert raw.failure_kinds == {"us-east-1": "timeout"}
    sent = endpoint.count()
    time.sleep(0.1)
    assert endpoint.count() == sent


# Regions that fail


FAILURES = [
    (Fault.error("AccessDeniedException", 403, "not authorized"), "denied", "not authorized"),
    (Fault.error("AccessDenied", 403), "denied", "AccessDenied"),
    (Fault.error("UnauthorizedOperation", 403), "denied", "UnauthorizedOperation"),
    (Fault.error("OptInRequired", 403), "opted_out", "OptInRequired"),
    (Fault.error("UnrecognizedClientException", 403), "opted_out", "UnrecognizedClient"),
    (Fault.throttling("slow down"), "throttled", "slow down"),
    (Fault.error("TooManyRequestsException", 429), "throttled", "TooManyRequests"),
    (Fault.error("RequestLimitExceeded", 400), "throttled", "RequestLimitExceeded"),
    (Fault.internal_error(), "failed", "InternalServerException"),
    (Fault.error("NewerException", 400, "no idea"), "failed", "NewerException"),
    (Fault.reset(), "failed", "Connection"),
    (Fault.reset_in_body(), "failed", "Connection"),
]


@pytest.mark.parametrize("operation", [MODELS, PROFILES])
def test_a_region_that_fails_costs_only_itself_and_says_why(
    serve: Callable[..., LocalBedrock], operation: str
) -> None:
    regions = [f"eu-west-{number}" for number in range(len(FAILURES))]
    endpoint = serve("us-east-1", *regions)
    for region, (fault, _, _) in zip(regions, FAILURES, strict=True):
        endpoint.fail(fault, region=region, operation=operation)
    raw = fetcher().fetch_all_data([*regions, "us-east-1"])
    assert raw.successful_regions == ["us-east-1"]
    assert list(raw.foundation_models) == list(raw.inference_profiles) == ["us-east-1"]
    assert raw.failure_kinds == {
        region: kind for region, (_, kind, _) in zip(regions, FAILURES, strict=True)
    }
    for region, (_, _, reason) in zip(regions, FAILURES, strict=True):
        assert reason in raw.failed_regions[region]


def test_a_region_that_the_account_has_not_enabled_is_told_apart(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve("us-east-1")
    raw = fetcher(max_retries=6).fetch_all_data(["us-east-1", "me-south-1"])
    assert raw.failure_kinds == {"me-south-1": "opted_out"}
    assert "security token" in raw.failed_regions["me-south-1"]
    assert endpoint.count(region="me-south-1") == 2


def test_a_region_whose_endpoint_has_no_address_is_told_apart(
    serve: Callable[..., LocalBedrock],
) -> None:
    class OneRegionNowhere(AuthManager):
        def new_client(self, service: str, region: str, config: Config | None = None) -> Any:
            if region != "me-south-1":
                return super().new_client(service, region, config)
            nowhere = "http://bedrock.invalid"
            return self.get_session().client(service, region, endpoint_url=nowhere, config=config)

    serve("us-east-1")
    credentials = AuthConfig(
        AuthenticationType.CREDENTIALS, access_key_id="AKIATEST", secret_access_key=SECRET
    )
    raw = fetcher(OneRegionNowhere(credentials)).fetch_all_data(["us-east-1", "me-south-1"])
    assert raw.successful_regions == ["us-east-1"]
    assert raw.failure_kinds == {"me-south-1": "no_endpoint"}


def test_a_region_code_that_cannot_be_one_costs_only_itself(
    serve: Callable[..., LocalBedrock],
) -> None:
    serve("us-east-1")
    raw = fetcher().fetch_all_data(["not a region!", "us-east-1"])
    assert raw.successful_regions == ["us-east-1"]
    assert "not a region!" in raw.failed_regions["not a region!"]


def test_a_region_that_hangs_does_not_hold_up_the_others(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve("us-east-1", "us-east-2", "us-west-2", "eu-west-1")
    endpoint.fail(Fault.hang(), region="us-east-1", operation=MODELS)
    endpoint.fail(Fault.hang(), region="us-east-2", operation=PROFILES)
    endpoint.fail(Fault.hang(), region="us-west-2")
    started = time.monotonic()
    raw = fetcher(timeout=3, max_retries=6).fetch_all_data(
        ["us-east-1", "us-east-2", "us-west-2", "eu-west-1"]
    )
    assert time.monotonic() - started < 10
    assert raw.successful_regions == ["eu-west-1"]
    assert raw.failure_kinds == dict.fromkeys(["us-east-1", "us-east-2", "us-west-2"], "timeout")


def test_regions_that_had_no_turn_are_timed_out(serve: Callable[..., LocalBedrock]) -> None:
    endpoint = serve(*EIGHT)
    endpoint.fail(Fault.hang())
    raw = fetcher(timeout=2, max_workers=1).sweep(EIGHT)
    assert raw.failure_kinds == dict.fromkeys(EIGHT, "timeout")
    assert endpoint.count() == 2


JUNK = [
    b"",
    b"null",
    b"[]",
    b'"models"',
    b"{}",
    b'{"modelSummar',
    b'{"modelSummaries": null, "inferenceProfileSummaries": null}',
    b'{"modelSummaries": 7, "inferenceProfileSummaries": 7}',
    b'{"modelSummaries": "x", "inferenceProfileSummaries": "x"}',
    b"<html>a proxy says hello</html>",
    b"\xff\xfe",
]
EMPTY = b'{"modelSummaries": [], "inferenceProfileSummaries": []}'


@pytest.mark.parametrize("path", ["/foundation-models", "/inference-profiles"])
def test_an_answer_without_a_listing_is_a_failure_and_not_an_empty_region(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    junk = {f"eu-west-{number}": body for number, body in enumerate(JUNK)}

    def answer(asked: str, region: str) -> tuple[int, bytes]:
        return 200, junk[region] if region in junk and asked == path else EMPTY

    with answering(answer) as url:
        point_at(url, monkeypatch)
        raw = fetcher().fetch_all_data([*junk, "us-east-1"])
    assert raw.successful_regions == ["us-east-1"]
    assert raw.failure_kinds == dict.fromkeys(junk, "failed")


def test_a_listing_that_is_empty_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _path, _region: (200, EMPTY)) as url:
        point_at(url, monkeypatch)
        raw = fetcher().fetch_all_data(["us-east-1"])
    assert (raw.foundation_models, raw.inference_profiles) == ({"us-east-1": []}, {"us-east-1": []})


def test_summaries_are_handed_on_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = b'{"modelSummaries": [{}, {"modelId": "a"}], "inferenceProfileSummaries": [{}]}'
    with answering(lambda _path, _region: (200, odd)) as url:
        point_at(url, monkeypatch)
        raw = fetcher().fetch_all_data(["us-east-1"])
    assert raw.foundation_models == {"us-east-1": [{}, {"modelId": "a"}]}
    assert raw.inference_profiles == {"us-east-1": [{}]}


def test_broken_json_costs_only_its_region(serve: Callable[..., LocalBedrock]) -> None:
    endpoint = serve("us-east-1", "eu-west-1")
    endpoint.fail(Fault.broken_json(), region="us-east-1", operation=MODELS)
    raw = fetcher().fetch_all_data(["us-east-1", "eu-west-1"])
    assert raw.successful_regions == ["eu-west-1"]
    assert raw.failure_kinds == {"us-east-1": "failed"}


def test_an_error_page_of_a_proxy_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    page = b"<html>Forbidden by the proxy</html>"
    with answering(lambda _path, _region: (403, page)) as url:
        point_at(url, monkeypatch)
        with pytest.raises(APIFetchError, match="403"):
            fetcher().fetch_all_data(["us-east-1"])


# No region at all


def test_where_every_region_fails_each_cause_is_named_once(
    serve: Callable[..., LocalBedrock],
) -> None:
    endpoint = serve(*EIGHT)
    for region in EIGHT[:3]:
        endpoint.fail(Fault.error("AccessDeniedException", 403, "no policy"), region=region)
    endpoint.fail(Fault.throttling("slow down"))
    with pytest.raises(APIFetchError) as caught:
        fetcher().fetch_all_data([*EIGHT, "me-south-1"])
    message = caught.value.message
    assert caught.value.region == "all"
    assert message.startswith("No region answered")
    assert (message.count("no policy"), message.count("slow down")) == (1, 1)
    assert "and 2 more" in message
    assert "and 5 more" in message
    assert "ap-northeast-1" in message


def test_without_credentials_nothing_is_sent(bedrock: LocalBedrock, no_credentials: None) -> None:
    with pytest.raises(APIFetchError, match="no AWS credentials") as caught:
        fetcher(AuthManager()).fetch_all_data(EIGHT)
    assert caught.value.region == "all"
    assert isinstance(caught.value.__cause__, AuthenticationError)
    assert bedrock.count() == 0


@pytest.fixture
def no_credentials(bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


def test_credentials_that_cannot_be_read_when_signing_are_a_failed_fetch(
    bedrock: LocalBedrock, no_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/some")
    with pytest.raises(APIFetchError) as caught:
        fetcher(AuthManager()).fetch_all_data(EIGHT[:2])
    assert caught.value.region == "all"
    assert bedrock.count() == 0


# Logs and secrets


def test_the_end_of_a_fetch_is_logged_once(
    serve: Callable[..., LocalBedrock], caplog: pytest.LogCaptureFixture
) -> None:
    serve("us-east-1", "eu-west-1", us_east_1=5)
    with caplog.at_level(logging.INFO, "bestehorn_llmmanager"):
        fetcher().fetch_all_data(["us-east-1", "eu-west-1"])
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert record.message.startswith("regions=2 failed=0 models=2 profiles=6 seconds=")


def test_stale_regions_are_one_warning_and_refused_ones_are_none(
    serve: Callable[..., LocalBedrock], caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = serve("us-east-1", "eu-west-1", "eu-north-1")
    endpoint.fail(Fault.throttling(), region="eu-west-1")
    endpoint.fail(Fault.internal_error(), region="eu-north-1")
    with caplog.at_level(logging.INFO, "bestehorn_llmmanager"):
        fetcher().fetch_all_data(["us-east-1", "eu-west-1", "eu-north-1", "me-south-1"])
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.levelname == "WARNING"
    assert "eu-west-1" in warning.message
    assert "eu-north-1" in warning.message
    assert "me-south-1" not in warning.message


def test_what_is_raised_is_not_logged_as_well(
    serve: Callable[..., LocalBedrock], caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = serve("us-east-1")
    endpoint.fail(Fault.unavailable())
    with (
        caplog.at_level(logging.DEBUG, "bestehorn_llmmanager"),
        pytest.raises(APIFetchError),
    ):
        fetcher().fetch_all_data(["us-east-1"])
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_no_secret_is_in_messages_or_logs(
    serve: Callable[..., LocalBedrock], caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = serve("us-east-1", "eu-west-1")
    # docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html: the service
    # answers a wrong signature with the request's headers, the session token among them.
    endpoint.fail(
        Fault.error(
            "InvalidSignatureException",
            403,
            "The request signature we calculated does not match the signature you provided.\n"
            "The Canonical String for this request should have been\n'GET\n/foundation-models\n"
            f"host:bedrock\nx-amz-date:20261027T000000Z\nx-amz-security-token:{TOKEN}\n'",
        ),
        region="us-east-1",
    )
    with caplog.at_level(logging.DEBUG, "bestehorn_llmmanager"):
        raw = fetcher().fetch_all_data(["us-east-1", "eu-west-1"])
        with pytest.raises(APIFetchError) as caught:
            fetcher().fetch_all_data(["us-east-1"])
    said = f"{raw.failed_regions} {caught.value} {caught.value!r} {caplog.text}"
    assert "InvalidSignatureException" in said
    assert "AKIATEST" not in said
    assert TOKEN not in said
    assert SECRET not in said


def test_the_password_of_a_proxy_is_not_in_messages(
    serve: Callable[..., LocalBedrock], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve("us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", "http://bedrock.invalid")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://user:proxy-password@127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    with pytest.raises(APIFetchError) as caught:
        fetcher().fetch_all_data(["us-east-1"])
    assert "roxy" in caught.value.message
    assert "proxy-password" not in f"{caught.value} {caught.value!r}"


# What a fetch gives


def test_raw_data_start_empty() -> None:
    raw = RawCatalogData()
    assert not raw.has_data
    assert (raw.total_models, raw.total_profiles) == (0, 0)
    assert (raw.foundation_models, raw.inference_profiles) == ({}, {})
    assert (raw.successful_regions, raw.failed_regions, raw.failure_kinds) == ([], {}, {})


def test_raw_data_are_counted_over_all_regions() -> None:
    raw = RawCatalogData()
    raw.add_region_data("us-east-1", [{"modelId": "a"}, {"modelId": "b"}], [{}])
    raw.add_region_data("eu-west-1", [{"modelId": "a"}], [])
    assert raw.has_data
    assert (raw.total_models, raw.total_profiles) == (3, 1)
    assert raw.successful_regions == ["us-east-1", "eu-west-1"]


def test_a_region_that_is_added_again_is_replaced() -> None:
    raw = RawCatalogData()
    raw.add_region_data("us-east-1", [{"modelId": "a"}], [])
    raw.add_region_data("us-east-1", [], [{}, {}])
    assert raw.successful_regions == ["us-east-1"]
    assert (raw.total_models, raw.total_profiles) == (0, 2)


def test_failures_alone_are_no_data() -> None:
    raw = RawCatalogData()
    raw.add_region_failure("us-east-1", "broke")
    raw.add_region_failure("eu-west-1", "no policy", kind="denied")
    assert not raw.has_data
    assert raw.failed_regions == {"us-east-1": "broke", "eu-west-1": "no policy"}
    assert raw.failure_kinds == {"us-east-1": "failed", "eu-west-1": "denied"}
