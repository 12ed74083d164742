"""Accepts connections on loopback and hands each to a thread of its own."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from bestehorn_llmmanager.testing._http import HttpConnection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

HOST = "127.0.0.1"
_JOIN_SECONDS = 5.0


class LoopbackServer:
    """Safe to share between threads; `_lock` guards the set of open connections."""

    def __init__(
        self,
        serve: Callable[[HttpConnection], None],
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._serve = serve
        self._tls = tls
        self._lock = threading.Lock()
        self._open: dict[HttpConnection, threading.Thread] = {}
        self._stopping = False
        self._numbers = count(1)
        self._process = os.getpid()
        self._listener = socket.create_server((HOST, port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(
            target=self._accept, name=f"LocalBedrock-{self.port}", daemon=True
        )
        self._acceptor.start()

    def stop(self) -> None:
        """Close every connection and wait for their threads."""
        if self._process != os.getpid():  # After a fork the threads and connections are not ours.
            self._listener.close()
            return
        with self._lock:
            self._stopping = True
        self._wake_acceptor()
        self._acceptor.join(_JOIN_SECONDS)
        self._listener.close()
        with self._lock:
            threads = list(self._open.values())
            for connection in self._open:
                connection.shut_down()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)

    def _wake_acceptor(self) -> None:
        # Neither close() nor shutdown() on a listener ends accept() on every platform.
        with suppress(OSError):  # It has ended already.
            socket.create_connection((HOST, self.port), timeout=_JOIN_SECONDS).close()

    def _accept(self) -> None:
        while True:
            try:
                client = self._accept_one()
            except OSError:  # That client gave up, or there is no file descriptor left for it.
                time.sleep(0.01)
                continue
            with self._lock:
                if self._stopping:
                    client.close()
                    return
                self._start_thread(HttpConnection(client, next(self._numbers)))

    def _accept_one(self) -> socket.socket:
        client, _address = self._listener.accept()
        if self._tls is None:
            return client
        # The handshake belongs to the connection's own thread: it happens on its first read.
        return self._tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)

    def _start_thread(self, connection: HttpConnection) -> None:
        thread = threading.Thread(
            target=self._run,
            args=(connection,),
            name=f"LocalBedrock-{self.port}-{connection.number}",
            daemon=True,
        )
        self._open[connection] = thread
        thread.start()

    def _run(self, connection: HttpConnection) -> None:
        try:
            self._serve(connection)
        except OSError:
            pass  # The client has gone, or `stop` closed the connection.
        finally:
            with self._lock:
                del self._open[connection]
                connection.close()
