"""SubwordTokenizer: what all of the house but the families' files knows of a tokenizer."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from keras_bert.text.template import Template

_WANTED = "Texts must be one string or strings of shape [B]"
_REMEDY = "Flatten them, or tokenize one column at a time."

Texts: TypeAlias = tf.Tensor | Sequence[str] | str
Ids: TypeAlias = tf.RaggedTensor | tf.Tensor


@dataclasses.dataclass(frozen=True)
class SpecialIds:
    """The ids of the tokens that are no text, by what they are for; one may have several roles.

    Args:
        pad: fills rows up.
        unknown: stands for a word that has no spelling. Unlike the others it is found in texts.
        begin: stands before the first segment of a row, and is read for the whole of it.
        separator: stands between documents within a segment.
        end: stands after the last segment.
        mask: stands where a token is to be predicted.
    """

    pad: int
    unknown: int
    begin: int
    separator: int
    end: int
    mask: int


class SubwordTokenizer(abc.ABC):
    """Turns texts into ids of pieces of words and back, in graph; a family's own is a subclass.

    Attributes:
        vocabulary: tuple of str, the pieces in the order of their ids.
        special: SpecialIds.
        mask_token: str, how a text spells the token of `special.mask`.
        template: Template, how the family packs segments into rows.
        resources: tuple of what its graph refers to, which a SavedModel has to keep.
    """

    vocabulary: tuple[str, ...]
    special: SpecialIds
    mask_token: str
    template: Template
    resources: tuple[tf.Module, ...] = ()

    def __call__(self, texts: Texts, special_tokens: Sequence[str] = ()) -> Ids:
        """As `tokenize`."""
        return self.tokenize(texts, special_tokens)

    def __repr__(self) -> str:
        simple = {n: x for n, x in self.settings().items() if isinstance(x, bool | int | str)}
        parts = [f"{self.vocabulary_size:,} pieces", *(f"{n}={x!r}" for n, x in simple.items())]
        return f"<{type(self).__name__}: {', '.join(parts)}>"

    @property
    def vocabulary_size(self) -> int:
        """How many pieces there are."""
        return len(self.vocabulary)

    @abc.abstractmethod
    def tokenize(self, texts: Texts, special_tokens: Sequence[str] = ()) -> Ids:
        """Cuts texts into pieces.

        Args:
            texts: strings [B], or one string.
            special_tokens: pieces of the vocabulary, such as `mask_token`, that stay whole where
                the texts spell them. The others are text like any other.

        Returns:
            Ids, int32 [B, (pieces)], or [pieces] for one string.

        Raises:
            ValueError: if `texts` are no strings of rank 0 or 1, or a special token is not in the
                vocabulary.
        """

    @abc.abstractmethod
    def tokenize_with_offsets(self, texts: Texts) -> tuple[Ids, Ids, Ids]:
        """Cuts texts into pieces and says where in the original text each comes from.

        Args:
            texts: strings [B], or one string.

        Returns:
            Ids, starts and ends (exclusive, in characters), each int32 [B, (pieces)], or [pieces]
            for one string.

        Raises:
            ValueError: if `texts` are no strings of rank 0 or 1.
        """

    @abc.abstractmethod
    def tokens(self, ids: Ids) -> Ids:
        """Looks up the pieces of ids.

        Args:
            ids: int of any shape, ragged or not.

        Returns:
            Strings of the same shape.
        """

    @abc.abstractmethod
    def detokenize(self, ids: Ids) -> tf.Tensor:
        """Joins pieces to text, without the special tokens of rows.

        Args:
            ids: int [B, (pieces)], ragged or padded, or [pieces].

        Returns:
            Strings [B], or one string.
        """

    @abc.abstractmethod
    def starts_word(self, ids: Ids) -> Ids:
        """Says which pieces start a word; the others go on with the one before them.

        Where a segment begins a word starts whatever this says.

        Args:
            ids: int of any shape, ragged or not.

        Returns:
            Bool of the same shape.
        """

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that makes the tokenizer anew, as JSON can hold it; those of equals are equal."""

    @classmethod
    @abc.abstractmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> SubwordTokenizer:
        """Makes the tokenizer that has these `settings()`."""


def batch_of(texts: Texts) -> tuple[tf.Tensor, bool]:
    """Texts as strings [B], which the operations need, and whether there was only one.

    Raises:
        ValueError: if they are no strings of rank 0 or 1.
    """
    if isinstance(texts, list | tuple) and not texts:
        texts = tf.constant([], tf.string)
    try:
        tensor = texts if isinstance(texts, tf.RaggedTensor) else tf.convert_to_tensor(texts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{_WANTED}; got {type(texts).__name__}: {error}. {_REMEDY}") from error
    if tensor.dtype != tf.string or tensor.shape.rank not in (0, 1, None):
        came = f"{tensor.dtype.name} of shape {tensor.shape}"
        raise ValueError(f"{_WANTED}; got {came}. {_REMEDY}")
    if tensor.shape.rank == 0:
        return tensor[None], True
    # Where the rank is known only at run time, the graph refuses any other.
    return tf.ensure_shape(tensor, [None]), False


def ids_of(ids: Ids | Sequence) -> Ids:
    """Ids as a tensor, which may be ragged; lists become one that is."""
    if isinstance(ids, list | tuple):
        return tf.ragged.constant(ids, tf.int32)
    return ids if isinstance(ids, tf.RaggedTensor) else tf.convert_to_tensor(ids)
