"""Networks whose outputs are known, for what stands around them."""

import numpy as np
import pytest

from keras_bert.exporting.lite_tokenizers import described, files_of
from keras_bert.lite.lite import read_tokenizer
from keras_bert.lite.rows import Packer
from keras_bert.lite.tokenizer import Tokenizer

TEMPLATE = {"before": [2], "between": [3], "after": [3], "segment_ids": [0, 1]}


@pytest.fixture
def lite_task(vocabulary):
    """Makes a task of the runtime whose network is a function of a row, and maybe of positions."""

    def make(kind, network, length=23, **settings):
        return kind(network, Tokenizer(vocabulary), Packer(TEMPLATE, length), settings)

    return make


@pytest.fixture
def of_ids():
    """A network that says for each position one row of a table, that of its id."""

    def make(name, table):
        table = np.asarray(table, np.float32)
        return lambda row: {name: table[row.token_ids]}

    return make


@pytest.fixture
def lite_of(tmp_path):
    """Makes of a tokenizer the one that its export has."""

    def make(tokenizer):
        for name, content in files_of(tokenizer).items():
            (tmp_path / name).write_bytes(content.encode("utf-8"))
        return read_tokenizer(tmp_path, described(tokenizer))

    return make
