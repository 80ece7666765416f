import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.models.importance import kernels_behind, movement_of


@pytest.fixture(scope="module")
def task(config, tokenizer):
    small = dataclasses.replace(config, num_layers=2)
    task = kb.TextClassifier(kb.BertEncoder(small), kb.Packer(tokenizer, 11), ["bad", "good"])
    task.compile(kb.AdamW(1e-4), **task.objective())
    return task


EXAMPLES = [
    {"sentence": "the quick fox", "label": "good"},
    {"sentence": "a lazy dog", "label": "bad"},
]


def test_it_is_the_derivative_by_a_gate(task, drawn, without_graphs):
    """Against differences of the loss when the rows behind a part are scaled."""
    drawn(task)
    data = task.dataset(EXAMPLES, batch_size=1).cache()
    found = kb.importance(task, data)
    block = task.encoder.blocks[0]
    for kernel, values, parts in (
        (block.attention.projection.kernel, found.heads[0], 3),
        (block.projection.kernel, found.columns[0], 4),
    ):
        wanted = [abs_difference(task, data, kernel, len(values), part) for part in range(parts)]
        some = values[:parts] / np.linalg.norm(values[:parts])
        np.testing.assert_allclose(some, wanted / np.linalg.norm(wanted), atol=2e-2)
        assert np.ptp(some) > 0.05 and np.linalg.norm(values) == pytest.approx(1)


def abs_difference(task, data, kernel, number, part, step=0.05):
    """What the loss of each batch changes by, when the rows of a part do by a tenth; their sum."""
    whole = np.array(kernel)
    losses = []
    for gate in (1 + step, 1 - step):
        changed = whole.reshape(number, -1, whole.shape[1]).copy()
        changed[part] *= gate
        kernel.assign(changed.reshape(whole.shape))
        losses.append([float(task.compute_loss(x, y, task(x), w)) for x, y, w in data])
    kernel.assign(whole)
    return np.abs(np.subtract(*losses)).sum()


def test_without_examples_there_is_none(task):
    with pytest.raises(ValueError, match="at least one batch"):
        kb.importance(task, [])


def test_one_part_of_every_block_stays():
    values = [np.array([0.1, 0.2, 0.3]), np.array([0.9, 0.8])]
    assert kb.least_important(values, 0.6) == {0: [0, 1], 1: [1]}
    assert kb.least_important(values, 0.2) == {0: [0]}
    assert kb.least_important(values, 0) == {}
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), not 1"):
        kb.least_important(values, 1)


def test_a_movement_is_of_all_blocks_and_of_what_has_a_share(task):
    movement = movement_of(task.encoder, (0.0, 0.5), first=1, last=2)
    [columns] = movement.groups
    assert columns.number_to_cut == 31
    assert columns.kernels == kernels_behind(task.encoder)[1]
    assert columns.kernels[1] is task.encoder.blocks[1].projection.kernel
