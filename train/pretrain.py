"""Pretrains a BERT on text files; run again, it resumes.

keras-bert pretrain --input_pattern='texts/*.txt' --vocabulary=vocab.txt --output_dir=bert
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras_bert as kb
from keras_bert import flags

from .devices import Devices, in_scope
from .examples import given_flags, split
from .pretraining import Model, Rows, Texts, Updates, check_objective, check_taught, shares
from .teaching import Taught, check_teaching, lesson_of, teachers

if TYPE_CHECKING:
    import tensorflow as tf

KIND = "pretraining"
# Updates until the peak where no flag says it: so many, or a tenth of a short run.
WARMUP_STEPS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Texts, Model, Rows, Updates, Taught, Devices):
    """The run."""

    output_dir: str = flags.required("directory of this run and its checkpoint")
    steps_per_epoch: int = flags.flag(1000, "updates between two checkpoints and evaluations")
    data_service: str | None = flags.flag_of_machine(
        None, "host:port of data workers that make the batches, with commas between them"
    )
    save_every: int | None = flags.flag_of_machine(
        None, "updates between two checkpoints within an epoch; else at its end alone"
    )
    log_every: int | None = flags.flag_of_machine(
        None, "updates between two lines of progress; else a tenth of an epoch, at most 50"
    )


def main(arguments: Arguments) -> None:
    check(arguments)
    training = kb.training
    with (
        in_scope(arguments),
        training.run_directory(KIND, arguments) as output_dir,
        kb.pretraining.damage_named(arguments.input_pattern, arguments.documents),
        training.data_service.watched(split(arguments.data_service) or ()),
    ):
        training.prepare(arguments.seed, arguments.precision)
        taught_by = {directory: kb.load(directory) for directory in teachers(arguments)}
        checkpoint = starting_point(arguments, taught_by)
        model = build_model(arguments, checkpoint, taught_by)
        learner = learner_of(arguments, model, checkpoint.tokenizer, taught_by)
        pairs = getattr(model, "sentence_objective", None)
        train_data, eval_data = datasets(arguments, checkpoint.tokenizer, pairs)
        has_begun = training.has_begun(output_dir)
        if has_begun:
            kb.pretraining.check_pieces(output_dir, checkpoint.tokenizer)
        training.begin(KIND, arguments, output_dir)
        if not has_begun:
            write_pieces = kb.pretraining.write_pieces
            training.by_chief(lambda: write_pieces(output_dir, checkpoint.tokenizer))
        rows, length = arguments.batch_size, arguments.sequence_length
        flops = flops_of_a_row(learner, length, arguments.max_predictions)
        history = training.train(
            learner,
            train_data,
            output_dir,
            epochs_of(arguments),
            validation_data=eval_data,
            callbacks=[
                training.Throughput(tokens_per_step=rows * length, flops_per_step=rows * flops)
            ],
        )
        training.by_chief(lambda: kb.save(model, output_dir, checkpoint.tokenizer))
        training.by_chief(lambda: tell(arguments, checkpoint.tokenizer, eval_data, history))


def tell(
    arguments: Arguments,
    tokenizer: kb.text.subwords.SubwordTokenizer,
    eval_data: tf.data.Dataset | None,
    history: Mapping[str, Sequence[float]],
) -> None:
    """Says what was reached, where it is, and what to do next."""
    if eval_data is not None:
        print("On held-out documents:")
        most_frequent = kb.most_frequent_answers(eval_data)
        for line in kb.pretraining.beside_baseline(history, most_frequent, tokenizer.vocabulary):
            print(f"  {line}")
    folder = arguments.output_dir
    filler = folder
    if arguments.objective == "replaced_tokens":
        filler = f"{folder}/generator"
        print(
            f"What is fine-tuned is the detector, in {folder}; what fills blanks is the generator, "
            f"in {filler}."
        )
    print(
        f"{arguments.num_steps:,} steps are done. In {folder}: the checkpoint, the curve "
        "loss.png, metrics.jsonl, tensorboard/, and the flags of this run in pretrain.flags.\n"
        f"Next: keras-bert predict --checkpoint={filler} --text='Text with a "
        f"{tokenizer.mask_token}.'"
    )


def check(arguments: Arguments) -> None:
    """Refuses flags that do not fit each other.

    Raises:
        ValueError: the message names the flags.
    """
    number = arguments.num_shards
    if number < 1 or arguments.batch_size % number:
        raise ValueError(
            f"--batch_size must be a multiple of --num_shards, but is {arguments.batch_size} for "
            f"{number} shards: choose others."
        )
    if arguments.extend_vocabulary and not arguments.initial_checkpoint:
        raise ValueError(
            "--extend_vocabulary adds to the vocabulary of --initial_checkpoint, which is not "
            "given: give it, or learn a vocabulary of that size."
        )
    if arguments.num_layers is not None and arguments.num_layers < 1:
        raise ValueError(f"--num_layers must be at least 1, not {arguments.num_layers}.")
    check_objective(arguments, arguments)
    check_teaching(arguments, given_flags(arguments))
    if arguments.teacher:
        check_taught(arguments, arguments, arguments)
    epochs_of(arguments)


def epochs_of(arguments: Arguments) -> kb.training.Epochs:
    """The steps of the run, and after which of them something is done."""
    names = ("num_steps", "steps_per_epoch", "save_every", "log_every")
    return kb.training.Epochs(**{name: getattr(arguments, name) for name in names})


def start_of(arguments: Arguments) -> str | None:
    """The checkpoint to start from, or None for new weights."""
    others = () if arguments.preset else teachers(arguments)
    return arguments.initial_checkpoint or next(iter(others), None)


def starting_point(
    arguments: Arguments, taught_by: Mapping[str, kb.Checkpoint] | None = None
) -> kb.Checkpoint:
    """The checkpoint to go on from, that of a teacher perhaps, or one with new weights."""
    source = start_of(arguments)
    if source:
        checkpoint = kb.load(source, arguments.dropout)
        fields, vocabulary = wanted(arguments), None
        if arguments.vocabulary:
            vocabulary = kb.read_tokenizer(arguments.vocabulary).settings()["vocabulary"]
        kb.pretraining.check_same(checkpoint, fields, source, vocabulary)
    else:
        checkpoint = new_checkpoint(arguments, taught_by or {})
    if arguments.num_layers:
        checkpoint = kb.pretraining.shortened(checkpoint, arguments.num_layers)
    if arguments.objective == "replaced_tokens":
        checkpoint, told = kb.pretraining.with_generator(
            checkpoint, arguments.initial_checkpoint or None, arguments.generator_share
        )
        print(told)
    if arguments.extend_vocabulary:
        checkpoint = with_more_pieces(arguments, checkpoint, arguments.extend_vocabulary)
    most = checkpoint.config.max_sequence_length
    if arguments.sequence_length > most:
        raise ValueError(
            f"sequence_length must be at most the model's {most} positions, not "
            f"{arguments.sequence_length}: choose shorter rows."
        )
    return checkpoint


def wanted(arguments: Arguments) -> dict[str, Any]:
    """What the flags say that a checkpoint must agree with."""
    fields = {name: getattr(arguments, name) for name in ("positions", "norm_first", "lowercase")}
    if arguments.preset:
        size = kb.pretraining.preset_of(arguments.preset)
        sizes = ("num_layers", "num_heads", "hidden_dim", "intermediate_dim")
        fields |= {name: getattr(size, name) for name in sizes}
        fields["family"] = kb.pretraining.family_name(size)
    return fields


def with_more_pieces(arguments: Arguments, checkpoint: kb.Checkpoint, source: str) -> kb.Checkpoint:
    """The checkpoint with the pieces of a source, --extend_vocabulary; says which."""
    pattern, first = arguments.input_pattern, checkpoint.tokenizer.vocabulary_size
    lines = None
    if not kb.TokenCorpus.is_in(pattern):
        lines = kb.TextCorpus(pattern, arguments.documents).lines()
    checkpoint = kb.pretraining.extended(checkpoint, source, lines)
    pieces = checkpoint.tokenizer.vocabulary[first:]
    some = ", ".join(pieces[:10]) + (", ..." if len(pieces) > 10 else "")
    print(f"{len(pieces):,} new pieces behind the {first:,} of the checkpoint: {some}.")
    return checkpoint


def new_checkpoint(arguments: Arguments, taught_by: Mapping[str, kb.Checkpoint]) -> kb.Checkpoint:
    """An encoder with fresh weights, of the size and vocabulary of the flags, or a teacher's."""
    if arguments.vocabulary:
        tokenizer = kb.read_tokenizer(arguments.vocabulary, arguments.lowercase)
    elif taught_by:
        tokenizer = next(iter(taught_by.values())).tokenizer
    else:
        raise ValueError(
            "Give --vocabulary, as keras-bert learn-vocabulary writes it, or --initial_checkpoint "
            "to go on from a model with its own."
        )
    said = {name: getattr(arguments, name) for name in ("positions", "norm_first")}
    changes = {name: value for name, value in said.items() if value is not None}
    preset = arguments.preset
    if preset is None and arguments.objective == "replaced_tokens":
        preset = "electra_base"
    return kb.pretraining.fresh(tokenizer, preset, changes, arguments.dropout)


