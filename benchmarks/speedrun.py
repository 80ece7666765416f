"""How soon recipes of pretraining reach the held-out loss of transformers' BertForPreTraining.

    pip install '.[peers]'
    python -m benchmarks.speedrun --vocabulary=vocab.txt --pattern='corpus/train/*.txt' \\
        --eval_pattern='corpus/eval/*.txt'

The reference is BERT's own recipe by transformers: AdamW, next sentence, 15 % masked by word. Its
held-out masked-LM loss after all of its updates is the goal. A recipe runs with ever more updates
(`--shares` of the reference's, each with a schedule of its own length) until it is there; seconds
are those of training, with the time that graphs take. All are held out the same rows of full
sentences with the same masks, at 15 %, whatever they train with. `ratio` is our time divided by
the reference's.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import pathlib
import shutil
import statistics
import time
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import in_processes, print_figure
from benchmarks.pretraining import held_out_loss, torch_pretrainer, torch_seconds
from keras_bert import flags

EVAL_RATE = 0.15
# Updates that warm up, of a run's; points of a curve.
WARMUP_SHARE, NUM_POINTS = 0.1, 8


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a recipe has of its own; the rest is BERT's.

    `phases` are parts of the updates by what they see of a batch: shares of its rows and of their
    length. `average` is the decay of a mean of weights, which is what is held out, `z_loss` the
    weight of the squared logarithm of the softmax's denominator (Chowdhery et al. 2022).
    """

    optimizer: type = kb.AdamW
    learning_rate: float = 1e-3
    norm_first: bool = False
    positions: str = "learned"
    modern: bool = False
    first_mask_rate: float = EVAL_RATE
    sentence_objective: str | None = "next_sentence"
    num_sequences: int = 1
    phases: tuple[tuple[float, float], ...] = ((1, 1),)
    average: float | None = None
    z_loss: float = 0.0
    dropout: float = 0.1


PRE_NORM_MUON = Recipe(
    optimizer=kb.Muon, norm_first=True, learning_rate=1e-2, sentence_objective=None
)
FAST = dataclasses.replace(PRE_NORM_MUON, modern=True, dropout=0.0, first_mask_rate=0.3)
ROTARY = dataclasses.replace(FAST, modern=False, positions="rotary")
RECIPES = {
    # Each idea alone.
    "bert": Recipe(),
    "higher_rate": Recipe(learning_rate=3e-3),
    "pre_norm": Recipe(norm_first=True, learning_rate=3e-3),
    "no_dropout": Recipe(dropout=0.0),
    "falling_mask_rate": Recipe(first_mask_rate=0.3),
    "sentence_order": Recipe(sentence_objective="sentence_order"),
    "full_sentences": Recipe(sentence_objective=None),
    "joined_rows": Recipe(sentence_objective=None, num_sequences=4),
    "growing_rows": Recipe(phases=((1, 0.5), (1, 1))),
    "growing_batch": Recipe(phases=((0.25, 1), (0.5, 1), (1, 1))),
    "average": Recipe(average=0.99),
    "z_loss": Recipe(z_loss=1e-4),
    "rotary": Recipe(norm_first=True, positions="rotary", sentence_objective=None, dropout=0.0),
    "gated_rotary": Recipe(modern=True, sentence_objective=None, dropout=0.0),
    "muon": Recipe(optimizer=kb.Muon, learning_rate=3e-3),
    # Those that go together.
    "muon_pre_norm": PRE_NORM_MUON,
    "muon_no_dropout": dataclasses.replace(PRE_NORM_MUON, dropout=0.0),
    "muon_rotary": dataclasses.replace(ROTARY, first_mask_rate=EVAL_RATE),
    "muon_gated_rotary": dataclasses.replace(FAST, first_mask_rate=EVAL_RATE),
    "fast_rotary": ROTARY,
    "fast": FAST,
    "fast_higher_rate": dataclasses.replace(FAST, learning_rate=2e-2),
    "fast_small_batch": dataclasses.replace(FAST, phases=((0.5, 1),)),
    "fast_growing_rows": dataclasses.replace(FAST, phases=((1, 0.5), (1, 1))),
    "fast_average": dataclasses.replace(FAST, average=0.99),
}


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files to train on, as --documents says")
    eval_pattern: str = flags.required("held-out text files")
    vocabulary: str = flags.required("an uncased vocabulary file")
    documents: str = flags.flag("files", "what is one document: files or blank_lines")
    preset: str = flags.flag("mini", "size of the models")
    recipes: tuple[str, ...] = flags.flag(tuple(RECIPES), "those to run")
    shares: tuple[str, ...] = flags.flag(
        ("0.0625", "0.09", "0.125", "0.18", "0.25", "0.5", "1"),
        "of the reference's updates, that are tried",
    )
    num_seeds: int = flags.flag(3, "runs of each")
    num_steps: int = flags.flag(1500, "updates of the reference")
    num_eval_batches: int = flags.flag(20, "held-out batches")
    batch_size: int = flags.flag(32, "rows of a batch")
    sequence_length: int = flags.flag(64, "length of a row")
    picture: str | None = flags.flag(None, "file that gets the curves, .png")
    output_dir: str | None = flags.flag(None, "directory that gets a checkpoint of each run")


