"""What Keras' files hold of a task: its encoder, its tokenizer, its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras_bert.models.saving import config_of, frozen, given_of
from keras_bert.tasks.members import members_of
from keras_bert.text.byte_pairs import BytePairTokenizer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from keras_bert.tasks.task import Task

TOKENIZERS: dict[str, type[SubwordTokenizer]] = {
    kind.__name__: kind for kind in (Tokenizer, BytePairTokenizer)
}


def config_of_task(task: Task) -> dict[str, Any]:
    """The config of a task; what could not be opened again is refused.

    Args:
        task: Task.

    Returns:
        dict of JSON; the vocabulary is in it.

    Raises:
        ValueError: it is an ensemble, its tokenizer is of a class of the user's, or it packs rows
            by a template that is not its tokenizer's.
    """
    _check(task)
    pretrainer = getattr(task, "pretrainer", None)
    return config_of(
        task,
        encoder=task.encoder if pretrainer is None else None,
        pretrainer=pretrainer,
        tokenizer={type(task.tokenizer).__name__: task.tokenizer.settings()},
        settings=task.settings(),
    )


def task_of(cls: type[Task], config: Mapping[str, Any]) -> Task:
    """A task of what `config_of_task` gave, with fresh weights."""
    given = given_of(config)
    encoder, pretrainer = given["encoder"], given["pretrainer"]
    [(kind, settings)] = given["tokenizer"].items()
    tokenizer = TOKENIZERS[kind].from_settings(settings)
    own: dict[str, Any] = {} if pretrainer is None else {"pretrainer": pretrainer}
    encoder = encoder or pretrainer.encoder
    task = cls.from_settings(encoder, tokenizer, given["settings"], **own)
    return frozen(task, config)


def _check(task: Task) -> None:
    members = members_of(task)
    if members:
        raise ValueError(
            f"A file of Keras holds one task, but an ensemble has {len(members)}: save its members."
        )
    kind = type(task.tokenizer)
    if TOKENIZERS.get(kind.__name__) is not kind:
        raise ValueError(
            f"A file of Keras holds tokenizers of this package, but this task's is a "
            f"{kind.__name__}: save its weights alone, or its encoder."
        )
    if task.packer.template != task.tokenizer.template:
        raise ValueError(
            "A file of Keras holds no template, but this task packs rows by one that is not its "
            "tokenizer's: save its weights alone, or its encoder."
        )
