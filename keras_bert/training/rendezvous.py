"""The workers of one run meet before TensorFlow connects them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence

from absl import logging

# Seconds between two looks at whether all have appeared, and until it is said who is waited for.
_LOOK, _SAY = 0.2, 10.0


def meet(addresses: Sequence[str], own: int, timeout: float) -> None:
    """Waits until every worker listens at its address, where this one does meanwhile.

    TensorFlow waits for a worker that never comes in native code which neither a signal nor an
    exception ends, nor another thread, which it keeps from running. When this returns, all are
    there, and TensorFlow waits no longer than they take to open their servers.

    Args:
        addresses: `host:port` of all workers, the same list in each.
        own: int, which of them is this process's; its port must be free.
        timeout: float, seconds.

    Raises:
        ValueError: some do not appear within the timeout, and are named; an address is none; or
            the own port is taken.

    Example:

    >>> from keras_bert.launching import free_addresses
    >>> from keras_bert.training.rendezvous import meet
    >>> meet(free_addresses(1), own=0, timeout=5.0)
    """
    ports = [_port(address) for address in addresses]
    end, say = time.monotonic() + timeout, time.monotonic() + _SAY
    with _listening(addresses[own], ports[own]):
        missing = dict(enumerate(addresses))
        while missing := {i: one for i, one in missing.items() if not _listens(one)}:
            names = ", ".join(f"worker {i} at {one}" for i, one in missing.items())
            if time.monotonic() >= end:
                raise ValueError(
                    f"All workers must appear within {timeout:g} s, but {names} did not: look at "
                    "their own output, and whether this machine may reach them; --start_timeout "
                    "waits longer."
                )
            if time.monotonic() >= say:
                logging.info("Waiting for %s.", names)
                say = end
            time.sleep(_LOOK)


def _port(address: str) -> int:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"The address of a worker must be host:port, not {address!r}: correct it.")
    return int(port)


@contextlib.contextmanager
def _listening(address: str, port: int) -> Iterator[None]:
    """A context in which this process listens at a port, as TensorFlow's server will."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise ValueError(
            f"This worker must listen at {address}, but cannot ({error.strerror}): end the process "
            "that does, or give the workers other ports."
        ) from error
    with server:
        yield


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1.0):
            return True
    except OSError:
        return False
