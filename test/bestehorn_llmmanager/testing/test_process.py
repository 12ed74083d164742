"""LocalBedrock in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from bestehorn_llmmanager.testing import Fault, LocalBedrockProcess
from bestehorn_llmmanager.testing.process import _python_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOVA = "amazon.nova-lite-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]


@pytest.fixture(scope="module")
def snapshot_file(tmp_path_factory: pytest.TempPathFactory, snapshot: dict[str, Any]) -> Path:
    path = tmp_path_factory.mktemp("snapshot") / "snapshot.json"
    path.write_text(json.dumps(snapshot))
    return path


@pytest.fixture(scope="module")
def process(snapshot_file: Path) -> Iterator[LocalBedrockProcess]:
    with LocalBedrockProcess(snapshot_file, record_bodies=True) as running:
        yield running


@pytest.fixture
def client(process: LocalBedrockProcess) -> Any:
    process.reset()
    return process.client(config=Config(retries={"total_max_attempts": 1}))


def test_it_answers_and_counts(process: LocalBedrockProcess, client: Any) -> None:
    client.converse(modelId=NOVA, messages=HELLO)
    process.client("bedrock", "eu-west-1").list_foundation_models()
    assert process.count() == 2
    assert process.count("Converse", "us-east-1", NOVA) == 1
    assert process.requests[0].body == {"messages": HELLO}
    assert process.connections_by_region() == {"eu-west-1": 1}
    assert process.errors == ()


def test_faults_replies_and_targets_reach_it(process: LocalBedrockProcess, client: Any) -> None:
    process.fail(Fault.throttling(retry_after=1), times=1)
    with pytest.raises(ClientError) as caught:
        client.converse(modelId=NOVA, messages=HELLO)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    process.fail(Fault.stream_error("modelStreamErrorException", original_status=500))
    stream = client.converse_stream(modelId=NOVA, messages=HELLO)["stream"]
    with closing(stream), pytest.raises(EventStreamError):
        list(stream)
    process.clear_faults()
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    process.register_target(arn, NOVA)
    process.reply_with("scripted", model_id=arn)
    answer = client.converse(modelId=arn, messages=HELLO)
    assert answer["output"]["message"]["content"] == [{"text": "scripted"}]


def test_what_it_cannot_do_is_said(process: LocalBedrockProcess) -> None:
    with pytest.raises(ValueError, match="`share` must be between 0 and 1"):
        process.fail(Fault.reset(), share=2)
    with pytest.raises(ValueError, match="does not fit the service model"):
        process.reply_with({"output": {}})


def test_it_ends_when_stopped(snapshot_file: Path) -> None:
    running = LocalBedrockProcess(snapshot_file).start()
    process = running._process
    assert process is not None
    running.stop()
    assert process.returncode == 0
    with pytest.raises(RuntimeError, match="not running"):
        _ = running.url


def test_it_ends_in_good_order_on_sigterm(snapshot_file: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bestehorn_llmmanager.testing", "--snapshot", str(snapshot_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": _python_path()},
    ) as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        assert started["environment"]["AWS_ENDPOINT_URL_BEDROCK"] == started["url"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_process_that_cannot_start_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    broken = LocalBedrockProcess(latency=-1)
    with pytest.raises(RuntimeError, match="ended at once with status 1"):
        broken.start()
    assert "`latency` must not be negative" in capfd.readouterr().err
