"""Merges: which pieces texts can become is what byte-pair encoding itself says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_bert.text.byte_alphabet import BYTES
from keras_bert.text.merges import ranks_of


def merged(symbols, merges):
    """Byte-pair encoding, restated: the lowest rank first, then the leftmost."""
    symbols, rank = list(symbols), {pair: rank for rank, pair in enumerate(merges)}
    while True:
        found = [(rank[p], i) for i, p in enumerate(zip(symbols, symbols[1:])) if p in rank]  # noqa: B905
        if not found:
            return symbols
        _, at = min(found)
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]


def ids_of(merges):
    return {p: i for i, p in enumerate(dict.fromkeys((*BYTES, *(a + b for a, b in merges))))}


@st.composite
def merge_lists(draw):
    """Merges of two letters whose parts are made before them, some of which never apply."""
    pieces, merges = ["a", "b"], []
    for _ in range(draw(st.integers(1, 9))):
        pair = draw(st.sampled_from(pieces)), draw(st.sampled_from(pieces))
        if pair not in merges and len("".join(pair)) < 10:
            merges.append(pair)
            pieces.append("".join(pair))
    return merges


@given(merge_lists())
def test_pieces_that_occur_are_those_that_come_back_whole(merges):
    ids = ids_of(merges)
    try:
        ranks = ranks_of(ids, merges)
    except ValueError as error:
        assert "needs" in str(error)  # a piece is made anew behind a merge of it
        return
    for piece, id_ in ids.items():
        assert (id_ in ranks) == (merged(piece, merges) == [piece])
        if id_ in ranks and len(piece) > 1:
            left, right = merges[ranks[id_]]
            assert left + right == piece


MERGES = [("a", "b"), ("ab", "c")]


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([*MERGES, ("ab", "x")], "m.txt:4 merges 'ab' and 'x', but 'abx' is not in the vocab"),
        ([*MERGES, ("zz", "a")], "m.txt:4 merges 'zz' and 'a', but 'zz' is not in the vocab"),
        ([*MERGES, ("a", "b")], "m.txt:4 merges 'a' and 'b' again"),
        (MERGES[::-1], "m.txt:3 merges 'a' and 'b' to what the merge 1 needs"),
    ],
    ids=["no result", "no part", "again", "order"],
)
def test_malformed_merges_are_refused_by_line(merges, message):
    with pytest.raises(ValueError, match=message):
        ranks_of(ids_of(MERGES), merges, "m.txt", line=2)


def test_a_byte_that_is_missing_is_named():
    ids = {piece: id_ for id_, piece in enumerate(BYTES[1:])}
    with pytest.raises(ValueError, match="1 are missing, 'Ā' first"):
        ranks_of(ids, [])
