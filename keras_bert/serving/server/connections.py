"""Connections over HTTP: who has one and asks nothing loses it, before others are shut out."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from keras_bert.serving.wire import errors

# A client has so long for the head of its next request.
HEAD_TIMEOUT_S = 10.0
# Of a body that is too large so much more is read, so that the client hears why it is refused.
DISCARDED_BODIES = 4
# Between two parts of a body, of 256 KiB at most: four MiB come a thirtieth of a second later, and
# what others wait for goes on.
PAUSE_S = 0.002
# Events that are seen to in one turn of the loop.
AT_ONCE = 4

_KEY = "keras_bert.connection"
_REFUSAL = JSONResponse({"error": "All connections wait for answers: come back later."}, 503)

Message = MutableMapping[str, Any]
Application = Callable[[Message, Callable, Callable], Awaitable[None]]


class InTurns(selectors.DefaultSelector):
    """What an event loop waits with, of which it takes a few at a time.

    What has begun goes on between them: an answer takes a dozen turns of the loop, and a thousand
    connections that are closed at once must not be between any two of them. Of what is ready, half
    are the first and half the last, so that nobody waits for all others, and nobody for ever.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if len(ready) <= AT_ONCE:
            return ready
        return [*ready[: AT_ONCE // 2], *ready[-AT_ONCE // 2 :]]


class Connections:
    """The connections of a server, which wait for their client, or their client for an answer.

    One that waits for the head of a request for `HEAD_TIMEOUT_S` is closed. Where there are as many
    as there may be, a new one takes the place of the one that has waited for its client longest:
    for a head, for a body, or for the answer to be read. If none does, its request is refused.

    Nothing is begun for a request before all of it is there.

    Args:
        most: int, how many there may be.
        max_bytes: int, the size of a body.
        timeout_s: float, seconds in which a body must have come.
    """

    def __init__(self, most: int, max_bytes: int, timeout_s: float):
        self._most = most
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        error = f"A request must have at most {max_bytes} bytes, but has more: send several."
        self._too_large = JSONResponse({"error": error}, errors.CONTENT_TOO_LARGE)
        self._late = _last_words(
            f"A request must come within {timeout_s:g} s, but did not: send fewer or shorter rows."
        )
        self._open: set[Connection] = set()
        # Those that wait for their client, the longest first.
        self._waiting: dict[Connection, None] = {}

    def protocol(self, config, server_state, app_state, _loop=None) -> asyncio.Protocol:
        """A connection, for uvicorn's setting `http`."""
        return Connection(self, config, server_state, app_state, _loop)

    def application(self, application: Application) -> Application:
        """The same ASGI application; it is seen when its requests begin and end."""

        async def seen(scope: Message, receive: Callable, send: Callable) -> None:
            connection = scope["state"].pop(_KEY)
            connection.limit(self._timeout_s, self._late)
            self._waiting.pop(connection, None)
            self.waits(connection)

            async def sent(message: Message) -> None:
                self.waits(connection)
                await send(message)

            try:
                if len(self._open) > self._most:
                    await _REFUSAL(scope, receive, sent)
                    return
                received = await self._received(receive)
                if received is None:
                    return
                connection.limit(None)
                self._waiting.pop(connection, None)
                respond = self._too_large if len(received) > self._max_bytes else application
                await respond(scope, _again(received, receive), sent)
            finally:
                self.waits(connection)
                connection.limit(HEAD_TIMEOUT_S)

        return seen

    async def _received(self, receive: Callable[[], Awaitable[Message]]) -> bytearray | None:
        """A body, or more of it than there may be; None if the client has gone."""
        body, size = bytearray(), 0
        while size <= DISCARDED_BODIES * self._max_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            size += len(message["body"])
            if len(body) <= self._max_bytes:
                body += message["body"]
            if not message["more_body"]:
                break
            await asyncio.sleep(PAUSE_S)
        return body

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        if len(self._open) > self._most and self._waiting:
            longest = next(iter(self._waiting))
            self.closed(longest)
            longest.abort()
        self._waiting[connection] = None

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """Says that a connection waits for its client, if it does not do so already."""
        if connection in self._open:
            self._waiting.setdefault(connection)


class Connection(H11Protocol):
    """One of them: uvicorn's own, with a limit on the time in which it is asked something."""

    def __init__(self, connections: Connections, config, server_state, app_state, _loop=None):
        # uvicorn gives the state to each request.
        super().__init__(config, server_state, {**app_state, _KEY: self}, _loop)
        self._connections = connections
        self._socket: asyncio.Transport | None = None
        self._limit: asyncio.TimerHandle | None = None

    # As uvicorn's own has it: a stream gives no other transport.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._socket = transport
        self._connections.opened(self)
        self.limit(HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket = None
        self.limit(None)
        self._connections.closed(self)
        super().connection_lost(exc)
        # Its requests know it: in such circles connections would stay until Python looks for
        # circles, which takes the longer the more there are.
        self.app_state = {}
        self.scope = self.cycle = None  # type: ignore[assignment]

    def limit(self, seconds: float | None, last_words: bytes = b"") -> None:
        """Closes the connection after so long, or lets it be."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if seconds is not None and self._socket is not None:
            loop = asyncio.get_running_loop()
            self._limit = loop.call_later(seconds, self.abort, last_words)

    def abort(self, last_words: bytes = b"") -> None:
        if self._socket is None:
            return
        if last_words:
            self._socket.write(last_words)
            self._socket.close()
        else:
            self._socket.abort()


def _again(body: bytearray, receive: Callable[[], Awaitable[Message]]) -> Callable:
    """What an application receives: a body that is there, and then what comes."""
    parts = [bytes(body)]

    async def received() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        return await receive()

    return received


def _last_words(message: str) -> bytes:
    """A whole answer with an error, behind which a connection is closed."""
    body = json.dumps({"error": message})
    return (
        f"HTTP/1.1 504 Gateway Timeout\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()
