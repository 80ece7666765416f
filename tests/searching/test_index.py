"""What is nearest, and an index that is only taken for what it is of."""

import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.data.rows import Row
from keras_bert.searching.index import check_index_name, index_of, index_of_vectors

ROWS = [Row({"text": text}, f"a.txt:{n}") for n, text in enumerate(("fox", "fine film", "dog"), 1)]


@pytest.fixture(scope="module")
def embedder_of(config, tokenizer):
    def make(**changes):
        own = {"num_layers": 1, "initializer_range": 0.3, **changes}
        return kb.SentenceEmbedder(
            kb.BertEncoder(dataclasses.replace(config, **own)), kb.Packer(tokenizer, 9)
        )

    return make


def test_an_index_is_kept_and_opened_again(embedder_of, tmp_path, monkeypatch, without_graphs):
    embedder, path = embedder_of(), tmp_path / "new" / "index.npz"
    made = index_of(embedder, ROWS, path)
    [[hit, other], [dog, _]] = made.search(["fine film", "dog"], 2)
    assert (hit.row.source, dog.row.source) == ("a.txt:2", "a.txt:3")
    assert hit.score == pytest.approx(1, abs=1e-5) and hit.score > other.score
    written = path.stat().st_mtime_ns
    for again in (index_of(embedder, ROWS, path), index_of_vectors(embedder, path)):
        assert (again.vectors == made.vectors).all() and again.rows == ROWS
    assert path.stat().st_mtime_ns == written
    assert np.abs(index_of(embedder, ROWS).vectors - made.vectors).max() < 1e-6
    assert [len(hits) for hits in made.search(["a"], 9)] == [3]
    with pytest.raises(ValueError, match="num_hits must be at least 1, but is 0"):
        made.search(["a"], 0)


def test_an_index_of_others_is_refused(embedder_of, tmp_path, without_graphs):
    embedder, path = embedder_of(), tmp_path / "index.npz"
    index_of(embedder, ROWS, path)
    with pytest.raises(ValueError, match="of these 2 texts, but they are not those"):
        index_of(embedder, ROWS[:2], path)
    for open_again in (lambda e: index_of(e, ROWS, path), lambda e: index_of_vectors(e, path)):
        with pytest.raises(ValueError, match=r"index\.npz must be of this checkpoint"):
            open_again(embedder_of())
    with pytest.raises(ValueError, match="vectors of 15 numbers, .* but they have 18"):
        index_of_vectors(embedder_of(hidden_dim=15), path)
    with pytest.raises(ValueError, match=r"index\.npy: name it \.npz"):
        check_index_name("index.npy")


def test_vectors_alone_have_numbers(embedder_of, tmp_path, without_graphs):
    embedder = embedder_of()
    np.save(tmp_path / "a.npy", embedder.embed([row["text"] for row in ROWS]))
    index = index_of_vectors(embedder, tmp_path / "a.npy")
    [[hit]] = index.search(["dog"], 1)
    assert (hit.row, hit.row.source) == ({}, f"{tmp_path}/a.npy[2]") and len(index.rows) == 3


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_an_index_of_codes_is_kept_as_such(embedder_of, tmp_path, precision, without_graphs):
    embedder, path = embedder_of(), tmp_path / "index.npz"
    made = index_of(embedder, ROWS, path, precision)
    [hits] = made.search(["dog"], 3)
    rows = [hit.row for hit in hits]
    # Signs of few numbers may be alike.
    assert ROWS[2] in rows if precision == "binary" else rows[0] == ROWS[2]
    assert made.summed_up.startswith(f"{precision}: {made.vectors.nbytes} bytes, 216 in float32, ")
    again = index_of(embedder, ROWS, path, precision)
    opened = index_of_vectors(embedder, path, precision)
    for other in (again, opened):
        assert (other.vectors == made.vectors).all() and other.recall == made.recall
    with pytest.raises(ValueError, match=f"has vectors in {precision}, .* --precision={precision}"):
        index_of(embedder, ROWS, path)
    with pytest.raises(ValueError, match="vectors of 15 numbers, .* but they have 18"):
        index_of_vectors(embedder_of(hidden_dim=15), path, precision)
