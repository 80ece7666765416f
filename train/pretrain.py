"""Pretrains a BERT on text files; run again, it resumes."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Literal

import keras_bert as kb
from keras_bert import flags
from keras_bert.training import run


@dataclasses.dataclass(frozen=True)
class Arguments:
    input_pattern: str = flags.required(
        "text files: globs with commas between them; or a directory that write_token_corpus wrote"
    )
    output_dir: str = flags.required("directory of this run and its checkpoint")
    vocabulary: str = flags.required("vocabulary file, as learn_vocabulary writes it")
    eval_pattern: str | None = flags.flag(None, "held-out text files")
    documents: Literal["files", "blank_lines"] = flags.flag(
        "files", "what is one document: a file, or what stands between blank lines"
    )
    lowercase: bool = flags.flag(True, "lower-case the text and strip accents")
    preset: Literal["tiny", "mini", "small", "medium", "base", "large"] = flags.flag(
        "base", "size of the model"
    )
    positions: Literal["learned", "sinusoidal"] = flags.flag("learned", "position embeddings")
    norm_first: bool = flags.flag(False, "pre-norm blocks; BERT's are post-norm")
    initial_checkpoint: str | None = flags.flag(None, "checkpoint directory to take weights from")
    word_vectors: str | None = flags.flag(None, "GloVe or word2vec text file to take vectors from")
    sequence_length: int = flags.flag(128, "length of a packed row")
    mask_unit: Literal["token", "word", "span"] = flags.flag("word", "what is masked as one")
    max_predictions: int = flags.flag(20, "masked tokens of a row, at most")
    sentence_objective: Literal["next_sentence", "sentence_order", "none"] = flags.flag(
        "next_sentence", "what is learned of pairs; none: RoBERTa's full sentences"
    )
    sentence_weight: float = flags.flag(1.0, "weight of the sentence objective in the joint loss")
    batch_size: int = flags.flag(32, "rows of an update")
    num_micro_batches: int = flags.flag(1, "parts a batch is computed in, to save memory")
    num_steps: int = flags.flag(100_000, "updates in all")
    steps_per_epoch: int = flags.flag(1000, "updates between two checkpoints and evaluations")
    learning_rate: float = flags.flag(1e-4, "peak of the schedule")
    warmup_steps: int = flags.flag(1000, "updates until the peak")
    beta_2: float = flags.flag(0.999, "decay of the mean square of gradients")
    clip_norm: float = flags.flag(1.0, "largest global norm of the gradients; 0: no clipping")
    bias_correction: bool = flags.flag(False, "correct Adam's bias, as RoBERTa does and BERT not")
    precision: Literal["float32", "mixed_bfloat16"] = flags.flag("float32", "of the computation")
    seed: int = flags.flag(0, "of weights, order, masks and dropout")


def main(arguments: Arguments) -> None:
    output_dir = pathlib.Path(arguments.output_dir)
    flagfile = output_dir / "pretrain.flags"
    flags.check_same_run(arguments, flagfile)
    run.prepare(arguments.seed, arguments.precision)
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary), arguments.lowercase)
    model = build_model(arguments, tokenizer)
    train_data, eval_data = datasets(arguments, tokenizer, model.sentence_objective)
    output_dir.mkdir(parents=True, exist_ok=True)
    flags.write_flagfile(arguments, flagfile)
    keep_vocabulary(tokenizer.vocabulary, output_dir / "vocab.txt")
    rows, length = arguments.batch_size, arguments.sequence_length
    history = run.train(
        model,
        train_data,
        output_dir,
        arguments.num_steps,
        arguments.steps_per_epoch,
        eval_data,
        tokens_per_step=rows * length,
        flops_per_step=rows
        * kb.num_training_flops(model.encoder.config, length, arguments.max_predictions),
    )
    kb.save(model, output_dir, tokenizer)
    if eval_data is not None:
        print_results(history, kb.most_frequent_answers(eval_data), tokenizer)
    print(
        f"{arguments.num_steps:,} steps are done. In {output_dir}: the checkpoint, the curve "
        "loss.png, metrics.jsonl, tensorboard/, and the flags of this run in pretrain.flags.\n"
        f"Next: python -m train.predict --checkpoint={output_dir} --text='Text with a [MASK].'"
    )


def keep_vocabulary(vocabulary: tuple[str, ...], path: pathlib.Path) -> None:
    """Keeps the run's vocabulary, whose file may change while the run rests."""
    if path.exists() and kb.read_vocabulary(path) != vocabulary:
        raise ValueError(
            f"A run goes on with the vocabulary it began with, {path}, but --vocabulary now holds "
            "another one: give that file, or choose another output directory."
        )
    kb.write_vocabulary(path, vocabulary)