@dataclasses.dataclass(frozen=True)
class Point:
    """Where a run is: held-out loss after updates and seconds of training."""

    step: int
    seconds: float
    loss: float


def main(arguments: Arguments) -> None:
    seeds = range(arguments.num_seeds)
    reference = [one_run(train_transformers, arguments, seed) for seed in seeds]
    goal = statistics.mean(curve[-1].loss for curve in reference)
    seconds = statistics.median(curve[-1].seconds for curve in reference)
    told(arguments, "transformers", reference, seconds)
    curves = {"transformers": reference[0]}
    for name in arguments.recipes:
        for share in arguments.shares:
            num_steps = round(float(share) * arguments.num_steps)
            runs = [one_run(train_ours, arguments, seed, name, num_steps) for seed in seeds]
            curves[name] = runs[0]
            if statistics.mean(curve[-1].loss for curve in runs) <= goal:
                break
        told(arguments, name, runs, seconds, goal=round(goal, 4))
    if arguments.picture:
        draw(curves, goal, pathlib.Path(arguments.picture))


def one_run(train: Callable, *given) -> list[Point]:
    """The curve of a run, in a process of its own."""
    with in_processes({"run": (train, *given)}) as candidates:
        return candidates["run"]()


def told(
    arguments: Arguments, name: str, runs: Sequence[Sequence[Point]], seconds: float, **details
) -> None:
    """Prints where a recipe came to, beside the seconds of the reference."""
    ends = [curve[-1] for curve in runs]
    own = statistics.median(end.seconds for end in ends)
    print_figure(
        f"speedrun/{arguments.preset}/{name}",
        ends[0].step,
        "updates",
        seconds=round(own, 1),
        ratio=round(own / seconds, 3),
        held_out_masked_lm_loss=round(statistics.mean(end.loss for end in ends), 4),
        of_each_seed=[round(end.loss, 4) for end in ends],
        **details,
    )


