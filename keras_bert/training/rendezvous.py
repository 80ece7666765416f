"""The workers of one run meet before TensorFlow connects them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping, Sequence

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
    places = {f"worker {index}": address for index, address in enumerate(addresses)}
    check(places)
    with listening(addresses[own]):
        wait_for(places, timeout)


def wait_for(places: Mapping[str, str], timeout: float) -> None:
    """Waits until a process listens at every address.

    Args:
        places: dict of `host:port` by the names of those that are waited for.
        timeout: float, seconds.

    Raises:
        ValueError: some do not within the timeout, and are named; or an address is none.
    """
    check(places)
    end, say = time.monotonic() + timeout, time.monotonic() + _SAY
    missing = dict(places)
    while missing := {name: one for name, one in missing.items() if not listens(one)}:
        names = ", ".join(f"{name} at {one}" for name, one in missing.items())
        if time.monotonic() >= end:
            raise ValueError(
                f"All must appear within {timeout:g} s, but {names} did not: look at their own "
                "output, and whether this machine may reach them; --start_timeout waits longer."
            )
        if time.monotonic() >= say:
            logging.info("Waiting for %s.", names)
            say = end
        time.sleep(_LOOK)


def check(places: Mapping[str, str]) -> None:
    """Raises a ValueError where one of these is no `host:port`; arguments as of `wait_for`."""
    for name, address in places.items():
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(
                f"The address of {name} must be host:port, not {address!r}: correct it."
            )


def listens(address: str) -> bool:
    """Whether a process takes connections at `host:port`."""
    host, port = host_and_port(address)
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of `host:port`, of which a host by its number may stand in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@contextlib.contextmanager
def listening(address: str) -> Iterator[None]:
    """A context in which this process listens at an address, as TensorFlow's server will.

    That one would share a port with another process, without a word.

    Raises:
        ValueError: the port is taken.
    """
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    where = ("", host_and_port(address)[1])
    try:
        server = socket.create_server(where, family=family, dualstack_ipv6=both)
    except OSError as error:
        raise ValueError(
            f"This worker must listen at {address}, but cannot ({error.strerror}): end the process "
            "that does, or give the workers other ports."
        ) from error
    with server:
        yield
