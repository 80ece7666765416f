"""Tokens that were added to a vocabulary: found in texts before these are cut into words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Literal

import tensorflow as tf

from keras_bert.lite.added_tokens import longest_first, pattern_of

# What `tokenizers` takes for a part of a word where a token must stand alone.
_WORD = r"[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\x{24B6}-\x{24E9}]"
_SPACE = r"[\t\n\r\p{Z}]"
# And for a space that belongs to a token which is said to take those beside it.
_BESIDE = r"[\s\x0b\x{85}\p{Z}]"
# No byte of UTF-8.
_CUT = b"\xff"

Cut = Callable[[tf.Tensor], tuple[tf.RaggedTensor, ...]]


@dataclasses.dataclass(frozen=True)
class AddedToken:
    """A token beside the word pieces, as Hugging Face's `tokenizers` knows it.

    Args:
        content: str, how texts spell it; it may have spaces and punctuation in it.
        normalized: bool, whether it is looked for in normalized text, which is lower-cased, say;
            its own spelling is then normalized too.
        single_word: bool, whether it is not looked for within longer words.
        lstrip: bool, whether spaces before it belong to it. Where words are cut into word pieces,
            none become pieces anyhow.
        rstrip: bool, whether spaces after it belong to it.
        special: bool, whether it is a mark such as "[CLS]" and no word.

    Raises:
        ValueError: the content is no text, is empty, or has a NUL or the end of a line in it.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.text.added_tokens import AddedToken
    >>> vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film")
    >>> tokenizer = kb.Tokenizer(vocabulary, added_tokens=[AddedToken("<e1>")])
    >>> tokenizer.tokenize("<e1>film").numpy().tolist()
    [6, 5]
    """

    content: str
    normalized: bool = False
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    special: bool = True

    def __post_init__(self):
        text = self.content
        if not isinstance(text, str) or not text or set(text) & set("\0\n\r"):
            raise ValueError(
                "An added token must be a text of one line that is not empty, but is "
                f"{text!r:.100}: correct or remove it."
            )
        for field in dataclasses.fields(self)[1:]:
            if not isinstance(getattr(self, field.name), bool):
                raise ValueError(
                    f"{field.name} of the added token {text!r} must be true or false, not "
                    f"{getattr(self, field.name)!r}: correct it."
                )


class Finder:
    """Finds tokens in texts, in graph; of two that begin at the same place the longer one.

    Args:
        ids: mapping of the tokens' spellings to their ids.
        single_words: those that count only where no letter, digit or mark stands beside them.
        any_space: whether a space in a spelling is any kind of space in a text.
        apart: characters, as in a regular expression's [], that are words of their own.
        lstrip: those that take the spaces before them.
        rstrip: those that take the spaces after them.
    """

    def __init__(
        self,
        ids: Mapping[str, int],
        single_words: Collection[str] = (),
        any_space: bool = False,
        apart: str = "",
        *,
        lstrip: Collection[str] = (),
        rstrip: Collection[str] = (),
    ):
        self.ids = dict(ids)
        self.names = longest_first(ids)
        self.single_words = frozenset(single_words)
        self._strips = frozenset((*lstrip, *rstrip))
        space = _SPACE if any_space else None
        self._either = pattern_of(ids, beside=_BESIDE, space=space, lstrip=lstrip, rstrip=rstrip)
        self._apart = apart

    def around(
        self, texts: tf.Tensor, cut: Cut, unit: Literal["BYTE", "UTF8_CHAR"]
    ) -> tuple[tf.RaggedTensor, ...]:
        """What `cut` makes of texts, but for the tokens in them, each of which is one piece.

        Args:
            texts: strings [B], valid UTF-8.
            cut: function of strings [N] that gives ids, and maybe where they start and end, and
                then maybe how many spaces there they begin and end with, each ragged [N, (pieces)].
            unit: what starts, ends and spaces count.

        Returns:
            The same for all of the texts, each ragged [B, (pieces)].
        """
        parts, token = self._split(texts)
        is_token = token >= 0
        ids, *spans = cut(tf.where(is_token, "", parts.values))
        lengths = _lengths(parts.values, unit)
        own_ids = tf.gather([self.ids[name] for name in self.names], tf.maximum(token, 0))
        own = [own_ids, tf.zeros_like(lengths), lengths]
        if len(spans) > 2:
            own += [lengths - _lengths(_without(parts.values, end), unit) for end in ("^{}", "{}$")]
        ids, *spans = (
            tf.concat([theirs, _where(is_token, tf.cast(ours, theirs.dtype))], axis=1)
            for theirs, ours in zip((ids, *spans), own, strict=False)
        )
        before = tf.repeat(_starts(parts.with_values(lengths)), ids.row_lengths())
        moved = (x.with_values(x.values + tf.cast(before, x.dtype)) for x in spans[:2])
        return tuple(parts.with_values(x).merge_dims(1, 2) for x in (ids, *moved, *spans[2:]))

    def _split(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Parts [B, (parts)] that make up the texts, and which token each is, [N], or -1."""
        cut = tf.strings.regex_replace(texts, self._either, _CUT + rb"\0" + _CUT)
        parts = tf.strings.split(cut, _CUT)
        parts = tf.ragged.boolean_mask(parts, parts.with_values(parts.values != ""))
        token = self._tokens(parts.values)
        if not self.single_words:
            return parts, token
        alone = tf.constant([name in self.single_words for name in self.names])
        within = tf.gather(alone, tf.maximum(token, 0)) & (token >= 0)
        within &= _beside_word(parts, self._apart)
        return _join(parts, tf.where(within, tf.constant(-1, tf.int64), token))

    def _tokens(self, parts: tf.Tensor) -> tf.Tensor:
        """The index in `names` of parts [N] that are tokens, and -1 of the others, int64 [N]."""
        found = tf.where(tf.strings.regex_full_match(parts, self._either))
        found_parts = tf.gather_nd(parts, found)
        spelled = tf.strings.regex_replace(found_parts, _SPACE, " ")
        names = tf.strings.regex_replace(tf.constant(self.names), _SPACE, " ")
        same = spelled[:, None] == names
        if self._strips:
            bare = _without(_without(found_parts, "^{}"), "{}$")
            strips = tf.constant([name in self._strips for name in self.names])
            same |= (bare[:, None] == tf.constant(self.names)) & strips
        index = tf.argmax(same, axis=1)
        return tf.tensor_scatter_nd_update(
            tf.fill(tf.shape(parts), tf.constant(-1, tf.int64)), found, index
        )


