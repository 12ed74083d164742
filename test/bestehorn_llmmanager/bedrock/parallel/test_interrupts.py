"""Tests blocks at whose end Ctrl-C takes effect."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bestehorn_llmmanager.bedrock.parallel.interrupts import Uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def handler() -> Iterator[Callable[..., None]]:
    """That of Python, as in a program; a test runner may have another."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def block(*, presses: int, seconds_between: float = 0.0) -> list[str]:
    done = ["begun"]
    try:
        with Uninterrupted():
            for number in range(presses):
                time.sleep(seconds_between if number else 0.0)
                press()
                done.append("pressed")
            done.append("all")
        done.append("more")
    except KeyboardInterrupt:
        done.append("interrupted")
    return done


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_takes_effect_once_at_the_end_of_the_block(
    handler: Callable[..., None], presses: int
) -> None:
    assert block(presses=presses) == ["begun", *["pressed"] * presses, "all", "interrupted"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_block_that_takes_its_time_can_be_left(handler: Callable[..., None]) -> None:
    assert block(presses=2, seconds_between=1.1) == ["begun", "pressed", "interrupted"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_so_can_one_within_another() -> None:
    with Uninterrupted():
        assert block(presses=2, seconds_between=1.1) == ["begun", "pressed", "interrupted"]


def test_without_ctrl_c_nothing_happens(handler: Callable[..., None]) -> None:
    with Uninterrupted():
        assert signal.getsignal(signal.SIGINT) is not handler
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_error_comes_out_of_the_block(handler: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="x"), Uninterrupted():
        raise ValueError("x")
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_beside_an_error_has_that_as_its_context() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, Uninterrupted():
        fail_after(press)
    assert isinstance(caught.value.__context__, ValueError)


def fail_after(action: Callable[[], None]) -> None:
    action()
    raise ValueError("x")


def test_in_a_block_within_a_block_it_is_the_end_of_the_outer_one() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Uninterrupted():
        done.append(block(presses=1))
    assert done == [["begun", "pressed", "all", "more"]]


def test_the_handler_is_that_of_the_program() -> None:
    got: list[tuple[int, bool]] = []

    def own(number: int, frame: object) -> None:
        got.append((number, frame is not None))

    signal.signal(signal.SIGINT, own)
    with Uninterrupted():
        press()
        press()
        assert got == []
    assert got == [(signal.SIGINT, True)]
    assert signal.getsignal(signal.SIGINT) is own


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Uninterrupted():
        press()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_change_nothing(handler: Callable[..., None]) -> None:
    seen = []

    def work() -> None:
        with Uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handler]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_the_handler_of_the_program() -> None:
    with Uninterrupted():
        child = os.fork()
        if not child:
            os._exit(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)
        assert os.waitpid(child, 0)[1] == 0
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