def flops_of_a_row(
    model: kb.BertPretrainer | kb.ReplacedTokenPretrainer | kb.PretrainingStudent,
    length: int,
    num_predictions: int,
) -> int:
    """Operations of an update on one row."""
    if isinstance(model, kb.PretrainingStudent):
        return kb.pretraining.taught_flops(model, length, num_predictions)
    if isinstance(model, kb.ReplacedTokenPretrainer):
        return kb.pretraining.detection_flops(model, length, num_predictions)
    return kb.num_training_flops(model.encoder.config, length, num_predictions)


def build_model(
    arguments: Arguments,
    checkpoint: kb.Checkpoint,
    taught_by: Mapping[str, kb.Checkpoint] | None = None,
) -> kb.BertPretrainer | kb.ReplacedTokenPretrainer:
    """The compiled model over a checkpoint's encoder, with those of its heads that it wants."""
    encoder, tokenizer = checkpoint.encoder, checkpoint.tokenizer
    encoder.recompute = arguments.recompute
    model: kb.BertPretrainer | kb.ReplacedTokenPretrainer
    if isinstance(checkpoint.model, kb.ReplacedTokenPretrainer):
        model, weight = checkpoint.model, arguments.detection_weight
        model.generator.encoder.recompute = arguments.recompute
    else:
        pairs = kb.pretraining.sentence_objective(arguments.sentence_objective, encoder)
        model = kb.BertPretrainer(encoder, pairs, num_sequences=arguments.num_sequences)
        weight, told = arguments.sentence_weight, kb.pretraining.take_known_heads(model, checkpoint)
        if start_of(arguments):
            print(told)
        elif taught_by:
            taken, trained = kb.pretraining.take_alike(model, next(iter(taught_by.values())))
            print(f"{taken:,} of {trained:,} numbers are the teacher's, all others are new.")
    if arguments.word_vectors:
        print(kb.pretraining.take_word_vectors(encoder, tokenizer, arguments.word_vectors))
    model.compile(
        optimizer_of(arguments),
        **model.objective(weight),
        num_micro_batches=arguments.num_micro_batches,
    )
    return model