def _lengths(texts: tf.Tensor, unit: Literal["BYTE", "UTF8_CHAR"]) -> tf.Tensor:
    return tf.cast(tf.strings.length(texts, unit), tf.int64)


def _without(texts: tf.Tensor, spaces: str) -> tf.Tensor:
    """Texts without the spaces where a pattern says."""
    return tf.strings.regex_replace(texts, spaces.format(f"{_BESIDE}+"), "")


def _where(mask: tf.Tensor, values: tf.Tensor) -> tf.RaggedTensor:
    """Rows [N, (0 or 1)]: the value where the mask is true, else nothing."""
    lengths = tf.cast(mask, tf.int64)
    return tf.RaggedTensor.from_row_lengths(tf.boolean_mask(values, mask), lengths)


def _starts(lengths: tf.RaggedTensor) -> tf.Tensor:
    """Where parts of some lengths [B, (parts)] start in their text, int64 [N]."""
    starts = tf.cumsum(lengths.values, exclusive=True)
    ends = tf.concat([[0], tf.cumsum(lengths.values)], axis=0)
    return starts - tf.gather(ends, tf.gather(lengths.row_splits, lengths.value_rowids()))


def _beside_word(parts: tf.RaggedTensor, apart: str) -> tf.Tensor:
    """Whether a character of a word stands right before or after a part, bool [N]."""
    text, none = parts.value_rowids(), tf.constant([False])
    same = text[1:] == text[:-1]
    ends, starts = (
        tf.strings.regex_full_match(parts.values, pattern.format(_WORD))
        & ~tf.strings.regex_full_match(parts.values, pattern.format(rf"[{apart}\x{{00}}]"))
        for pattern in ("(?s).*{}", "(?s){}.*")
    )
    before = tf.concat([none[: tf.size(text)], ends[:-1] & same], axis=0)
    after = tf.concat([starts[1:] & same, none[: tf.size(text)]], axis=0)
    return before | after


def _join(parts: tf.RaggedTensor, token: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """The same with neighbours that are no tokens made one part."""
    text, is_plain = parts.value_rowids(), token < 0
    goes_on = is_plain[1:] & is_plain[:-1] & (text[1:] == text[:-1])
    part = tf.cumsum(tf.concat([tf.zeros_like(text[:1]), tf.cast(~goes_on, text.dtype)], axis=0))
    count = tf.reduce_max(tf.concat([part + 1, [0]], axis=0))
    joined = tf.strings.unsorted_segment_join(parts.values, part, count)
    texts = tf.math.segment_min(text, part)
    return (
        tf.RaggedTensor.from_value_rowids(joined, texts, parts.nrows()),
        tf.math.segment_max(token, part),
    )
