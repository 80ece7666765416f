import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.finetuning.cutting import Cut, remove_cut
from keras_bert.models.static import StaticEncoder

EXAMPLES = [{"sentence": "the quick fox"}, {"sentence": "a lazy dog"}]


def of_good(task):
    return [answer["probabilities"][1] for answer in task(EXAMPLES)]


def test_what_is_cut_is_removed_and_nothing_is_answered_otherwise(
    config, tokenizer, drawn, tmp_path, without_graphs
):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=2))
    task = drawn(kb.TextClassifier(encoder, kb.Packer(tokenizer, 11), ["bad", "good"]))
    for kernel, cut in (
        (encoder.blocks[0].attention.projection.kernel, range(6, 18)),
        (encoder.blocks[1].projection.kernel, (0, 3, 5)),
    ):
        is_cut = np.isin(np.arange(kernel.shape[0]), cut)
        kernel.assign(np.where(is_cut[:, None], 0, np.array(kernel)))
    kb.save(task, tmp_path / "mine")
    width, gone = 6, 2 * (4 * 18 * 6 + 3 * 6) + 3 * (2 * 18 + 1)
    before, left = task.count_params(), task.count_params() - gone
    said = "Removed are 2 of 6 heads and 3 of 62 columns: {:,} numbers are now {:,}."
    assert remove_cut(tmp_path / "mine") == said.format(before, left)
    smaller = kb.load(tmp_path / "mine").model
    assert smaller.encoder.config.layer_heads == (1, 3) and config.head_dim == width
    assert smaller.encoder.config.layer_intermediate_dims == (31, 28)
    assert smaller.count_params() == left
    assert of_good(smaller) == pytest.approx(of_good(task), abs=1e-5)
    assert remove_cut(tmp_path / "mine").startswith("Nothing more is cut that could be removed")


def test_it_is_cut_between_the_warm_up_and_two_thirds_of_the_updates(encoder_of):
    assert Cut.of((0.5, 0.0), 1, 0) == (0.5, 0.0, 0, 1)
    assert Cut.of((0.5, 0.0), 10, 9)[2:] == (6, 7)
    cut = Cut.of((0.5, 0.3), 90, 9)
    [heads, columns] = cut.movement(encoder_of("Bert", num_layers=2)).groups
    assert (heads.number_to_cut, columns.number_to_cut) == (3, 19)
    assert heads.kernels[0].shape == (18, 18) and columns.kernels[1].shape == (31, 18)
    [_, gated] = cut.movement(encoder_of("ModernBert", num_layers=2)).groups
    assert (gated.number_to_cut, gated.kernels[1].shape) == (19, (31, 18))
    with pytest.raises(ValueError, match="a table of vectors has none"):
        cut.movement(StaticEncoder(kb.StaticConfig(vocabulary_size=97)))
