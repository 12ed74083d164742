"""Runs LocalBedrock as a process of its own, until its standard input ends."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from contextlib import suppress

from bestehorn_llmmanager.testing.local_bedrock import LocalBedrock


def main() -> None:
    """Print one line of JSON with `url` and `environment`, then serve."""
    options = _arguments().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bedrock = LocalBedrock(
        options.snapshot,
        port=options.port,
        latency=options.latency,
        seed=options.seed,
        record_bodies=options.record_bodies,
        s3_endpoint=options.s3_endpoint,
    )
    if options.tokens_per_minute is not None:
        bedrock.limit_tokens(options.tokens_per_minute)
    # SIGTERM and Ctrl-C are the orderly end, whenever they come.
    with suppress(KeyboardInterrupt), bedrock:
        started = {"url": bedrock.url, "environment": bedrock.environment()}
        print(json.dumps(started), flush=True)  # noqa: T201 (the answer to whoever started us)
        while sys.stdin.read(1):
            pass


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bestehorn_llmmanager.testing", description=__doc__
    )
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--snapshot", help="JSON file; default: the bundled catalogue")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds per answer")
    parser.add_argument("--seed", type=int, default=0, help="for faults with a share")
    parser.add_argument("--record-bodies", action="store_true")
    parser.add_argument("--tokens-per-minute", type=int, help="quota of each model and region")
    parser.add_argument("--s3-endpoint", help="URL of the S3 that batch jobs read and write")
    return parser


if __name__ == "__main__":
    main()
