"""Workers meet, or those that do not come are named."""

import concurrent.futures
import socket

import pytest

from keras_bert.launching import free_addresses
from keras_bert.training.rendezvous import meet


def test_workers_wait_for_each_other():
    addresses = free_addresses(2)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(meet, addresses, 0, 60.0)
        assert not concurrent.futures.wait([first], timeout=0.5).done
        meet(addresses, 1, 60.0)
        # As TensorFlow's server then does.
        with socket.create_server(("localhost", int(addresses[1].rpartition(":")[2]))):
            first.result()


def test_workers_that_do_not_appear_are_named():
    here, missing = free_addresses(2)
    with pytest.raises(ValueError, match=f"within 0.5 s, but worker 1 at {missing} did not"):
        meet([here, missing], 0, 0.5)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("", 0)) as other:
        address = f"localhost:{other.getsockname()[1]}"
        with pytest.raises(ValueError, match=f"must listen at {address}, but cannot .*in use"):
            meet([address], 0, 5.0)


@pytest.mark.parametrize("address", ["node-a", ":2222", "node-a:http"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match=f"worker 0 must be host:port, not '{address}'"):
        meet([address], 0, 5.0)
