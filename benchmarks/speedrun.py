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
import pathlib
import statistics
import time
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import in_processes, print_figure
from benchmarks.peers import torch_config
from benchmarks.pretraining import decayed, held_out_loss, torch_batch
from keras_bert import flags

EVAL_RATE = 0.15
# Updates that warm up, of a run's; points of a curve.
WARMUP_SHARE, NUM_POINTS = 0.1, 8


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a recipe has of its own; the rest is BERT's."""

    optimizer: type = kb.AdamW
    learning_rate: float = 1e-3
    norm_first: bool = False
    first_mask_rate: float = EVAL_RATE
    sentence_objective: str | None = "next_sentence"
    num_sequences: int = 1


RECIPES = {
    "bert": Recipe(),
    "higher_rate": Recipe(learning_rate=3e-3),
    "pre_norm": Recipe(norm_first=True, learning_rate=3e-3),
    "falling_mask_rate": Recipe(first_mask_rate=0.3),
    "sentence_order": Recipe(sentence_objective="sentence_order"),
    "full_sentences": Recipe(sentence_objective=None),
    "joined_rows": Recipe(sentence_objective=None, num_sequences=4),
    "muon": Recipe(optimizer=kb.Muon, learning_rate=3e-3),
    "muon_pre_norm": Recipe(optimizer=kb.Muon, norm_first=True, learning_rate=1e-2),
    "fast": Recipe(optimizer=kb.Muon, norm_first=True, learning_rate=1e-2, sentence_objective=None),
    "fast_falling_mask_rate": Recipe(
        optimizer=kb.Muon,
        norm_first=True,
        learning_rate=1e-2,
        sentence_objective=None,
        first_mask_rate=0.3,
    ),
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


def rows_of(arguments: Arguments, pattern: str, recipe: Recipe, masker: kb.Masker, seed: int):
    """Masked rows of texts, without end."""
    packer = kb.Packer(masker.tokenizer, arguments.sequence_length)
    rows = kb.PretrainingRows(packer, recipe.sentence_objective, num_sequences=recipe.num_sequences)
    corpus = kb.TextCorpus(pattern, arguments.documents)
    return kb.pretraining_dataset(corpus, rows, masker, arguments.batch_size, kb.Order(seed))


def held_out(arguments: Arguments) -> tf.data.Dataset:
    """What all are compared on: rows of full sentences, masked at one rate."""
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
    most = predictions(arguments, EVAL_RATE)
    masker = kb.Masker(tokenizer, rate=EVAL_RATE, max_predictions=most)
    rows = rows_of(arguments, arguments.eval_pattern, Recipe(sentence_objective=None), masker, 0)
    return rows.take(arguments.num_eval_batches).cache()


def predictions(arguments: Arguments, rate: float) -> int:
    return -int(-rate * arguments.sequence_length // 1)


def train_ours(arguments: Arguments, seed: int, name: str, num_steps: int):
    """A function that trains by a recipe, and gives its curve."""
    recipe = RECIPES[name]

    def run() -> list[Point]:
        keras.utils.set_random_seed(seed)
        tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
        rate = recipe.first_mask_rate
        masker = kb.Masker(
            tokenizer,
            rate=kb.Schedule(rate, num_steps, end=EVAL_RATE) if rate > EVAL_RATE else rate,
            max_predictions=predictions(arguments, rate),
        )
        train = rows_of(arguments, arguments.pattern, recipe, masker, seed).take(num_steps)
        config = dataclasses.replace(
            kb.BertConfig.preset(arguments.preset),
            vocabulary_size=tokenizer.vocabulary_size,
            norm_first=recipe.norm_first,
        )
        model = kb.BertPretrainer(
            kb.BertEncoder(config), recipe.sentence_objective, num_sequences=recipe.num_sequences
        )
        optimizer = recipe.optimizer(schedule(recipe, num_steps), bias_correction=True)
        model.compile(optimizer, **model.objective())
        curve = Curve(held_out(arguments), num_steps)
        model.fit(train, verbose=0, callbacks=[curve])
        return curve.points

    return run


def schedule(recipe: Recipe, num_steps: int) -> kb.Schedule:
    warmup_steps = round(WARMUP_SHARE * num_steps)
    return kb.Schedule(recipe.learning_rate, num_steps, warmup_steps=warmup_steps)


class Curve(keras.callbacks.Callback):
    """Held-out losses at points of a run, whose time does not count.

    Args:
        data: batches that are held out.
        num_steps: int, updates of the run.
    """

    def __init__(self, data: tf.data.Dataset, num_steps: int):
        super().__init__()
        self._data, self._num_steps, self._every = data, num_steps, max(1, num_steps // NUM_POINTS)
        self._losses = None
        self.points: list[Point] = []

    def on_train_begin(self, logs=None) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        step = batch + 1
        if step % self._every and step != self._num_steps:
            return
        at = time.perf_counter()
        self.points.append(Point(step, at - self._began, self._loss()))
        self._began += time.perf_counter() - at

    def _loss(self) -> float:
        """The mean over all predictions."""
        if self._losses is None:
            self._losses = tf.function(self._losses_of, autograph=False, reduce_retracing=True)
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
        import torch
        import transformers

        recipe, num_steps = RECIPES["bert"], arguments.num_steps
        tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
        masker = kb.Masker(tokenizer, max_predictions=predictions(arguments, EVAL_RATE))
        train = rows_of(arguments, arguments.pattern, recipe, masker, seed).take(num_steps)
        config = torch_config(arguments.preset)
        config.vocab_size = tokenizer.vocabulary_size
        torch.manual_seed(seed)
        model = transformers.BertForPreTraining(config).train()
        optimizer = torch.optim.AdamW(decayed(model), eps=1e-6)
        rate, start = schedule(recipe, num_steps), time.perf_counter()
        for step, (x, y, weights) in enumerate(train.as_numpy_iterator()):
            for group in optimizer.param_groups:
                group["lr"] = float(rate(step))
            optimizer.zero_grad()
            model(**torch_batch(x, y, weights)).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        seconds = time.perf_counter() - start
        loss = held_out_loss(model.eval(), held_out(arguments))
        return [Point(num_steps, seconds, loss)]

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
