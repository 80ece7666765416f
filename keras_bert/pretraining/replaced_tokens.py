"""Where the pretraining of a detector of replaced tokens begins: with which generator."""

from __future__ import annotations

import dataclasses
import os
import pathlib

from keras_bert.checkpoints.directory import Checkpoint, load
from keras_bert.checkpoints.settings import CONFIG_FILE
from keras_bert.checkpoints.weights import by_path
from keras_bert.config import ElectraConfig
from keras_bert.flops import num_training_flops
from keras_bert.models.detector import ReplacedTokenDetector
from keras_bert.models.electra import GENERATOR, generator_config
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.replaced_tokens import ReplacedTokenPretrainer
from keras_bert.pretraining.start import family_name, take_known_heads


def with_generator(
    checkpoint: Checkpoint, source: str | os.PathLike | None = None, share: float | None = None
) -> tuple[Checkpoint, str]:
    """A checkpoint whose model is a `ReplacedTokenPretrainer` on its encoder.

    Args:
        checkpoint: Checkpoint of an ELECTRA, fresh or with weights.
        source: path of its directory; a generator is taken from the folder `generator/` in it,
            where `save` writes it. None, or no such folder, makes a new one.
        share: float, as of `generator_config`; None is that of what is there, or the paper's.

    Returns:
        Checkpoint, and what to say of where its weights come from.

    Raises:
        ValueError: it is of another family, or the generator in the folder does not fit.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import fresh, with_generator
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> checkpoint, told = with_generator(fresh(tokenizer, "electra_tiny", {}), share=0.5)
    >>> checkpoint.model.generator.encoder.config.hidden_dim, told
    (64, 'The generator is new, 2 layers of 64.')
    """
    config = checkpoint.config
    if not isinstance(config, ElectraConfig):
        raise ValueError(
            f"Replaced tokens are learned by an ELECTRA, but this is a {family_name(config)}: "
            "choose --preset=electra_small, say, or the checkpoint of an ELECTRA."
        )
    detector = ReplacedTokenDetector(checkpoint.encoder)
    told = [] if source is None else [take_known_heads(detector, checkpoint)]
    folder = None if source is None else pathlib.Path(source) / GENERATOR
    if folder is None or not (folder / CONFIG_FILE).is_file():
        there = "" if folder is None else f", since there is no {folder}"
        own = generator_config(config, share)
        model = ReplacedTokenPretrainer(detector, own)
        told.append(f"The generator is new{there}, {own.num_layers} layers of {own.hidden_dim}.")
    else:
        model = _with_weights(detector, config, folder, share)
        told.append(f"The generator is that of {folder}.")
    return dataclasses.replace(checkpoint, model=model), " ".join(told)


def detection_flops(
    model: ReplacedTokenPretrainer, sequence_length: int, num_predictions: int
) -> int:
    """Operations of a training step on one row, as `num_training_flops` counts them.

    Args:
        model: ReplacedTokenPretrainer.
        sequence_length: int, T, all of which the detector answers for.
        num_predictions: int, P, those of the generator.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.pretraining import detection_flops, fresh, with_generator
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> checkpoint, _ = with_generator(fresh(tokenizer, "electra_tiny", {}))
    >>> detection_flops(checkpoint.model, sequence_length=128, num_predictions=20)
    388260864
    """
    config = model.encoder.config
    blocks = (config.block_flops(i, sequence_length) for i in range(config.num_layers))
    head = 2 * config.hidden_dim * (config.hidden_dim + 1)
    per_token = config.embedding_flops() + sum(map(sum, blocks)) + head
    generator = num_training_flops(model.generator.encoder.config, sequence_length, num_predictions)
    return generator + 3 * sequence_length * per_token


def _with_weights(
    detector: ReplacedTokenDetector,
    config: ElectraConfig,
    folder: pathlib.Path,
    share: float | None,
) -> ReplacedTokenPretrainer:
    """A pretrainer with the generator of a folder; the embeddings are the detector's."""
    found = load(folder, config.dropout)
    if not isinstance(found.model, BertPretrainer) or not isinstance(found.config, ElectraConfig):
        raise ValueError(
            f"{folder} must hold a generator, an ElectraForMaskedLM, but holds {found!r}: take the "
            "folder away to begin with a new one."
        )
    wanted = (
        found.config.hidden_dim if share is None else generator_config(config, share).hidden_dim
    )
    if wanted != found.config.hidden_dim:
        raise ValueError(
            f"--generator_share={share} is a width of {wanted}, but the generator in {folder} has "
            f"{found.config.hidden_dim}: leave the flag out."
        )
    own = dataclasses.replace(found.config, attention_dropout=config.attention_dropout)
    model = ReplacedTokenPretrainer(detector, own)
    shared, before = {id(weight) for weight in detector.weights}, by_path(found.model)
    for path, weight in by_path(model.generator).items():
        if id(weight) not in shared:
            weight.assign(before[path])
    return model
