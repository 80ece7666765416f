import numpy as np

import keras_bert as kb
from keras_bert.layers.relations import attention_loss, cosine_loss, relation_loss, state_loss
from keras_bert.layers.transformer import calls_of_blocks

IDS = np.array([[5, 6, 7, 8], [5, 9, 0, 0]], "int32")
INPUTS = {"token_ids": IDS, "padding_mask": (IDS > 0).astype("int32")}


def calls_of(drawn, num_layers, width, norm_first=False, num_heads=3):
    config = kb.BertConfig(
        vocabulary_size=11,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=width,
        intermediate_dim=7,
        norm_first=norm_first,
    )
    encoder = drawn(kb.BertEncoder(config))
    with calls_of_blocks() as calls:
        encoder(INPUTS)
    return encoder, calls


def relations_by_hand(encoder, calls, num_heads):
    """Logarithms [3, B, N, T, T] of the last block's, step by step."""
    x, attention = np.asarray(calls[-1].x), encoder.blocks[-1].attention
    found = []
    for layer in (attention.query, attention.key, attention.value):
        y = x @ np.asarray(layer.kernel) + np.asarray(layer.bias)
        heads = y.reshape(2, 4, num_heads, -1).transpose(0, 2, 1, 3).astype("float64")
        scores = heads @ heads.transpose(0, 1, 3, 2) / np.sqrt(heads.shape[-1])
        scores = np.where(IDS[:, None, None, :] > 0, scores, -1e4)
        found.append(scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True)))
    return np.stack(found)


def test_relations_ask_for_no_width_and_no_number_of_layers(drawn):
    student, own = calls_of(drawn, 1, 12)
    teacher, taught = calls_of(drawn, 2, 18)
    # The most heads that both widths can be cut into.
    one, other = (relations_by_hand(*pair, 6) for pair in ((student, own), (teacher, taught)))
    divergence = (np.exp(other) * (other - one)).sum(axis=-1).mean(axis=2).sum(axis=0)
    wanted = [
        (row * (ids > 0)).sum() / (ids > 0).sum() for row, ids in zip(divergence, IDS, strict=True)
    ]
    losses = relation_loss(own, taught, IDS > 0)
    np.testing.assert_allclose(losses, wanted, rtol=1e-4)
    assert np.min(wanted) > 0


def test_who_is_its_own_teacher_has_nothing_to_learn(drawn):
    _, own = calls_of(drawn, 2, 12, norm_first=True)
    for loss in (relation_loss, attention_loss, state_loss, cosine_loss):
        np.testing.assert_allclose(loss(own, own, IDS > 0), [0, 0], atol=1e-6)


def test_states_and_attention_are_those_of_layers_in_the_same_place(drawn):
    _, own = calls_of(drawn, 2, 12)
    _, taught = calls_of(drawn, 4, 12)
    there = IDS > 0
    errors = [
        ((np.asarray(own[i].x) - np.asarray(taught[j].x)) ** 2).mean(axis=-1)
        for i, j in ((0, 0), (1, 2))
    ]
    wanted = [np.mean([error[row][there[row]].mean() for error in errors]) for row in (0, 1)]
    np.testing.assert_allclose(state_loss(own, taught, there), wanted, rtol=1e-5)
    # The second and the fourth of the teacher's blocks end where the student's do.
    pairs = [(own[0], taught[1]), (own[1], taught[3])]
    wanted = np.mean([attention_loss([one], [other], there) for one, other in pairs], axis=0)
    np.testing.assert_allclose(attention_loss(own, taught, there), wanted, rtol=1e-5)


def test_the_cosine_is_that_of_the_last_states_of_all_tokens(drawn):
    (student, own), (teacher, taught) = calls_of(drawn, 1, 12), calls_of(drawn, 2, 12)
    states = [np.asarray(one(INPUTS)["sequence_output"]) for one in (student, teacher)]
    units = [one / np.linalg.norm(one, axis=-1, keepdims=True) for one in states]
    distances = 1 - (units[0] * units[1]).sum(axis=-1)
    wanted = [distances[row][IDS[row] > 0].mean() for row in (0, 1)]
    np.testing.assert_allclose(cosine_loss(own, taught, IDS > 0), wanted, rtol=1e-4)


def test_sequences_of_one_row_have_nothing_to_do_with_each_other(drawn):
    """Two in one row are as two rows."""
    ids = np.array([[5, 6, 7, 8, 9]], "int32")
    apart = np.array([[5, 6, 7], [8, 9, 0]], "int32")
    encoders = [calls_of(drawn, layers, 12)[0] for layers in (1, 2)]
    losses = []
    for rows, numbers in ((ids, [[1, 1, 1, 2, 2]]), (apart, apart > 0)):
        inputs = {"token_ids": rows, "padding_mask": np.array(numbers, "int32")}
        calls = []
        for encoder in encoders:
            with calls_of_blocks() as called:
                encoder(inputs)
            calls.append(called)
        losses.append(np.asarray(relation_loss(*calls, inputs["padding_mask"])))
    both, [first, second] = losses
    np.testing.assert_allclose(both, [(3 * first + 2 * second) / 5], rtol=1e-4)


def test_of_a_large_teacher_the_fourth_from_the_end_is_taken(drawn):
    _, own = calls_of(drawn, 1, 12)
    _, taught = calls_of(drawn, 2, 12)
    of_many = [*[taught[0]] * 20, taught[1], *[taught[0]] * 3]
    expected = relation_loss(own, [taught[1]], IDS > 0)
    np.testing.assert_allclose(relation_loss(own, of_many, IDS > 0), expected)