def build_model(arguments: Arguments, tokenizer: kb.Tokenizer) -> kb.BertPretrainer:
    """The compiled model, with new weights or those it is told to take."""
    objective = None if arguments.sentence_objective == "none" else arguments.sentence_objective
    config = dataclasses.replace(
        kb.BertConfig.preset(arguments.preset),
        vocabulary_size=tokenizer.vocabulary_size,
        positions=arguments.positions,
        norm_first=arguments.norm_first,
    )
    if arguments.sequence_length > config.max_sequence_length:
        raise ValueError(
            f"sequence_length must be at most the model's {config.max_sequence_length} positions, "
            f"not {arguments.sequence_length}: choose shorter rows."
        )
    model = kb.BertPretrainer(kb.BertEncoder(config), objective)
    if arguments.initial_checkpoint:
        take_weights(model, kb.load(arguments.initial_checkpoint), tokenizer)
    if arguments.word_vectors:
        ids, vectors = kb.read_word_vectors(arguments.word_vectors, tokenizer.vocabulary)
        model.encoder.embeddings.set_rows(
            ids, kb.fit_word_vectors(vectors, config.hidden_dim, config.initializer_range)
        )
        print(
            f"{len(ids):,} of {tokenizer.vocabulary_size:,} pieces start from their vector in "
            f"{arguments.word_vectors}, the others are drawn."
        )
    schedule = kb.Schedule(arguments.learning_rate, arguments.num_steps, arguments.warmup_steps)
    optimizer = kb.AdamW(
        schedule,
        beta_2=arguments.beta_2,
        clip_norm=arguments.clip_norm or None,
        bias_correction=arguments.bias_correction,
    )
    model.compile(
        optimizer,
        **model.objective(arguments.sentence_weight),
        num_micro_batches=arguments.num_micro_batches,
    )
    return model


def take_weights(
    model: kb.BertPretrainer, checkpoint: kb.Checkpoint, tokenizer: kb.Tokenizer
) -> None:
    """Starts a model from another run's weights, encoder and heads."""
    if checkpoint.config != model.encoder.config or (
        checkpoint.tokenizer.vocabulary != tokenizer.vocabulary
    ):
        raise ValueError(
            "initial_checkpoint must be of the same preset and vocabulary as this run, but its "
            f"config is {checkpoint.config}: give its --preset and --vocabulary."
        )
    same = getattr(checkpoint.model, "sentence_objective", None) == model.sentence_objective
    if checkpoint.model is not None and same:
        model.set_weights(checkpoint.model.get_weights())
    else:
        model.encoder.set_weights(checkpoint.encoder.get_weights())
        print("The heads are new: the initial checkpoint has none for this sentence objective.")


def datasets(arguments: Arguments, tokenizer: kb.Tokenizer, sentence_objective: str | None):
    """A function of the first step that gives the training data, and the held-out data or None."""
    packer = kb.Packer(tokenizer, arguments.sequence_length)
    rows = kb.PretrainingRows(packer, sentence_objective)
    masker = kb.Masker(tokenizer, arguments.mask_unit, max_predictions=arguments.max_predictions)
    if os.path.isdir(arguments.input_pattern):
        corpus = kb.TokenCorpus(arguments.input_pattern)
    else:
        corpus = kb.TextCorpus(arguments.input_pattern, arguments.documents)
    print(f"Training on {corpus.summary()}.")

    def train_data(first_step: int = 0):
        return kb.pretraining_dataset(
            corpus, rows, masker, arguments.batch_size, arguments.seed, first_step
        )

    train_data()  # What is wrong with the text shows here, before anything is written.
    if arguments.eval_pattern is None:
        return train_data, None
    held_out = kb.TextCorpus(arguments.eval_pattern, arguments.documents)
    print(f"Evaluating on {held_out.summary()}.")
    eval_data = kb.pretraining_dataset(held_out, rows, masker, arguments.batch_size, num_epochs=1)
    return train_data, eval_data.cache()


def print_results(
    history: dict[str, list[float]],
    most_frequent: dict[str, tuple[int, float]],
    tokenizer: kb.Tokenizer,
) -> None:
    """Held-out accuracy beside that of always giving the most frequent answer."""
    print("On held-out documents:")
    for name, (answer, share) in most_frequent.items():
        # A model with one output has no names in its logs.
        key = f"val_{name}_accuracy" if len(most_frequent) > 1 else "val_accuracy"
        constant = repr(tokenizer.vocabulary[answer]) if name == "masked_lm" else f"class {answer}"
        print(f"  {name} accuracy {history[key][-1]:.1%}; always {constant}: {share:.1%}")


if __name__ == "__main__":
    flags.run(main, Arguments)