def batches_of(
    arguments: Arguments, recipe: Recipe, tokenizer: kb.Tokenizer, seed: int, num_steps: int
) -> tf.data.Dataset:
    """The masked batches of a run, phase after phase."""
    number, phases = len(recipe.phases), []
    for place, (share_of_rows, share_of_length) in enumerate(recipe.phases):
        length = round(share_of_length * arguments.sequence_length)
        phase = kb.pretraining_dataset(
            kb.TextCorpus(arguments.pattern, arguments.documents),
            kb.PretrainingRows(
                kb.Packer(tokenizer, length),
                recipe.sentence_objective,
                num_sequences=recipe.num_sequences,
            ),
            masker_of(recipe, tokenizer, length, num_steps),
            round(share_of_rows * arguments.batch_size),
            kb.Order(seed, epoch=place),
        )
        phases.append(phase.take(num_steps * (place + 1) // number - num_steps * place // number))
    return functools.reduce(tf.data.Dataset.concatenate, phases)


def masker_of(recipe: Recipe, tokenizer: kb.Tokenizer, length: int, num_steps: int) -> kb.Masker:
    """What hides tokens of rows of a length."""
    rate = recipe.first_mask_rate
    return kb.Masker(
        tokenizer,
        rate=kb.Schedule(rate, num_steps, end=EVAL_RATE) if rate > EVAL_RATE else rate,
        max_predictions=math.ceil(rate * length),
    )


def held_out(arguments: Arguments) -> tf.data.Dataset:
    """What all are compared on: rows of full sentences, masked at one rate."""
    of_eval = dataclasses.replace(arguments, pattern=arguments.eval_pattern)
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
    recipe = Recipe(sentence_objective=None)
    return batches_of(of_eval, recipe, tokenizer, 0, arguments.num_eval_batches).cache()


def pretrainer_of(arguments: Arguments, recipe: Recipe, vocabulary_size: int) -> kb.BertPretrainer:
    """The model that a recipe trains."""
    config = kb.BertConfig.preset(arguments.preset)
    if recipe.modern:
        encoder = kb.ModernBertEncoder(
            kb.ModernBertConfig(
                vocabulary_size=vocabulary_size,
                hidden_dim=config.hidden_dim,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
                # Three matrices in place of two: as many weights.
                intermediate_dim=config.intermediate_dim * 2 // 3,
                dropout=recipe.dropout,
                attention_dropout=recipe.dropout,
            )
        )
    else:
        encoder = kb.BertEncoder(
            dataclasses.replace(
                config,
                vocabulary_size=vocabulary_size,
                norm_first=recipe.norm_first,
                positions=recipe.positions,
                dropout=recipe.dropout,
                attention_dropout=recipe.dropout,
            )
        )
    return kb.BertPretrainer(encoder, recipe.sentence_objective, num_sequences=recipe.num_sequences)


def train_ours(arguments: Arguments, seed: int, name: str, num_steps: int):
    """A function that trains by a recipe, and gives its curve."""
    recipe = RECIPES[name]

    def run() -> list[Point]:
        keras.utils.set_random_seed(seed)
        tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
        train = batches_of(arguments, recipe, tokenizer, seed, num_steps)
        model = pretrainer_of(arguments, recipe, tokenizer.vocabulary_size)
        objective = model.objective()
        if recipe.z_loss:
            objective["loss"]["masked_lm"] = WithZLoss(recipe.z_loss)
        optimizer = recipe.optimizer(schedule(recipe, num_steps), bias_correction=True)
        model.compile(optimizer, **objective)
        curve = Curve(held_out(arguments), num_steps, recipe.average)
        model.fit(train, verbose=0, callbacks=[curve])
        if arguments.output_dir:
            kb.save(model, checkpoint_of(arguments.output_dir, name, num_steps, seed), tokenizer)
        return curve.points

    return run


def checkpoint_of(output_dir: str, name: str, num_steps: int, seed: int) -> pathlib.Path:
    """Where the checkpoint of a run is written to, to be fine-tuned."""
    return pathlib.Path(output_dir) / f"{name}-{num_steps}-{seed}"


class WithZLoss(keras.losses.Loss):
    """Cross-entropy, and the square of the logarithm of the softmax's denominator."""

    def __init__(self, weight: float):
        super().__init__(reduction="sum")
        self._weight = weight

    def call(self, y_true, y_pred):
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        return losses + self._weight * tf.reduce_logsumexp(y_pred, -1) ** 2


def schedule(recipe: Recipe, num_steps: int) -> kb.Schedule:
    warmup_steps = round(WARMUP_SHARE * num_steps)
    return kb.Schedule(recipe.learning_rate, num_steps, warmup_steps=warmup_steps)


class Curve(keras.callbacks.Callback):
    """Held-out losses at points of a run, whose time does not count.

    Args:
        data: batches that are held out.
        num_steps: int, updates of the run.
        average: float, the decay of a mean of the weights that is held out in their place.
    """

    def __init__(self, data: tf.data.Dataset, num_steps: int, average: float | None = None):
        super().__init__()
        self._data, self._num_steps, self._every = data, num_steps, max(1, num_steps // NUM_POINTS)
        self._decay = average
        self._means: list[tf.Variable] = []
        self._follow = tf.function(self._followed, autograph=False)
        self._losses = tf.function(self._losses_of, autograph=False, reduce_retracing=True)
        self.points: list[Point] = []

    def on_train_begin(self, logs=None) -> None:
        if self._decay:
            self._means = [tf.Variable(weight.value) for weight in self.model.weights]
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        step = batch + 1
        if self._decay:  # of the last updates alone, while there are few
            self._follow(tf.constant(min(self._decay, step / (step + 10)), tf.float32))
        if step % self._every and step != self._num_steps:
            return
        at = time.perf_counter()
        self._exchange()
        self.points.append(Point(step, at - self._began, self._loss()))
        if step != self._num_steps:  # what was held out is what is saved
            self._exchange()
        self._began += time.perf_counter() - at

    def _followed(self, decay: tf.Tensor) -> None:
        for mean, weight in zip(self._means, self.model.weights, strict=True):
            mean.assign_sub((1 - decay) * (mean - weight.value))

    def _exchange(self) -> None:
        """Puts the means in the place of the weights, and back."""
        for mean, weight in zip(
            self._means, self.model.weights if self._means else (), strict=True
        ):
            kept = tf.identity(weight.value)
            weight.assign(mean)
            mean.assign(kept)

    def _loss(self) -> float:
        """The mean over all predictions."""
        total = count = 0.0
        for batch in self._data:
            one, weight = self._losses(batch)
            total, count = total + float(one), count + float(weight)
        return total / count

    def _losses_of(self, batch: tuple[dict, dict, dict]) -> tuple[tf.Tensor, tf.Tensor]:
        x, y, weights = batch
        logits = self.model(x, training=False)["masked_lm"]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y["masked_lm"], logits)
        return tf.reduce_sum(losses * weights["masked_lm"]), tf.reduce_sum(weights["masked_lm"])


def train_transformers(arguments: Arguments, seed: int) -> Callable[[], list[Point]]:
    """The same for BertForPreTraining by BERT's recipe."""

    def run() -> list[Point]:
        recipe, num_steps = RECIPES["bert"], arguments.num_steps
        tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
        model = torch_pretrainer(arguments.preset, tokenizer.vocabulary_size, seed)
        batches = batches_of(arguments, recipe, tokenizer, seed, num_steps)
        seconds = torch_seconds(model, batches, schedule(recipe, num_steps))
        if arguments.output_dir:
            folder = checkpoint_of(arguments.output_dir, "transformers", num_steps, seed)
            model.save_pretrained(folder)
            shutil.copy(arguments.vocabulary, folder / "vocab.txt")
        return [Point(num_steps, seconds, held_out_loss(model.eval(), held_out(arguments)))]

    return run


def draw(curves: dict[str, list[Point]], goal: float, path: pathlib.Path) -> None:
    """Held-out loss over seconds of training, a line a recipe."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, points in curves.items():
        line = [(point.seconds, point.loss) for point in points]
        axes.plot(*zip(*line, strict=True), marker="o", markersize=3, label=name.replace("_", " "))
    axes.axhline(goal, color="black", linewidth=0.8, linestyle="--")
    axes.set(
        xlabel="seconds of training",
        xscale="log",
        ylabel="held-out masked-LM loss (nats)",
        title="To the loss of transformers' whole run (dashed)",
    )
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    flags.run(main, Arguments)
