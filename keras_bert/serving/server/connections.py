"""Connections over HTTP: who has one and asks nothing loses it, before others are shut out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

# A client has so long for the head of its next request.
HEAD_TIMEOUT_S = 10.0

_KEY = "keras_bert.connection"
_REFUSAL = JSONResponse({"error": "All connections wait for answers: come back later."}, 503)

Message = MutableMapping[str, Any]
Application = Callable[[Message, Callable, Callable], Awaitable[None]]


class Connections:
    """The connections of a server, which wait for their client, or their client for an answer.

    One that waits for the head of a request for `HEAD_TIMEOUT_S` is closed. Where there are as many
    as there may be, a new one takes the place of the one that has waited for its client longest:
    for a head, for a body, or for the answer to be read. If none does, its request is refused.

    Args:
        most: int, how many there may be.
    """

    def __init__(self, most: int):
        self._most = most
        self._open: set[Connection] = set()
        # Those that wait for their client, the longest first.
        self._waiting: dict[Connection, None] = {}

    def protocol(self, config, server_state, app_state, _loop=None) -> asyncio.Protocol:
        """A connection, for uvicorn's setting `http`."""
        return Connection(self, config, server_state, app_state, _loop)

    def application(self, application: Application) -> Application:
        """The same ASGI application; it is seen when its requests begin and end."""

        async def seen(scope: Message, receive: Callable, send: Callable) -> None:
            connection = scope["state"][_KEY]
            connection.limit(None)
            self._waiting.pop(connection, None)
            self.waits(connection)

            async def received() -> Message:
                message = await receive()
                if not message.get("more_body"):
                    self._waiting.pop(connection, None)
                return message

            async def sent(message: Message) -> None:
                self.waits(connection)
                await send(message)

            is_full = len(self._open) > self._most
            try:
                await (_REFUSAL if is_full else application)(scope, received, sent)
            finally:
                self.waits(connection)
                connection.limit(HEAD_TIMEOUT_S)

        return seen

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

    def limit(self, seconds: float | None) -> None:
        """Closes the connection after so long, or lets it be."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if seconds is not None and self._socket is not None:
            self._limit = asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        if self._socket is not None:
            self._socket.abort()
