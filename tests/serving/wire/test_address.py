"""Which model a request is for."""

import pytest

from keras_bert.serving.wire.address import Address


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (Address("a/b:c"), "/v1/models/a%2Fb%3Ac"),
        (Address("toy", version=0), "/v1/models/toy/versions/0"),
        (Address("toy", label="é"), "/v1/models/toy/labels/%C3%A9"),
    ],
)
def test_paths(address, path):
    assert address.path == path
