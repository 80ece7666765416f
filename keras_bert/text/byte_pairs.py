"""BytePairTokenizer: raw text to the ids of byte-level pieces and back, in graph, with offsets."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.text.added_tokens import AddedToken, Cut, Finder
from keras_bert.text.byte_cutter import ByteCutter
from keras_bert.text.byte_offsets import characters_of, compose, original_of
from keras_bert.text.byte_pieces import (
    SpecialTokens,
    content_of,
    ids_of_pieces,
    num_blanks,
    special_ids,
    starts_word,
)
from keras_bert.text.merges import ranks_of
from keras_bert.text.subwords import Ids, SubwordTokenizer, Texts, batch_of, ids_of
from keras_bert.text.template import Template


class BytePairTokenizer(SubwordTokenizer):
    r"""GPT-2's tokenizer, piece for piece, as TensorFlow operations: RoBERTa's and ModernBERT's.

    What OpenAI's encoder.py does: the text is split into words, each with the space before it, and
    the bytes of a word are merged, pair by pair ([Sennrich et al., 2016](
    https://arxiv.org/abs/1508.07909)), in the order in which the merges were learned. Nothing is
    unknown and nothing is lost. Ids and offsets are those of Hugging Face's `tokenizers`, but that
    special tokens are text unless `tokenize` is told otherwise. Runs eagerly, in `tf.data`, and in
    a SavedModel, where the vocabulary is part of the graph.

    Args:
        vocabulary: the pieces in GPT-2's byte alphabet, in the order of their ids, and the special
            tokens as they are spelled; "" where there is none.
        merges: pairs of pieces, the first merged first.
        special_tokens: SpecialTokens of the vocabulary, or of `added_tokens`.
        num_separators: how many separators stand between two segments: RoBERTa's two, or one.
        add_prefix_space: whether a text that does not begin with a space has one put before it, so
            that its first word is as one within it.
        trim_offsets: whether the space that a piece begins with is left out of its offsets.
        compose: whether characters are composed with their marks first (NFC).
        added_tokens: AddedTokens, which are one piece each wherever texts spell them. Those that
            the vocabulary lacks get the ids after it, in order. Of special tokens they say whether
            spaces belong to them where `tokenize` is to find them; if nothing is said, those before
            the mask token do.

    Raises:
        ValueError: if the vocabulary or the merges are malformed, or a special token is missing.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.text.byte_alphabet import BYTES
    >>> special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    >>> merges = [("Ġ", "f"), ("i", "n"), ("Ġf", "in"), ("Ġfin", "e")]
    >>> pieces = (*special, *BYTES, *(left + right for left, right in merges))
    >>> tokenizer = kb.BytePairTokenizer(pieces, merges)
    >>> ids = tokenizer.tokenize(["a fine", " fin"])
    >>> tokenizer.tokens(ids).to_list()
    [[b'a', b'\xc4\xa0fine'], [b'\xc4\xa0fin']]
    >>> tokenizer.detokenize(ids).numpy().tolist()
    [b'a fine', b' fin']
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        merges: Sequence[tuple[str, str]],
        special_tokens: SpecialTokens | None = None,
        num_separators: int = 2,
        *,
        add_prefix_space: bool = False,
        trim_offsets: bool = True,
        compose: bool = False,
        added_tokens: Sequence[AddedToken] = (),
    ):
        known = frozenset(vocabulary)
        new = dict.fromkeys(t.content for t in added_tokens if t.content not in known)
        self.vocabulary = (*vocabulary, *new)
        self.num_learned = len(self.vocabulary) - len(new)
        self.merges = tuple((left, right) for left, right in merges)
        self.special_tokens = special_tokens or SpecialTokens()
        self.mask_token = self.special_tokens.mask
        self.num_separators = num_separators
        self.add_prefix_space = add_prefix_space
        self.trim_offsets = trim_offsets
        self.compose = compose
        self._id_of = ids_of_pieces(self.vocabulary)
        self.special = special_ids(self.special_tokens, self._id_of)
        self.added_tokens = self._with_flags(added_tokens)
        ends, between = (self.special.end,), (self.special.separator,) * num_separators
        self.template = Template((self.special.begin,), between, ends, segment_ids=(0, 0))
        ranks = ranks_of(self._id_of, self.merges)
        marks = {token.content for token in self.added_tokens}
        contents = [content_of(piece, piece in marks) for piece in self.vocabulary]
        self.cutter = ByteCutter(contents, ranks, self.special.unknown)
        self.resources = (self.cutter.merging,)
        blanks = np.array([num_blanks(piece) for piece in self.vocabulary], np.int64)
        starts = [
            piece in marks or starts_word(content)
            for piece, content in zip(self.vocabulary, contents, strict=True)
        ]
        # On the host, whatever accelerator there is: strings live there.
        with tf.init_scope(), tf.device("CPU:0"):
            self._pieces = tf.constant(self.vocabulary)
            self._contents = tf.constant(contents, tf.string)
            self._lengths = tf.constant([len(content) for content in contents], tf.int64)
            self._blanks = tf.constant(blanks)
            self._starts_word = tf.constant(starts)
            self._in_texts, self._in_composed = self._finders()

    def _with_flags(self, added_tokens: Sequence[AddedToken]) -> tuple[AddedToken, ...]:
        """The added tokens and the special ones, by their ids."""
        tokens = {
            token: AddedToken(token, lstrip=token == self.mask_token)
            for token in dataclasses.astuple(self.special_tokens)
        }
        tokens.update({token.content: token for token in added_tokens})
        return tuple(sorted(tokens.values(), key=lambda token: self._id_of[token.content]))

    def _finders(self) -> tuple[Finder | None, Finder | None]:
        """What finds the added tokens, in texts as they came and in composed ones."""
        special = dataclasses.astuple(self.special_tokens)
        tokens = [t for t in self.added_tokens if t.content not in special]
        raw = {t.content: t for t in tokens if not t.normalized}
        rest = [t for t in tokens if t.normalized]
        spellings = [t.content for t in rest]
        if self.compose:
            spellings = [unicodedata.normalize("NFC", spelling) for spelling in spellings]
        return self._finder(raw), self._finder(dict(zip(spellings, rest, strict=True)))

    def _finder(self, tokens: Mapping[str, AddedToken]) -> Finder | None:
        ids = {spelling: self._id_of[token.content] for spelling, token in tokens.items()}
        single, left, right = (
            [spelling for spelling, token in tokens.items() if getattr(token, flag)]
            for flag in ("single_word", "lstrip", "rstrip")
        )
        return Finder(ids, single, lstrip=left, rstrip=right) if ids else None

    def settings(self) -> dict[str, Any]:
        """What `from_settings` makes the tokenizer of: the constructor's arguments."""
        return {
            "vocabulary": list(self.vocabulary[: self.num_learned]),
            "merges": [list(pair) for pair in self.merges],
            "special_tokens": dataclasses.asdict(self.special_tokens),
            "num_separators": self.num_separators,
            "add_prefix_space": self.add_prefix_space,
            "trim_offsets": self.trim_offsets,
            "compose": self.compose,
            "added_tokens": [dataclasses.asdict(token) for token in self.added_tokens],
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> BytePairTokenizer:
        """Makes the tokenizer that has these `settings()`."""
        special = SpecialTokens(**settings["special_tokens"])
        added = [AddedToken(**token) for token in settings["added_tokens"]]
        return cls(**{**settings, "special_tokens": special, "added_tokens": added})

    def tokenize(self, texts: Texts, special_tokens: Sequence[str] = ()) -> Ids:
        """Cuts texts into pieces.

        Bytes that are no UTF-8 are left out.

        Args:
            texts: strings [B], or one string.
            special_tokens: pieces of the vocabulary, such as "<mask>", that stay whole where the
                texts spell them exactly so, as all special tokens do in `tokenizers`. The others
                are text like any other.

        Returns:
            Ids, int32 [B, (pieces)], or [pieces] for one string.

        Raises:
            ValueError: if `texts` are no strings of rank 0 or 1, or a special token is not in the
                vocabulary.
        """
        texts, is_one = batch_of(texts)
        finder = self._with_special(special_tokens)
        [ids] = _around(finder, _valid(texts), lambda parts: (self._ids(parts),))
        return ids[0] if is_one else ids

    def tokenize_with_offsets(
        self, texts: Texts, special_tokens: Sequence[str] = ()
    ) -> tuple[Ids, Ids, Ids]:
        """Cuts texts into pieces and says where in the original text each comes from.

        `text[start:end]` in Python is the source of a piece, with the whole of every character
        that it has a byte of. A piece of nothing but spaces that are trimmed has an empty one. For
        bytes that are no UTF-8 the offsets refer to `text.decode("utf-8", "ignore")`.

        Args:
            texts: strings [B], or one string.
            special_tokens: as in `tokenize`.

        Returns:
            Ids, starts and ends (exclusive, in characters), each int32 [B, (pieces)], or [pieces]
            for one string.

        Raises:
            ValueError: as `tokenize`.
        """
        texts, is_one = batch_of(texts)
        finder = self._with_special(special_tokens)
        ids, *spans = _around(finder, _valid(texts), self._with_offsets)
        starts, ends = self._trimmed(*spans) if self.trim_offsets else spans
        found = (ids, *(x.with_values(tf.cast(x.values, tf.int32)) for x in (starts, ends)))
        return tuple(x[0] if is_one else x for x in found)

    def tokens(self, ids: Ids) -> Ids:
        """Looks up the pieces of ids, in GPT-2's byte alphabet.

        Args:
            ids: int of any shape, ragged or not.

        Returns:
            Strings of the same shape.
        """
        return tf.ragged.map_flat_values(tf.gather, self._pieces, ids_of(ids))

    def detokenize(self, ids: Ids) -> tf.Tensor:
        """Joins the bytes of pieces to text, without the tokens that stand around segments.

        What `tokenize` made of a text comes back as it was, but for its form where characters were
        composed, and the one space that `add_prefix_space` may have put before it. Where ids were
        cut within a character, its bytes become U+FFFD.

        Args:
            ids: int [B, (pieces)], ragged or padded, or [pieces].

        Returns:
            Strings [B], or one string.
        """
        ids = ids_of(ids)
        if ids.shape.rank == 1:
            return self.detokenize(ids[None])[0]
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        special = self.special
        silent = (special.pad, special.begin, special.separator, special.end)
        spoken = tf.reduce_all(ids.flat_values[:, None] != tf.constant(silent, ids.dtype), axis=1)
        contents = tf.gather(self._contents, ids.flat_values)
        contents = ids.with_flat_values(tf.where(spoken, contents, ""))
        texts = tf.strings.reduce_join(contents, axis=-1)
        if self.add_prefix_space:
            texts = tf.strings.regex_replace(texts, "^ ", "", replace_global=False)
        return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")

    def starts_word(self, ids: Ids) -> Ids:
        """Says which pieces start a word: those that begin with a space or with punctuation.

        And ideographs, kana, special and added tokens. Only letters, digits, marks and the later
        bytes of a character go on with what stands before them.

        Args:
            ids: int of any shape, ragged or not.

        Returns:
            Bool of the same shape.
        """
        return tf.ragged.map_flat_values(tf.gather, self._starts_word, ids_of(ids))

    def _with_special(self, special_tokens: Sequence[str]) -> Finder | None:
        """What finds special tokens besides the added ones."""
        if not special_tokens:
            return self._in_texts
        unknown = [token for token in special_tokens if token not in self._id_of]
        if unknown:
            raise ValueError(
                f"Special tokens must be pieces of the vocabulary; {unknown} are not. "
                "Leave them out, or add them to the vocabulary."
            )
        known = {token.content: token for token in self.added_tokens}
        special = dataclasses.astuple(self.special_tokens)
        raw = [t for t in self.added_tokens if not t.normalized and t.content not in special]
        asked = [known.get(token, AddedToken(token)) for token in special_tokens]
        return self._finder({token.content: token for token in (*raw, *asked)})

    def _ids(self, parts: tf.Tensor) -> tf.RaggedTensor:
        """Ids of what stands between the tokens that are found in texts as they came."""
        composed = compose(parts) if self.compose else parts
        [ids] = _around(
            self._in_composed, composed, lambda rest: (self.cutter.cut(self._prefixed(rest)),)
        )
        return ids

    def _with_offsets(self, parts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """The same, and their starts and ends in characters, int64, and the spaces to trim."""
        composed = compose(parts) if self.compose else parts
        ids, starts, ends, *blanks = _around(self._in_composed, composed, self._cut_with_offsets)
        if self.compose:
            starts, ends = tf.cond(
                tf.reduce_any(parts != composed),
                lambda: original_of(parts, composed, starts, ends),
                lambda: (starts, ends),
            )
        return ids, starts, ends, *blanks

    def _cut_with_offsets(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        prefixed = self._prefixed(texts)
        ids = self.cutter.cut(prefixed)
        lengths = ids.with_values(tf.gather(self._lengths, ids.values))
        num_bytes = tf.cast(tf.strings.length(prefixed), tf.int64)
        before = tf.repeat(tf.cumsum(num_bytes, exclusive=True), ids.row_lengths())
        ends = tf.cumsum(lengths.values) - before
        spans = (ids.with_values(ends - lengths.values), ids.with_values(ends))
        starts, ends = characters_of(prefixed, *spans)
        if self.add_prefix_space:
            # The space that was put there came from the first character of the text.
            put = num_bytes - tf.cast(tf.strings.length(texts), tf.int64)
            put = tf.repeat(put, ids.row_lengths())
            starts = starts.with_values(tf.maximum(starts.values - put, 0))
            ends = ends.with_values(tf.maximum(ends.values - put, 1))
        if not self.trim_offsets:
            return ids, starts, ends
        blanks = tf.gather(self._blanks, ids.values)
        return ids, starts, ends, ids.with_values(blanks[:, 0]), ids.with_values(blanks[:, 1])

    def _prefixed(self, texts: tf.Tensor) -> tf.Tensor:
        if not self.add_prefix_space:
            return texts
        return tf.strings.regex_replace(texts, "^([^ ])", r" \1", replace_global=False)

    def _trimmed(
        self,
        starts: tf.RaggedTensor,
        ends: tf.RaggedTensor,
        leading: tf.RaggedTensor,
        trailing: tf.RaggedTensor,
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Offsets without the spaces that pieces begin and end with, as `tokenizers` trims them."""
        start, end, before, behind = (x.values for x in (starts, ends, leading, trailing))
        if self.add_prefix_space:
            place = tf.range(tf.size(start, tf.int64))
            first = tf.repeat(starts.row_starts(), starts.row_lengths())
            # One space at the beginning is taken for the one that was put there.
            is_put = ((place == first) | (start == 0)) & (before == 1)
            before = tf.where(is_put, tf.zeros_like(before), before)
        start = tf.minimum(start + before, end)
        end = tf.where(end >= behind, tf.maximum(end - behind, start), end)
        return starts.with_values(start), ends.with_values(end)


def _valid(texts: tf.Tensor) -> tf.Tensor:
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")


def _around(finder: Finder | None, texts: tf.Tensor, cut: Cut) -> tuple[tf.RaggedTensor, ...]:
    return cut(texts) if finder is None else finder.around(texts, cut, "UTF8_CHAR")
