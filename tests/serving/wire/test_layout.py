"""Names of directories that are versions, and of those that are not."""

import pytest

from keras_bert.serving.wire import layout


@pytest.mark.parametrize("name", ["0", "1", "007", "9" * 18])
def test_versions(name):
    assert layout.VERSION.fullmatch(name)


@pytest.mark.parametrize("name", ["", "-1", "1.5", "latest", ".writing-1", "1\n", "9" * 19, "١"])
def test_other_names(name):
    assert not layout.VERSION.fullmatch(name)
