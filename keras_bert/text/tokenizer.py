"""Tokenizer: raw text to the ids of BERT's word pieces and back, in graph, with offsets."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.text import normalization
from keras_bert.text.added_tokens import AddedToken, Cut, Finder
from keras_bert.text.normalization import Normalization
from keras_bert.text.subwords import Ids, SpecialIds, SubwordTokenizer, Texts, batch_of, ids_of
from keras_bert.text.template import Template
from keras_bert.text.vocabulary import CONTINUATION, SPECIAL_TOKENS, check_vocabulary, unused_ids

# UTF-8 takes at most four bytes for a character.
_MAX_WORD_BYTES = 4 * normalization.MAX_WORD_CHARACTERS


class Tokenizer(SubwordTokenizer):
    """BERT's tokenizer, piece for piece, as TensorFlow operations.

    What google-research/bert's `tokenization.py` does: the text is cleaned, lower-cased and
    stripped of accents, split at whitespace, punctuation and Chinese characters, and each word is
    cut greedily into the longest pieces of the vocabulary ([WordPiece](
    https://arxiv.org/abs/1609.08144), in [linear time](https://arxiv.org/abs/2012.15524)). A word
    that cannot be spelled, or of more than 200 characters, is `[UNK]`. Runs eagerly, in
    `tf.data`, and in a SavedModel, where the vocabulary is part of the graph.

    Args:
        vocabulary: the pieces, in the order of their ids; it must hold the `SPECIAL_TOKENS`.
        lowercase: whether to lower-case.
        strip_accents: whether to drop accents; None: as `lowercase` says.
        split_cjk: whether every Chinese character is a word (transformers'
            `tokenize_chinese_chars`).
        added_tokens: AddedTokens, which are one piece each wherever texts spell them. Those that
            the vocabulary lacks get the ids after it, in order. The `SPECIAL_TOKENS` are text all
            the same, unless `tokenize` is told otherwise.

    Raises:
        ValueError: if the vocabulary is malformed, or an added token cannot be in a text.

    Example:

    >>> import keras_bert as kb
    >>> vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "!")
    >>> tokenizer = kb.Tokenizer(vocabulary)
    >>> tokenizer.tokenize(["Unaffable!", "unknown"]).to_list()
    [[5, 6, 7, 8], [1]]
    >>> tokenizer.tokens(tokenizer.tokenize("Unaffable!")).numpy().tolist()
    [b'un', b'##aff', b'##able', b'!']
    """

    mask_token = "[MASK]"

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        *,
        strip_accents: bool | None = None,
        split_cjk: bool = True,
        added_tokens: Sequence[AddedToken] = (),
    ):
        known = frozenset(vocabulary)
        new = dict.fromkeys(t.content for t in added_tokens if t.content not in known)
        self.vocabulary = (*vocabulary, *new)
        check_vocabulary(self.vocabulary)
        self.num_word_pieces = len(self.vocabulary) - len(new)
        self.added_tokens = tuple(added_tokens)
        how = Normalization.of(lowercase, strip_accents, split_cjk)
        self.lowercase, self.strip_accents, self.split_cjk = dataclasses.astuple(how)
        self.normalization = how
        self._id_of = {piece: id_ for id_, piece in enumerate(self.vocabulary) if piece}
        self.special_ids = tuple(self._id_of[token] for token in SPECIAL_TOKENS)
        pad, unknown, cls, sep, mask = self.special_ids
        self.pad_id, self.unknown_id, self.cls_id, self.sep_id, self.mask_id = self.special_ids
        self.special = SpecialIds(pad, unknown, begin=cls, separator=sep, end=sep, mask=mask)
        self.template = Template(before=(cls,), between=(sep,), after=(sep,))
        continues = [
            piece.startswith(CONTINUATION) and id_ < self.num_word_pieces
            for id_, piece in enumerate(self.vocabulary)
        ]
        lengths = [len(piece.removeprefix(CONTINUATION)) for piece in self.vocabulary]
        # On the host, whatever accelerator there is: strings live there.
        with tf.init_scope(), tf.device("CPU:0"):
            self._pieces = tf.constant(self.vocabulary)
            self._starts_word = tf.constant(~np.array(continues, bool))
            self._lengths = tf.constant(np.array(lengths, np.int32))
            self._word_pieces = self._build_word_pieces()
            self._in_texts, self._in_normalized = self._finders()

    def _build_word_pieces(self) -> tf_text.FastWordpieceTokenizer:
        try:
            return tf_text.FastWordpieceTokenizer(
                _matchable(self.vocabulary, self.unmatched),
                max_bytes_per_word=_MAX_WORD_BYTES,
                token_out_type=tf.int32,
                unknown_token="[UNK]",
                # Its own always splits Chinese.
                no_pretokenization=not self.normalization.split_cjk,
            )
        except RuntimeError as error:
            raise ValueError(
                "A vocabulary must have a piece that words can be spelled with; these "
                f"{self.vocabulary_size} pieces have none: {error}. Learn one from text."
            ) from error

    @property
    def unmatched(self) -> list[int]:
        """The ids of pieces that no word is cut into.

        These are the added tokens, unused ids, and those with whitespace: the operation looks for
        pieces before it looks for spaces, and bert-base-chinese has U+2028.
        """
        never = {*unused_ids(self.vocabulary), *range(self.num_word_pieces, self.vocabulary_size)}
        pieces = enumerate(self.vocabulary)
        return sorted(never | {id_ for id_, piece in pieces if any(map(str.isspace, piece))})

    def _finders(self) -> tuple[Finder | None, Finder | None]:
        """What finds the added tokens, in texts as they came and in normalized ones."""
        tokens = [t for t in self.added_tokens if t.content not in SPECIAL_TOKENS]
        if blank := [t.content for t in tokens if not t.content.strip()]:
            raise ValueError(
                f"An added token must have more than spaces, which are no words, but {blank} has "
                "none: remove it."
            )
        raw = {t.content: t for t in tokens if not t.normalized}
        rest = [t for t in tokens if t.normalized]
        spellings = self._normalize(tf.constant([t.content for t in rest], tf.string)).numpy()
        normalized = {s.decode(): t for s, t in zip(spellings, rest, strict=True)}
        if not all(map(str.strip, normalized)):
            raise ValueError(
                "An added token must be in normalized text, but of one of "
                f"{[t.content for t in rest]} normalization leaves nothing: remove it."
            )
        apart = normalization.CJK if self.normalization.split_cjk else ""
        return self._finder(raw), self._finder(normalized, any_space=True, apart=apart)

    def _finder(
        self, tokens: dict[str, AddedToken], any_space: bool = False, apart: str = ""
    ) -> Finder | None:
        ids = {spelling: self._id_of[token.content] for spelling, token in tokens.items()}
        single = [spelling for spelling, token in tokens.items() if token.single_word]
        return Finder(ids, single, any_space, apart) if ids else None

    def settings(self) -> dict[str, Any]:
        """What `from_settings` makes the tokenizer of: the constructor's arguments."""
        return {
            "vocabulary": list(self.vocabulary[: self.num_word_pieces]),
            **dataclasses.asdict(self.normalization),
            "added_tokens": [dataclasses.asdict(token) for token in self.added_tokens],
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Tokenizer:
        """Makes the tokenizer that has these `settings()`."""
        added = [AddedToken(**token) for token in settings["added_tokens"]]
        return cls(**{**settings, "added_tokens": added})

    def tokenize(self, texts: Texts, special_tokens: Sequence[str] = ()) -> Ids:
        """Cuts texts into pieces.

        Args:
            texts: strings [B], or one string.
            special_tokens: pieces of the vocabulary, such as "[MASK]", that stay whole where the
                texts spell them exactly so. The others are text like any other.

        Returns:
            Ids, int32 [B, (pieces)], or [pieces] for one string.

        Raises:
            ValueError: if `texts` are no strings of rank 0 or 1, or a special token is not in the
                vocabulary.

        Example:

        >>> import keras_bert as kb
        >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "mask"))
        >>> tokenizer.tokenize("A [MASK]").numpy().tolist()
        [5, 1, 6, 1]
        >>> tokenizer.tokenize("A [MASK]", special_tokens=("[MASK]",)).numpy().tolist()
        [5, 4]
        """
        texts, is_one = batch_of(texts)
        finder = self._with_special(special_tokens) if special_tokens else self._in_texts
        [ids] = _around(finder, texts, lambda texts: self._pieces_of(self._normalize(texts))[:1])
        return ids[0] if is_one else ids

    def tokenize_with_offsets(self, texts: Texts) -> tuple[Ids, Ids, Ids]:
        """Cuts texts into pieces and says where in the original text each comes from.

        `text[start:end]` in Python is the source of a piece, with the accents that were stripped.
        Pieces of one character (a Hangul syllable, say) share it. For bytes that are no UTF-8 the
        offsets refer to `text.decode("utf-8", "ignore")`.

        Args:
            texts: strings [B], or one string.

        Returns:
            Ids, starts and ends (exclusive, in characters), each int32 [B, (pieces)], or [pieces]
            for one string.

        Raises:
            ValueError: if `texts` are no strings of rank 0 or 1.

        Example:

        >>> import keras_bert as kb
        >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "!"))
        >>> ids, starts, ends = tokenizer.tokenize_with_offsets("Cafe\u0301!")
        >>> list(zip(starts.numpy().tolist(), ends.numpy().tolist()))
        [(0, 5), (5, 6)]
        """
        texts, is_one = batch_of(texts)
        ids, starts, ends = _around(self._in_texts, texts, self._with_offsets)
        return (ids[0], starts[0], ends[0]) if is_one else (ids, starts, ends)

    def tokens(self, ids: Ids) -> Ids:
        """Looks up the pieces of ids.

        Args:
            ids: int of any shape, ragged or not.

        Returns:
            Strings of the same shape.

        Example:

        >>> import keras_bert as kb
        >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"))
        >>> tokenizer.tokens([[2, 5, 6], [3]]).to_list()
        [[b'[CLS]', b'a', b'##b'], [b'[SEP]']]
        """
        return tf.ragged.map_flat_values(tf.gather, self._pieces, ids_of(ids))

    def detokenize(self, ids: Ids) -> tf.Tensor:
        """Joins pieces to text: one space before each piece that starts a word.

        `[PAD]`, `[CLS]` and `[SEP]` are left out. Case, accents and the original spacing, around
        punctuation too, are gone: what `tokenize` made of "It's!" comes back as "it ' s !".

        Args:
            ids: int [B, (pieces)], ragged or padded, or [pieces].

        Returns:
            Strings [B], or one string.

        Example:

        >>> import keras_bert as kb
        >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"))
        >>> tokenizer.detokenize([[2, 5, 6, 4, 5, 3], [5, 0]]).numpy().tolist()
        [b'ab [MASK] a', b'a']
        """
        ids = ids_of(ids)
        if ids.shape.rank == 1:
            return self.detokenize(ids[None])[0]
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        special = self.special
        silent = tf.constant((special.pad, special.begin, special.end), ids.dtype)
        spoken = tf.reduce_all(ids.flat_values[:, None] != silent, axis=1)
        pieces = self.tokens(tf.ragged.boolean_mask(ids, ids.with_flat_values(spoken)))
        texts = tf.strings.reduce_join(pieces, axis=-1, separator=" ")
        return tf.strings.regex_replace(texts, f" {CONTINUATION}", "")

    def starts_word(self, ids: Ids) -> Ids:
        """Says which pieces start a word: all but those that begin with "##".

        Args:
            ids: int of any shape, ragged or not.

        Returns:
            Bool of the same shape.

        Example:

        >>> import keras_bert as kb
        >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"))
        >>> tokenizer.starts_word([2, 5, 6]).numpy().tolist()
        [True, True, False]
        """
        return tf.ragged.map_flat_values(tf.gather, self._starts_word, ids_of(ids))

    def continues_word(self, ids: Ids) -> Ids:
        """The opposite of `starts_word`."""
        return tf.ragged.map_flat_values(tf.logical_not, self.starts_word(ids))

    def _normalize(self, texts: tf.Tensor) -> tf.Tensor:
        return normalization.normalize(texts, self.normalization)

    def _with_offsets(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """Ids of texts [B], and their starts and ends in characters, all int32."""
        normalized = self._normalize(texts)
        ids, starts, ends = self._pieces_of(normalized)
        return ids, *normalization.original_spans(
            texts, normalized, starts, ends, self.normalization
        )

    def _pieces_of(self, normalized: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """What `_cut` gives, with the added tokens that are found in normalized texts."""
        if self._in_normalized is None:
            return self._cut(normalized)
        return self._in_normalized.around(normalized, self._cut, "BYTE")

    def _cut(self, normalized: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """Ids int32, and their starts and ends in bytes int64, of normalized texts [B]."""
        if self.normalization.split_cjk:
            pieces = self._word_pieces.tokenize_with_offsets(normalized)
            return self._limit_words(normalized, *pieces)
        words, word_starts, _ = normalization.split_words(normalized, self.normalization)
        ids, starts, ends = self._word_pieces.tokenize_with_offsets(words)
        first_byte = tf.repeat(word_starts.values, ids.values.row_lengths())
        ids, starts, ends = (x.merge_dims(1, 2) for x in (ids, starts, ends))
        starts = starts.with_values(starts.values + first_byte)
        return self._limit_words(
            normalized, ids, starts, ends.with_values(ends.values + first_byte)
        )

    def _limit_words(
        self,
        normalized: tf.Tensor,
        ids: tf.RaggedTensor,
        starts: tf.RaggedTensor,
        ends: tf.RaggedTensor,
    ) -> tuple[tf.RaggedTensor, ...]:
        """Makes one [UNK] of every word of more than 200 characters."""
        flat = (ids.values, starts.values, ends.values, ids.row_splits)
        # Such a word goes on for as many bytes without a space, and a short text cannot hold it.
        # To look for that costs next to nothing, to count the characters of all words a seventh.
        limit = normalization.MAX_WORD_CHARACTERS
        texts = tf.boolean_mask(normalized, tf.strings.length(normalized) > limit)
        may_hold = tf.strings.regex_full_match(texts, rf"(?s).*[^ ]{{{limit + 1}}}.*")
        *flat, row_splits = tf.cond(
            tf.reduce_any(may_hold), lambda: self._without_long_words(*flat), lambda: flat
        )
        return tuple(
            tf.RaggedTensor.from_row_splits(values, row_splits, validate=False) for values in flat
        )

    def _without_long_words(
        self, ids: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, row_splits: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Ids, starts, ends, all [N], and row splits, [B+1], where a long word is one [UNK]."""
        starts_word = tf.gather(self._starts_word, ids)
        word = tf.cumsum(tf.cast(starts_word, tf.int32)) - 1
        length = tf.math.segment_sum(tf.gather(self._lengths, ids), word)
        is_long = tf.gather(length > normalization.MAX_WORD_CHARACTERS, word)
        word_ends = tf.gather(tf.math.segment_max(ends, word), word)
        # Not tf.ragged.boolean_mask: its checks cost as much as all the rest here.
        kept = tf.where(starts_word | ~is_long)[:, 0]
        return (
            tf.gather(tf.where(is_long, self.special.unknown, ids), kept),
            tf.gather(starts, kept),
            tf.gather(tf.where(is_long, word_ends, ends), kept),
            tf.searchsorted(kept, row_splits, out_type=tf.int64),
        )

    def _with_special(self, special_tokens: Sequence[str]) -> Finder:
        """What finds special tokens besides the added ones."""
        unknown = [token for token in special_tokens if token not in self._id_of]
        if unknown:
            raise ValueError(
                f"Special tokens must be pieces of the vocabulary; {unknown} are not. "
                "Leave them out, or add them to the vocabulary."
            )
        ids = {token: self._id_of[token] for token in special_tokens}
        added = self._in_texts
        return Finder(ids) if added is None else Finder(added.ids | ids, added.single_words)


def _around(finder: Finder | None, texts: tf.Tensor, cut: Cut) -> tuple[tf.RaggedTensor, ...]:
    """What `cut` makes of texts as they came, with the tokens that a finder finds in them."""
    if finder is None:
        return cut(texts)
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    return finder.around(texts, cut, "UTF8_CHAR")


def _matchable(vocabulary: Sequence[str], unmatched: Collection[int]) -> list[str]:
    """The pieces, where those that no word is cut into can match no text."""
    never = frozenset(unmatched)
    return [  # U+FFFD is in no text
        f"\ufffd{id_}\ufffd{piece}"[:60] if id_ in never else piece
        for id_, piece in enumerate(vocabulary)
    ]
