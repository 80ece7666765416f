"""The model of SentencePiece's operation that merges bytes, each of which is a Latin-1 character.

A `ModelProto` of google/sentencepiece (sentencepiece_model.proto), written field by field: that is
less than a dependency for four of them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3
_BPE = 2
_VARINT, _BYTES, _FLOAT = 0, 2, 5


def model_of(pieces: Sequence[bytes], ranks: Mapping[int, int], unknown: int) -> bytes:
    """A model that merges as byte-pair encoding does.

    SentencePiece merges whatever pair of neighbours spells a piece, the one of the best score
    first, and of equals the leftmost. That is the merge of the lowest rank if pieces that cannot
    occur are none: see `merges.ranks_of`.

    Args:
        pieces: the bytes of the pieces, in the order of their ids.
        ranks: the merges' ranks of those ids that texts can become.
        unknown: the id of what is not spelled by pieces, which nothing is.

    Returns:
        The serialized model.
    """
    parts = []
    for id_, piece in enumerate(pieces):
        kind = _NORMAL if id_ in ranks else _UNKNOWN if id_ == unknown else _CONTROL
        # U+FFFD is no character of Latin-1.
        name = piece.decode("latin-1") if kind == _NORMAL else f"\ufffd{id_}"
        score = struct.pack("<f", -ranks.get(id_, 0))
        entry = _field(1, _BYTES, name.encode()) + _field(2, _FLOAT, score)
        parts.append(_field(1, _BYTES, entry + _field(3, _VARINT, kind)))
    # No prefix, no whitespace removed or escaped: what comes in is what is cut.
    as_it_is = b"".join(_field(number, _VARINT, 0) for number in (3, 4, 5))
    normalizer = _field(1, _BYTES, b"identity") + as_it_is
    return b"".join(
        (*parts, _field(2, _BYTES, _field(3, _VARINT, _BPE)), _field(3, _BYTES, normalizer))
    )


def _field(number: int, wire_type: int, value: int | bytes) -> bytes:
    """A field as protocol buffers have it on the wire."""
    tag = _varint(number << 3 | wire_type)
    if isinstance(value, int):
        return tag + _varint(value)
    return tag + (_varint(len(value)) if wire_type == _BYTES else b"") + value


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*content, value))
