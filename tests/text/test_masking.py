"""Masker: the laws of probability it must obey, and its invariants on every row."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_bert as kb
from keras_bert.text import masking

UNITS = ("token", "word", "span")
LENGTH = 67


@pytest.fixture(scope="module")
def rows(tokenizer):
    """2,003 rows of 67, two segments of words of several pieces, some padded: 120,000 tokens."""
    rng = np.random.default_rng(3)
    starts = tokenizer.starts_word(tf.range(tokenizer.vocabulary_size)).numpy()
    first = np.setdiff1d(np.flatnonzero(starts), dataclasses.astuple(tokenizer.special))
    later = np.flatnonzero(~starts)
    rows = np.full((2003, LENGTH), tokenizer.special.pad, np.int32)
    for row in rows:
        pieces = np.where(rng.random(LENGTH) < 0.4, rng.choice(later, LENGTH), 0)
        pieces = np.where(pieces == 0, rng.choice(first, LENGTH), pieces)
        end = LENGTH if rng.random() < 0.8 else rng.integers(5, LENGTH)
        row[:end] = pieces[:end]
        special = tokenizer.special
        row[[0, end // 2, end - 1]] = special.begin, special.separator, special.end
    return rows


def masked(masker, rows, seed=(5, 7)):
    return {name: values.numpy() for name, values in masker(rows, seed).items()}


def is_ordinary(tokenizer, rows):
    special = tokenizer.special
    ids = (special.pad, special.begin, special.separator, special.end, special.mask)
    return ~np.isin(rows, ids)


def chosen(outputs, shape):
    """Bool [B, T]: the positions to predict."""
    chosen = np.zeros(shape, bool)
    row, slot = np.nonzero(outputs["mask_weights"])
    chosen[row, outputs["mask_positions"][row, slot]] = True
    return chosen


def words_of(tokenizer, row):
    """Lists of the positions of each word of a row, a plain restatement."""
    continues = ~tokenizer.starts_word(row).numpy()
    words, open_word = [], False
    for position, ordinary in enumerate(is_ordinary(tokenizer, row)):
        if ordinary and open_word and continues[position]:
            words[-1].append(position)
        elif ordinary:
            words.append([position])
        open_word = ordinary
    return words


def budgets(tokenizer, rows, rate, most):
    counts = is_ordinary(tokenizer, rows).sum(axis=1)
    return np.array([min(most, max(1, round(rate * int(n)))) if n else 0 for n in counts])


def assert_share(count, total, share):
    """Within five standard deviations of a binomial."""
    assert abs(count - share * total) < 5 * np.sqrt(total * share * (1 - share)), count / total


def assert_contract(masker, rows, outputs):
    """What holds of every row, whatever was drawn."""
    tokenizer, most = masker.tokenizer, masker.max_predictions
    weights, positions, ids = (outputs[f"mask_{name}"] for name in ("weights", "positions", "ids"))
    assert weights.shape == positions.shape == ids.shape == (len(rows), most)
    used = weights == 1
    assert np.isin(weights, (0, 1)).all()
    assert (np.diff(used.astype(int), axis=1) <= 0).all(), "unused slots come last"
    assert (positions[~used] == 0).all() and (ids[~used] == tokenizer.special.pad).all()
    assert ((np.diff(positions, axis=1) > 0) | ~used[:, 1:]).all(), "ascending"
    count = weights.sum(axis=1)
    budget = budgets(tokenizer, rows, masker.rate, most)
    assert (count >= np.minimum(budget, 1)).all() and (count <= budget).all()
    if masker.unit == "token":
        np.testing.assert_array_equal(count, budget)
    row, slot = np.nonzero(used)
    np.testing.assert_array_equal(ids[row, slot], rows[row, positions[row, slot]])
    assert is_ordinary(tokenizer, ids[used]).all(), "never a special token"
    untouched = ~chosen(outputs, rows.shape)
    np.testing.assert_array_equal(outputs["token_ids"][untouched], rows[untouched])


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("rate", "most"), [(0.15, 20), (0.4, 7)])
def test_every_row_obeys_the_contract(tokenizer, rows, unit, rate, most):
    masker = kb.Masker(tokenizer, unit, rate, most)
    outputs = masked(masker, rows)
    assert_contract(masker, rows, outputs)
    assert (outputs["mask_weights"].sum(axis=1) >= 1).all()


MASKERS = st.tuples(
    st.sampled_from(UNITS), st.sampled_from([0.01, 0.15, 0.5, 1.0]), st.integers(1, 9)
)
# Special tokens anywhere, and words that begin with later pieces.
ANY_ROWS = st.integers(0, 23).flatmap(
    lambda length: st.lists(
        st.lists(st.integers(0, 60), min_size=length, max_size=length), min_size=1, max_size=4
    )
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(ANY_ROWS, MASKERS, st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_any_rows_obey_the_contract(tokenizer, rows, arguments, seed):
    masker, rows = kb.Masker(tokenizer, *arguments), np.array(rows, np.int32)
    outputs = masked(masker, rows, seed)
    assert_contract(masker, rows, outputs)
    where = chosen(outputs, rows.shape)
    for row, hit, most in zip(rows, where, budgets(tokenizer, rows, *arguments[1:]), strict=True):
        words = words_of(tokenizer, row) if masker.unit != "token" else []
        partial = [word for word in words if 0 < hit[word].sum() < len(word)]
        if partial:  # no unit fits: one alone, from its beginning, to the budget
            assert len(partial) == 1 and hit.sum() == most
            assert hit[partial[0]].argmin() == hit[partial[0]].sum()
    again = masked(masker, rows, seed)
    assert all((again[name] == values).all() for name, values in outputs.items())


@pytest.mark.parametrize("unit", UNITS)
def test_shares_of_masks_random_pieces_and_originals(tokenizer, rows, unit):
    masker = kb.Masker(tokenizer, unit, rate=0.3, max_predictions=LENGTH)
    before, after, start = [], [], []
    for seed in range(6):
        outputs = masked(masker, rows, (seed, 1))
        where = chosen(outputs, rows.shape)
        before.append(rows[where])
        after.append(outputs["token_ids"][where])
        # Positions that do not follow another chosen one stand for independent draws.
        start.append((where & ~np.pad(where, ((0, 0), (1, 0)))[:, :-1])[where])
    before, after, start = (np.concatenate(x) for x in (before, after, start))
    assert before.size > 100_000
    if unit == "span":
        before, after = before[start], after[start]
    special = sorted(set(dataclasses.astuple(tokenizer.special)))
    replaceable = tokenizer.vocabulary_size - len(special)
    replaced = (after != tokenizer.special.mask) & (after != before)
    assert_share((after == tokenizer.special.mask).sum(), after.size, 0.8)
    assert_share(replaced.sum(), after.size, 0.1 * (1 - 1 / replaceable))
    # Replacements are uniform over all but the special tokens.
    counts = np.bincount(after[replaced], minlength=tokenizer.vocabulary_size)
    assert counts[special].sum() == 0
    usual = counts[counts > 0]
    assert usual.size == replaceable
    expected = replaced.sum() / replaceable
    assert abs(usual - expected).max() < 6 * np.sqrt(expected)


def test_tokens_are_chosen_uniformly_over_positions(tokenizer):
    row = np.array([tokenizer.special.begin, *range(6, 46), tokenizer.special.end], np.int32)
    outputs = masked(kb.Masker(tokenizer, "token"), np.tile(row, (4001, 1)))
    counts = chosen(outputs, (4001, row.size)).sum(axis=0)
    assert counts[0] == counts[-1] == 0
    # round(0.15 * 40) = 6 of 40.
    assert abs(counts[1:-1] - 4001 * 0.15).max() < 5 * np.sqrt(4001 * 0.15 * 0.85)


def test_words_are_chosen_uniformly_over_positions(tokenizer):
    # Words of 1, 2 and 3 pieces in turn; a budget that all fit into.
    word = [6, 7, 32, 8, 33, 34]
    row = np.array([tokenizer.special.begin, *(word * 11), tokenizer.special.end], np.int32)
    starts = tokenizer.starts_word(row).numpy()
    outputs = masked(kb.Masker(tokenizer, "word", 0.3, 40), np.tile(row, (3001, 1)))
    counts = chosen(outputs, (3001, row.size)).sum(axis=0)[1:-1][starts[1:-1]].reshape(11, 3)
    share = counts / 3001
    # Short words also fill what is left at the end, so they come a little more often.
    assert np.ptp(share.mean(axis=0)) < 0.1
    assert (abs(share - share.mean(axis=0)) < 5 * np.sqrt(0.25 / 3001)).all()
    assert abs(outputs["mask_weights"].sum() / (3001 * 66) - 0.3) < 0.01


@pytest.mark.parametrize("unit", ["word", "span"])
def test_whole_words_are_whole(tokenizer, rows, unit):
    outputs = masked(kb.Masker(tokenizer, unit), rows)
    where = chosen(outputs, rows.shape)
    budget = budgets(tokenizer, rows, 0.15, 20)
    broken = 0
    for row, hit, most in zip(rows[:307], where, budget, strict=False):
        words = words_of(tokenizer, row)
        partial = [word for word in words if 0 < hit[word].sum() < len(word)]
        if partial:
            # Only where no unit fits: then one alone, from its beginning, to the budget.
            broken += 1
            assert len(partial) == 1 and hit.sum() == most
            assert unit == "span" or most < len(partial[0])
    assert broken < 31


@pytest.mark.parametrize(("unit", "least"), [("token", 1.0), ("word", 0.99), ("span", 0.9)])
def test_share_of_tokens_that_are_predicted(tokenizer, rows, unit, least):
    outputs = masked(kb.Masker(tokenizer, unit, 0.15, LENGTH), rows)
    wanted = budgets(tokenizer, rows, 0.15, LENGTH).sum()
    assert least * wanted <= outputs["mask_weights"].sum() <= wanted
    assert abs(wanted / is_ordinary(tokenizer, rows).sum() - 0.15) < 0.01


def test_a_rate_may_fall_by_the_step(tokenizer, rows):
    schedule = kb.Schedule(0.4, num_steps=100, end=0.1)
    masker = kb.Masker(tokenizer, "token", schedule, LENGTH)
    steps = np.arange(len(rows)) // 100 * 10  # past the last one, too
    outputs = {name: values.numpy() for name, values in masker(rows, (5, 7), steps).items()}
    wanted = [
        budgets(tokenizer, rows[i : i + 1], float(rate), LENGTH)[0]
        for i, rate in enumerate(schedule(steps))
    ]
    np.testing.assert_array_equal(outputs["mask_weights"].sum(axis=1), wanted)
    constant = masked(kb.Masker(tokenizer, "token", 0.4, LENGTH), rows[:100])
    np.testing.assert_array_equal(
        constant["mask_weights"].sum(axis=1), outputs["mask_weights"].sum(axis=1)[:100]
    )


def test_spans_partition_words_by_geometric_lengths(tokenizer):
    row = np.array([tokenizer.special.begin, *([6] * 3000), tokenizer.special.end], np.int32)
    row = np.tile(row, (43, 1))
    masker = kb.Masker(tokenizer, "span")
    opens = masker._openings(tf.gather(masker._kinds, row), [3, 4]).numpy()
    lengths = np.concatenate([np.diff(np.flatnonzero(one)) for one in opens])
    assert lengths.sum() > 100_000 and lengths.max() == 10
    p = masking.SPAN_END_PROBABILITY
    for length in range(1, 10):
        assert_share((lengths == length).sum(), lengths.size, p * (1 - p) ** (length - 1))
    assert_share((lengths == 10).sum(), lengths.size, (1 - p) ** 9)


def test_a_span_has_one_fate_and_stays_within_its_segment(tokenizer, rows):
    masker = kb.Masker(tokenizer, "span", 0.5, LENGTH, mask_share=0.5, random_share=0.0)
    outputs = masked(masker, rows)
    where = chosen(outputs, rows.shape)
    seeds = tf.unstack(tf.random.split(tf.constant([5, 7], tf.int64), 4))
    opens = masker._openings(tf.gather(masker._kinds, rows), seeds[0]).numpy()
    span = np.cumsum(opens.reshape(-1)).reshape(rows.shape)
    fate = outputs["token_ids"] == tokenizer.special.mask
    spans = np.unique(span[where])
    hidden = np.bincount(span[where], fate[where], span.max() + 1)[spans]
    size = np.bincount(span[where], minlength=span.max() + 1)[spans]
    assert np.isin(hidden, (0, 1)).mean() < 1
    assert ((hidden == 0) | (hidden == size)).all()
    assert (opens[:, 1:] | ~is_ordinary(tokenizer, rows)[:, 1:] | (rows[:, :-1] > 4)).all()


@pytest.mark.parametrize("unit", UNITS)
def test_the_same_seed_gives_the_same_masks(tokenizer, rows, unit):
    masker = kb.Masker(tokenizer, unit)
    tf.random.set_seed(1)
    one = masked(masker, rows, (11, 13))
    tf.random.set_seed(2)
    again = tf.function(masker)(tf.constant(rows), tf.constant([11, 13], tf.int64))
    for name, values in one.items():
        np.testing.assert_array_equal(values, again[name])
    for seed in ((11, 14), (12, 13)):
        other = masked(masker, rows, seed)
        same = (other["mask_positions"] == one["mask_positions"]).all(axis=1)
        assert same.mean() < 0.05


@pytest.mark.parametrize("unit", UNITS)
def test_rows_without_ordinary_tokens_predict_nothing(tokenizer, unit):
    special = tokenizer.special
    row = [special.begin, special.end, special.mask, special.pad]
    outputs = masked(kb.Masker(tokenizer, unit, max_predictions=3), np.array([row, row]))
    assert outputs["token_ids"].tolist() == [row, row]
    assert not outputs["mask_weights"].any() and not outputs["mask_positions"].any()
    assert (outputs["mask_ids"] == tokenizer.special.pad).all()
    none = masked(kb.Masker(tokenizer, unit, max_predictions=3), np.zeros((0, 5), np.int32))
    assert none["mask_weights"].shape == (0, 3)


@pytest.mark.parametrize("unit", ["word", "span"])
def test_a_word_longer_than_the_budget_is_cut(tokenizer, unit):
    row = np.array([[tokenizer.special.begin, 6, *range(32, 49), tokenizer.special.end]], np.int32)
    outputs = masked(kb.Masker(tokenizer, unit, 0.15, 20), row)
    # 18 tokens, round(2.7) = 3.
    assert outputs["mask_positions"][0, :4].tolist() == [1, 2, 3, 0]
    assert outputs["mask_weights"].sum() == 3


def test_unknown_words_may_be_masked(tokenizer):
    row = np.array([[tokenizer.special.begin, tokenizer.special.unknown, tokenizer.special.end]])
    outputs = masked(kb.Masker(tokenizer), row)
    assert outputs["mask_ids"][0, 0] == tokenizer.special.unknown


def test_static_shapes(tokenizer):
    masker = kb.Masker(tokenizer, max_predictions=11)
    function = tf.function(masker).get_concrete_function(
        tf.TensorSpec([4, 31], tf.int32), tf.TensorSpec([2], tf.int64)
    )
    shapes = {name: spec.shape.as_list() for name, spec in function.structured_outputs.items()}
    assert shapes.pop("token_ids") == [4, 31]
    assert set(map(tuple, shapes.values())) == {(4, 11)}


def first_that_fit(sizes, budget):
    """A plain restatement of the loop in `create_masked_lm_predictions`."""
    taken, spent = [], 0
    for size in sizes:
        fits = size > 0 and spent + size <= budget
        taken.append(fits)
        spent += size * fits
    return taken


def test_units_are_taken_in_order_while_they_fit():
    rng = np.random.default_rng(7)
    sizes = rng.integers(0, 9, (211, 29)).astype(np.int32)
    budget = rng.integers(1, 31, (211, 1)).astype(np.int32)
    taken = masking._first_that_fit(tf.constant(sizes), tf.constant(budget)).numpy()
    expected = [first_that_fit(*pair) for pair in zip(sizes, budget[:, 0], strict=True)]
    np.testing.assert_array_equal(taken, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unit": "letter"}, "unit must be one of"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"rate": 1.1}, "rate must be above 0"),
        ({"max_predictions": 0}, "max_predictions must be at least 1"),
        ({"mask_share": 0.8, "random_share": 0.3}, "together at most 1"),
        ({"random_share": -0.1}, "at least 0"),
    ],
)
def test_errors_say_what_must_hold(tokenizer, arguments, message):
    with pytest.raises(ValueError, match=message):
        kb.Masker(tokenizer, **arguments)