def learner_of(
    arguments: Arguments,
    model: kb.BertPretrainer | kb.ReplacedTokenPretrainer,
    tokenizer: kb.text.subwords.SubwordTokenizer,
    taught_by: Mapping[str, kb.Checkpoint],
) -> kb.BertPretrainer | kb.ReplacedTokenPretrainer | kb.PretrainingStudent:
    """What is trained: the model, or with teachers a compiled student on its layers."""
    if not taught_by:
        return model
    packer = kb.Packer(tokenizer, arguments.sequence_length)
    lesson = lesson_of(arguments, has_labels=True)
    student = kb.pretraining.student_of(model, packer, taught_by, lesson)
    student.compile(
        optimizer_of(arguments),
        **student.objective(arguments.sentence_weight),
        num_micro_batches=arguments.num_micro_batches,
    )
    print(f"Taught by {', '.join(taught_by)}: {', '.join(lesson.of)}.")
    return student


def optimizer_of(arguments: Updates) -> kb.AdamW | kb.Lamb | kb.Muon:
    """The optimizer, with its schedule."""
    warmup_steps = arguments.warmup_steps
    if warmup_steps is None:
        warmup_steps = min(WARMUP_STEPS, arguments.num_steps // 10)
    schedule = kb.Schedule(arguments.learning_rate, arguments.num_steps, warmup_steps=warmup_steps)
    options = {"beta_2": arguments.beta_2, "clip_norm": arguments.clip_norm or None}
    if arguments.optimizer == "adamw":  # The others always correct the bias.
        options["bias_correction"] = arguments.bias_correction
    kinds = {"adamw": kb.AdamW, "lamb": kb.Lamb, "muon": kb.Muon}
    return kinds[arguments.optimizer](schedule, **options)


def datasets(
    arguments: Arguments,
    tokenizer: kb.text.subwords.SubwordTokenizer,
    sentence_objective: str | None,
):
    """The shards of the training data, and the held-out data or None."""
    packer = kb.Packer(tokenizer, arguments.sequence_length)
    rows = kb.PretrainingRows(packer, sentence_objective, num_sequences=arguments.num_sequences)
    masker, eval_masker = maskers(arguments, tokenizer)
    corpus: kb.TokenCorpus | kb.TextCorpus
    if kb.TokenCorpus.is_in(arguments.input_pattern):
        corpus = kb.TokenCorpus(arguments.input_pattern)
    else:
        corpus = kb.TextCorpus(arguments.input_pattern, arguments.documents)
    print(f"Training on {corpus.summary()}.")

    number, has_draws = arguments.num_shards, arguments.objective == "replaced_tokens"

    def train_data(first_step: int, shard: int):
        order = kb.Order(arguments.seed, shard=(shard, number))
        batch_size = arguments.batch_size // number
        batches = kb.pretraining_dataset(
            corpus, rows, masker, batch_size, order, first_step=first_step
        )
        return kb.with_draws(batches, order, first_step=first_step) if has_draws else batches

    train_data(0, 0)  # What is wrong with the text shows here, before anything is written.
    shards = kb.training.Shards(train_data, number)
    if arguments.data_service:
        shards = made_elsewhere(arguments, corpus, shards)
    if arguments.eval_pattern is None:
        return shards, None
    held_out = kb.TextCorpus(arguments.eval_pattern, arguments.documents)
    print(f"Evaluating on {held_out.summary()}.")
    eval_data = kb.pretraining_dataset(
        held_out, rows, eval_masker, arguments.batch_size, num_epochs=1
    )
    return shards, (kb.with_draws(eval_data) if has_draws else eval_data).cache()


def maskers(
    arguments: Arguments, tokenizer: kb.text.subwords.SubwordTokenizer
) -> tuple[kb.Masker, kb.Masker]:
    """What hides tokens in training, and in evaluation: at the rate of the last step."""
    first, final = arguments.mask_rate, arguments.final_mask_rate
    rates = (first, first)
    if final is not None:
        rates = (kb.Schedule(first, arguments.num_steps, end=final), final)
    options: dict[str, Any] = {"max_predictions": arguments.max_predictions, **shares(arguments)}
    training, evaluation = (
        kb.Masker(tokenizer, arguments.mask_unit, rate, **options) for rate in rates
    )
    return training, evaluation


def made_elsewhere(
    arguments: Arguments, corpus: kb.TextCorpus | kb.TokenCorpus, shards: kb.training.Shards
) -> kb.training.Shards:
    """The shards, made by data workers; refuses text that these cannot read."""
    if isinstance(corpus, kb.TextCorpus) and not corpus.is_plain:
        raise ValueError(
            "Data workers read plain text, and token corpora, but --input_pattern has files of "
            "other forms: write them as a token corpus first, by keras-bert write-token-corpus."
        )
    addresses = split(arguments.data_service) or ()
    return kb.training.data_service.made_by(shards, addresses, arguments.start_timeout)


if __name__ == "__main__":
    flags.run(main, Arguments)
