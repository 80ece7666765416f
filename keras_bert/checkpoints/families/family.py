"""Family: all that the checkpoints of one family of encoders say in their own way."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from keras_bert.checkpoints.names import Names
from keras_bert.checkpoints.tokenizer_files import TokenizerFiles as TokenizerFiles
from keras_bert.config import EncoderConfig
from keras_bert.models.encoder import Encoder

Config = TypeVar("Config", bound=EncoderConfig)


def with_article(name: str) -> str:
    """A family's name as messages say one of its models.

    Example:

    >>> from keras_bert.checkpoints.families.family import with_article
    >>> with_article("BERT"), with_article("ELECTRA")
    ('a BERT', 'an ELECTRA')
    """
    return f"{'an' if name[0] in 'AEIOUX' else 'a'} {name}"


@dataclasses.dataclass(frozen=True)
class ConfigFile(Generic[Config]):
    """How the config file of a form, the Hub's or Google's, says the config of a family.

    Args:
        read: from the file's content, and its path for errors, to the config; a ValueError where
            it describes what no encoder of the family is.
        write: from a config to the content; a ValueError where the form has no such model.
    """

    read: Callable[[Mapping[str, Any], pathlib.Path], Config]
    write: Callable[[Config], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class HubClasses:
    """transformers' classes of a family's models, by which config.json names them.

    Args:
        encoder: that of an encoder alone.
        masked_lm: of a pretrainer without a sentence objective.
        pretraining: of a pretrainer with one; None where the family has none.
        tasks: of tasks, by their names in the table of tasks; what it lacks is saved as an encoder
            that says which task it is.
        replaced_tokens: of a detector of replaced tokens; None where the family has none.
        dropouts: the keys by which config.json says the dropout before a task's head, by tasks'
            names, where these are not `classifier_dropout`.
    """

    encoder: str
    masked_lm: str
    pretraining: str | None
    tasks: Mapping[str, str]
    replaced_tokens: str | None = None
    dropouts: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, prefix: str, **others: Any) -> HubClasses:
        """The classes whose names begin alike, as of most families.

        Args:
            prefix: str, such as "Bert".
            others: the arguments that are not `encoder`, `masked_lm` and `tasks`.

        Example:

        >>> from keras_bert.checkpoints.families.family import HubClasses
        >>> HubClasses.of("Electra").tasks["multiple_choice"]
        'ElectraForMultipleChoice'
        """
        encoder, masked_lm = f"{prefix}Model", f"{prefix}ForMaskedLM"
        tasks = {
            "text_classification": f"{prefix}ForSequenceClassification",
            "token_classification": f"{prefix}ForTokenClassification",
            "question_answering": f"{prefix}ForQuestionAnswering",
            "multiple_choice": f"{prefix}ForMultipleChoice",
            "sentence_embedding": encoder,
            # Of a pretrainer with a sentence objective transformers opens the other head as well.
            "fill_mask": masked_lm,
        }
        return cls(encoder, masked_lm, tasks=tasks, **{"pretraining": None, **others})


@dataclasses.dataclass(frozen=True)
class HubTensors:
    """What the Hub's files call and hold besides the weights that `Names` has.

    Args:
        prefix: what names of an encoder's tensors begin with under a head, and not without one.
        present_name: from a name that a file has, of any version of transformers, to the present
            one, with the prefix.
        copies: tensors that older versions wrote besides, by what they are copies of.
        counters: buffers that must count 0, 1, 2, ...
    """

    prefix: str
    present_name: Callable[[str], str]
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    counters: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Family(Generic[Config]):
    """A family of encoders as checkpoints know it: one value, in a file of its own in this folder.

    Args:
        name: what messages call a model of it: "BERT".
        encoder: class of its encoders, made from its config.
        model_types: values of `model_type` in its config.json.
        class_prefix: how the names of transformers' classes begin, which tell of it where there is
            no `model_type`.
        classes: transformers' classes.
        config: how config.json says the config.
        names: from a config to the names of all weights that its models may have.
        tensors: what is special about the tensors.
        tokenizer: its tokenizer's files.
        google: how Google's config file says the config; None where Google's code has no such
            model.
    """

    name: str
    encoder: type[Encoder]
    model_types: tuple[str, ...]
    class_prefix: str
    classes: HubClasses
    config: ConfigFile[Config]
    names: Callable[[Config], Names]
    tensors: HubTensors
    tokenizer: TokenizerFiles
    google: ConfigFile[Config] | None = None
