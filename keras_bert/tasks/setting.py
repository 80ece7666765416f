"""Settings of a task: what it is made with, checked whenever it is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras_bert.models.encoder import Encoder
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer


class Setting:
    """An attribute that says how a task answers.

    It may be set again, and what is asked then is answered as by a task that was made with it; one
    that the model is made for may not.

    Args:
        read: function of what is given, which gives what is kept: `tuple`, say.
        fixed: bool, whether the model, or what it learns, is made for it.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.FillMask(kb.BertPretrainer(kb.BertEncoder(config)), kb.Packer(tokenizer))
    >>> task.top_k = 2
    >>> len(task("a fine [MASK]")[0])
    2
    >>> task.top_k = 8
    Traceback (most recent call last):
    ...
    ValueError: top_k must lie between 1 and the 7 pieces of the vocabulary, not 8.
    """

    def __init__(self, read: Callable[[Any], Any] | None = None, *, fixed: bool = False):
        self.read = read
        self.fixed = fixed

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, task: Any, owner: type | None = None) -> Any:
        if task is None:
            return self
        if self.name not in vars(task):
            raise AttributeError(f"{self.name} is not set yet.")
        return vars(task)[self.name]

    def __set__(self, task: Any, value: Any) -> None:
        value = value if self.read is None else self.read(value)
        is_first = self.name not in vars(task)
        before = vars(task).get(self.name)
        if self.fixed and not is_first and value != before:
            raise ValueError(
                f"{self.name} must stay {before!r}, as the model is made for it, but {value!r} "
                f"was set: make another {type(task).__name__} on the same encoder."
            )
        vars(task)[self.name] = value
        if not is_first:
            try:
                task.check_settings()
            except ValueError:
                vars(task)[self.name] = before
                raise


def settings_of(task: Any) -> dict[str, Any]:
    """The settings of a task by name, those of all its classes."""
    names = dict.fromkeys(
        name
        for cls in reversed(type(task).__mro__)
        for name, value in vars(cls).items()
        if isinstance(value, Setting)
    )
    return {name: getattr(task, name) for name in names}


def packer_of(encoder: Encoder, tokenizer: SubwordTokenizer, own: Mapping[str, Any]) -> Packer:
    """The packer of a task's own settings; rows of all positions where they do not say."""
    return Packer(tokenizer, own.get("sequence_length", encoder.config.max_sequence_length))
