"""Prints an answer as it comes, and shows what happens when a stream breaks.

With AWS credentials it talks to AWS. Without, it starts a Bedrock endpoint on this machine
(`LocalBedrock`), says so, and lets it break two streams in the middle.

    python examples/streaming_example.py
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from bestehorn_llmmanager import AuthenticationError, CacheMode, LLMManager
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from bestehorn_llmmanager import StreamingResponse
    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamRestart

REGIONS = ["us-east-1", "us-west-2"]
MESSAGES = [{"role": "user", "content": [{"text": "What is a region? One sentence."}]}]
ANSWER = "A region is a separate geographic area in which a service runs."


def main() -> None:
    with ExitStack() as stack:
        local = None
        if not has_credentials():
            local = stack.enter_context(LocalBedrock(set_environment=True))
            local.reply_with(ANSWER)
            print(f"No AWS credentials: using LocalBedrock at {local.url}.")
        show("An answer", stack.enter_context(new_manager("Claude Haiku 4.5")))
        leave_early(stack.enter_context(new_manager("Claude Haiku 4.5")))
        if local:
            local.fail(Fault.stream_cut(after_events=6), region=REGIONS[0])
            continues = stack.enter_context(new_manager("Claude Haiku 4.5"))
            show("The connection breaks; the model can continue a given beginning", continues)
            starts_again = stack.enter_context(new_manager("Claude Opus 4.6"))
            show("The connection breaks; the model cannot", starts_again)


def has_credentials() -> bool:
    try:
        AuthManager().get_session()
    except AuthenticationError:
        return False
    return True


def new_manager(model: str) -> LLMManager:
    return LLMManager([model], REGIONS, catalog_cache_mode=CacheMode.MEMORY)


def show(title: str, manager: LLMManager) -> None:
    print(f"\n{title}:")
    stream = manager.converse_stream(MESSAGES, on_restart=tell, timeout=30)
    for text in stream:
        print(text, end="", flush=True)
    print()
    show_figures(stream)


def tell(restart: StreamRestart) -> None:
    print(f"\n[{restart.position} characters are void; again in {restart.region}]")


def show_figures(stream: StreamingResponse) -> None:
    # No failure leaves the loop as an exception.
    print(f"  success: {stream.success}, errors: {len(stream.get_stream_errors())}")
    print(f"  stop reason: {stream.get_stop_reason()}, usage: {stream.get_usage()}")
    print(f"  requests: {[f'{entry.region}: {entry.decision}' for entry in stream.attempt_log]}")


def leave_early(manager: LLMManager) -> None:
    print("\nLeft after some characters; the end of the `with` closes the connection:")
    with manager.converse_stream(MESSAGES) as stream:
        for text in stream:
            print(text, end="", flush=True)
            if len(stream.get_full_content()) >= 10:  # noqa: PLR2004
                break
    print(f"\n  closed: {stream.closed}")


if __name__ == "__main__":
    main()
