"""Serves exported models to develop with, by TF Serving's messages and paths.

Every `<model_base_path>/<name>/<version>/` is served. It stands in where TF Serving is not at hand.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import gc
import importlib
import pathlib
import resource
import signal
import socket
import sys
import threading

from absl import logging

from keras_bert import flags

try:
    import grpc
    import uvicorn

    from keras_bert.serving.server import batching, connections, rest
    from keras_bert.serving.server import grpc as grpc_service
    from keras_bert.serving.server.batching import Batcher
    from keras_bert.serving.server.models import Models
    from keras_bert.serving.server.monitoring import Metrics
    from keras_bert.serving.server.prediction import Predictor
    from keras_bert.serving.wire import layout
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"The server needs {error.name}: pip install 'kerasbert[serving]'", name=error.name
    ) from error


# Connections that wait to be taken, and of them those that are taken before others are served.
BACKLOG, TAKEN_AT_ONCE = 2048, 4
GRPC_IDLE_MS = 300_000
# For refusals that are on their way when all is answered.
LAST_WORDS_S = 1.0


@dataclasses.dataclass(frozen=True)
class Arguments:
    model_base_path: str = flags.required(
        "directory with <name>/<version>/, models.config and batching.config"
    )
    host: str = flags.flag("localhost", "address to listen at; 0.0.0.0 for all")
    grpc_port: int = flags.flag(8500, "port for gRPC; 0 for any that is free")
    rest_port: int = flags.flag(8501, "port for REST; 0 for any that is free")
    poll_interval_s: float = flags.flag(1.0, "seconds between two looks for new versions")
    rest_timeout_s: float = flags.flag(
        30.0, "seconds in which a REST request must come, and in which it is answered"
    )
    # As much as 32 examples of two texts may have; read in 15 ms at most.
    max_request_bytes: int = flags.flag(1 << 22, "size of a request")
    max_connections: int = flags.flag(500, "requests, and REST connections, at the same time")
    grace_s: float = flags.flag(30.0, "seconds that requests have to end after SIGTERM")


class Server:
    """The server, in threads of this process.

    It is a stand-in for TF Serving, to develop and test with, and not TF Serving: what it shares
    are the messages, the paths, the status codes and the configuration files.

    Args:
        arguments: Arguments.

    Raises:
        ValueError: the base path or a configuration file is wrong, or a port is taken.

    Attributes:
        grpc_port, rest_port: int, where it listens once it is started.
    """

    def __init__(self, arguments: Arguments):
        self._arguments = arguments
        base_path = pathlib.Path(arguments.model_base_path)
        self.models = Models(base_path)
        self._settings = batching.read_settings(base_path / layout.BATCHING_CONFIG_FILE)
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)
        self._ports: concurrent.futures.Future[tuple[int, int]] = concurrent.futures.Future()
        self._stopping: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.grpc_port = self.rest_port = 0

    def start(self) -> None:
        """Loads what is there, then listens."""
        self.models.start(self._arguments.poll_interval_s)
        self._thread.start()
        try:
            self.grpc_port, self.rest_port = self._ports.result()
        except BaseException:
            self._thread.join()
            self.models.stop()
            raise

    def stop(self) -> None:
        """Takes no more requests, waits for those that are under way, and ends."""
        if not self._stopping.done():
            self._stopping.set_result(None)
        self._thread.join()
        self.models.stop()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exception) -> None:
        self.stop()

    def _run(self) -> None:
        loop = asyncio.SelectorEventLoop(connections.InTurns())
        try:
            loop.run_until_complete(self._serve())
        except BaseException as error:
            if self._ports.done():
                raise
            self._ports.set_exception(error)
        finally:
            loop.close()

    async def _serve(self) -> None:
        metrics = Metrics(lambda: batcher.num_waiting)
        batcher = Batcher(self._settings, metrics.observe_batch)
        predictor = Predictor(self.models, batcher, metrics)
        calls = grpc_service.Calls()
        with _listener(self._arguments.host, self._arguments.rest_port) as listener:
            grpc_server, grpc_port = self._grpc_server(predictor, calls)
            rest_server = self._rest_server(predictor)
            await grpc_server.start()
            # In a thread that is not the main one, uvicorn leaves the signals alone.
            serving = asyncio.create_task(rest_server.serve([listener]))
            while not rest_server.started and not serving.done():
                await asyncio.sleep(0.01)
            # uvicorn's backlog is of those that are taken at once, before anybody is answered.
            listener.listen(BACKLOG)
            self._ports.set_result((grpc_port, listener.getsockname()[1]))
            await asyncio.wrap_future(self._stopping)
            logging.info("Requests that are under way have %g s to end.", self._arguments.grace_s)
            rest_server.should_exit = True
            await asyncio.gather(self._end(grpc_server, calls), serving)
        await batcher.close()
        predictor.close()

    async def _end(self, server: grpc.aio.Server, calls: grpc_service.Calls) -> None:
        await calls.close(self._arguments.grace_s)
        await server.stop(LAST_WORDS_S)

    def _grpc_server(
        self, predictor: Predictor, calls: grpc_service.Calls
    ) -> tuple[grpc.aio.Server, int]:
        arguments = self._arguments
        server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", arguments.max_request_bytes),
                ("grpc.max_send_message_length", -1),
                # Two servers at one port would share the requests without a word.
                ("grpc.so_reuseport", 0),
                # Who has a connection and asks nothing loses it; clients make another one.
                ("grpc.server_handshake_timeout_ms", round(1000 * connections.HEAD_TIMEOUT_S)),
                ("grpc.max_connection_idle_ms", GRPC_IDLE_MS),
            ),
            interceptors=(calls,),
            maximum_concurrent_rpcs=arguments.max_connections,
        )
        server.add_generic_rpc_handlers(tuple(grpc_service.Services(predictor).handlers()))
        try:
            return server, server.add_insecure_port(f"{arguments.host}:{arguments.grpc_port}")
        except RuntimeError as error:
            raise _taken(arguments.host, arguments.grpc_port) from error

    def _rest_server(self, predictor: Predictor) -> uvicorn.Server:
        arguments = self._arguments
        application = rest.application(predictor, arguments.rest_timeout_s)
        open_ones = connections.Connections(
            arguments.max_connections, arguments.max_request_bytes, arguments.rest_timeout_s
        )
        return uvicorn.Server(
            uvicorn.Config(
                open_ones.application(application),
                # It is only called.
                http=open_ones.protocol,  # type: ignore[arg-type]
                backlog=TAKEN_AT_ONCE,
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                # Which may be a fraction, whatever its annotation says.
                timeout_graceful_shutdown=arguments.grace_s,  # type: ignore[arg-type]
            )
        )


def main(arguments: Arguments) -> None:
    logging.set_verbosity(logging.INFO)
    # Each connection is one, and shells allow 1,024 at first.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # It imports TensorFlow. What is imported is for ever: Python's search for circles, half a
    # second in which nobody is answered, leaves it out from now on.
    importlib.import_module("keras_bert.serving.server.saved_model")
    gc.collect()
    gc.freeze()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Server(arguments) as server:
        host = arguments.host
        sys.stdout.write(f"gRPC at {host}:{server.grpc_port}, REST at {host}:{server.rest_port}\n")
        sys.stdout.flush()
        stop.wait()


def _listener(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise _taken(host, port) from error
    # Connections inherit it. Without, an answer's body waits 40 ms for the receipt of its head;
    # asyncio would set it, but not where the protocol number is left to the system.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _taken(host: str, port: int) -> ValueError:
    return ValueError(
        f"The server must be able to listen at {host}:{port}, but another process has the port, or "
        "this one may not have it: choose another, or end the process that has it."
    )
