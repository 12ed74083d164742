"""Answers a thousand questions with a progress bar, is interrupted on the way, and resumes.

Shows the bar with the extra `progress`. Talks to a Bedrock endpoint on this machine (`LocalBedrock`), and
interrupts itself as Ctrl-C would:

    python examples/parallel_batch.py

With a journal of your own the interrupt is yours: press Ctrl-C, and start it again. With `--aws`
it sends a thousand requests to AWS, which cost money.

    python examples/parallel_batch.py --journal answers.jsonl
    python examples/parallel_batch.py --journal answers.jsonl --aws
"""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bestehorn_llmmanager import ParallelLLMManager, create_user_message
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.testing import LocalBedrock

MODELS = ["Nova Micro", "Claude Haiku 4.5"]
REGIONS = ["us-east-1", "us-west-2", "eu-central-1"]
QUESTIONS = 1000
INTERRUPTED_AFTER = 400
HAS_BAR = importlib.util.find_spec("tqdm") is not None


def main() -> None:
    options = parse_options()
    if not HAS_BAR:
        print('For a progress bar: pip install "bestehorn-llmmanager[progress]"')
    with ExitStack() as stack:
        local = None
        if not options.aws:
            local = stack.enter_context(LocalBedrock(latency=0.1, set_environment=True))
            print(f"Using LocalBedrock at {local.url}; its answers are made up.")
        manager = stack.enter_context(new_manager())
        if options.journal is not None:
            is_complete = answer_all(manager, options.journal)
        else:
            journal = Path(stack.enter_context(TemporaryDirectory())) / "answers.jsonl"
            answer_all(manager, journal, interrupt_after=INTERRUPTED_AFTER)
            is_complete = answer_all(manager, journal)
        if local is not None:
            print(f"The endpoint was asked {local.count('Converse')} times.")
    sys.exit(0 if is_complete else 130)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Answers a thousand questions.")
    parser.add_argument("--journal", type=Path, help="where answers are kept")
    parser.add_argument("--aws", action="store_true", help="ask AWS, which costs money")
    return parser.parse_args()


def new_manager() -> ParallelLLMManager:
    return ParallelLLMManager(
        models=MODELS,
        regions=REGIONS,
        parallel_config=ParallelProcessingConfig(max_concurrent_requests=32),
        default_inference_config={"maxTokens": 100},
        catalog_cache_mode=CacheMode.MEMORY,
    )


def questions() -> list[BedrockConverseRequest]:
    """Ids and contents are the same in every run: a journal knows what has been answered."""
    return [
        BedrockConverseRequest(
            messages=[create_user_message().add_text(f"Is {number} a prime number?").build()],
            request_id=f"prime-{number}",
        )
        for number in range(1, QUESTIONS + 1)
    ]


def answer_all(
    manager: ParallelLLMManager, journal: Path, interrupt_after: int | None = None
) -> bool:
    """Answer what the journal does not have yet; gives whether all questions are answered now."""
    answered: list[str] = []
    failed: list[str] = []
    try:
        # Closing it waits for the answers that are under way, unless Ctrl-C comes a second time.
        with closing(
            manager.iter_converse_parallel(questions(), progress=HAS_BAR, journal=journal)
        ) as results:
            for name, response in results:
                (answered if response.success else failed).append(name)
                if len(answered) == interrupt_after:
                    signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print(f"Interrupted after {len(answered)} answers; the journal has {count_of(journal)}.")
        return False
    except ParallelProcessingError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(f"{len(answered)} answered, {len(failed)} failed. Answers are in {journal.name}.")
    return not failed


def count_of(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


if __name__ == "__main__":
    main()
