"""Pretraining from the first step on, beside transformers: held-out loss and wall time.

    pip install '.[peers]'
    python -m benchmarks.pretraining --vocabulary=vocab.txt --pattern='corpus/train/*.txt' \\
        --eval_pattern='corpus/eval/*.txt'

Our pretrainer and BertForPreTraining of the same size see the same masked rows in the same order,
with the same schedule, AdamW (bias correction, decay spares biases and norms), clipping and
dropout; each seed draws other weights, rows and masks. They take turns, one process each.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable

import keras
import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import in_processes, print_figure
from benchmarks.peers import torch_config, torch_inputs
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files to train on, one document each")
    eval_pattern: str = flags.required("held-out text files")
    vocabulary: str = flags.required("an uncased vocabulary file")
    preset: str = flags.flag("mini", "size of the models")
    num_seeds: int = flags.flag(3, "runs of each")
    num_steps: int = flags.flag(200, "updates of a run")
    num_eval_batches: int = flags.flag(20, "held-out batches")
    batch_size: int = flags.flag(32, "rows of a batch")
    sequence_length: int = flags.flag(128, "length of a row")
    max_predictions: int = flags.flag(20, "masked tokens of a row, at most")
    learning_rate: float = flags.flag(1e-3, "peak of the schedule")
    warmup_steps: int = flags.flag(20, "updates until the peak")


def main(arguments: Arguments) -> None:
    trainers = {"transformers": train_transformers, "keras_bert": train_keras_bert}
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in trainers}
    for seed in range(arguments.num_seeds):
        for name, train in trainers.items():
            with in_processes({name: (train, arguments, seed)}) as candidates:
                results[name].append(candidates[name]())
    seconds = {name: statistics.median(s for _, s in runs) for name, runs in results.items()}
    for name, runs in results.items():
        losses = [round(loss, 4) for loss, _ in runs]
        print_figure(
            f"pretraining/{arguments.preset}/{name}/held_out_masked_lm_loss",
            round(statistics.mean(losses), 4),
            "nats",
            of_each_seed=losses,
            num_steps=arguments.num_steps,
        )
        print_figure(
            f"pretraining/{arguments.preset}/{name}/wall_time",
            round(seconds[name], 1),
            "s",
            ratio=round(seconds[name] / seconds["transformers"], 3),
            num_steps=arguments.num_steps,
        )


def datasets(arguments: Arguments, seed: int) -> tuple[tf.data.Dataset, tf.data.Dataset, int]:
    """What is trained on, what is held out (for every seed the same), and the vocabulary's size."""
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
    rows = kb.PretrainingRows(kb.Packer(tokenizer, arguments.sequence_length))
    masker = kb.Masker(tokenizer, max_predictions=arguments.max_predictions)
    train, held_out = (
        kb.pretraining_dataset(
            kb.TextCorpus(pattern), rows, masker, arguments.batch_size, kb.Order(s)
        )
        for pattern, s in ((arguments.pattern, seed), (arguments.eval_pattern, 0))
    )
    held_out = held_out.take(arguments.num_eval_batches)
    return train.take(arguments.num_steps), held_out, tokenizer.vocabulary_size


def schedule(arguments: Arguments) -> kb.Schedule:
    return kb.Schedule(
        arguments.learning_rate, arguments.num_steps, warmup_steps=arguments.warmup_steps
    )


def train_keras_bert(arguments: Arguments, seed: int) -> Callable[[], tuple[float, float]]:
    """A function that gives the held-out loss and the seconds of training."""

    def run() -> tuple[float, float]:
        keras.utils.set_random_seed(seed)
        train, held_out, vocabulary_size = datasets(arguments, seed)
        config = kb.BertConfig.preset(arguments.preset)
        config = dataclasses.replace(config, vocabulary_size=vocabulary_size)
        model = kb.BertPretrainer(kb.BertEncoder(config))
        model.compile(kb.AdamW(schedule(arguments), bias_correction=True), **model.objective())
        start = time.perf_counter()
        model.fit(train, verbose=0)
        seconds = time.perf_counter() - start
        logs = model.evaluate(held_out, verbose=0, return_dict=True)
        return float(logs["masked_lm_loss"]), seconds

    return run


def train_transformers(arguments: Arguments, seed: int) -> Callable[[], tuple[float, float]]:
    """The same for BertForPreTraining."""

    def run() -> tuple[float, float]:
        train, held_out, vocabulary_size = datasets(arguments, seed)
        model = torch_pretrainer(arguments.preset, vocabulary_size, seed)
        seconds = torch_seconds(model, train, schedule(arguments))
        return held_out_loss(model.eval(), held_out), seconds

    return run


def torch_pretrainer(preset: str, vocabulary_size: int, seed: int):
    """A fresh BertForPreTraining that learns."""
    import torch
    import transformers

    config = torch_config(preset)
    config.vocab_size = vocabulary_size
    torch.manual_seed(seed)
    return transformers.BertForPreTraining(config).train()


def torch_seconds(model, batches: tf.data.Dataset, rate: kb.Schedule) -> float:
    """The seconds in which a model of PyTorch learns from batches, an update each."""
    import torch

    optimizer = torch.optim.AdamW(decayed(model), eps=1e-6)
    start = time.perf_counter()
    for step, (x, y, weights) in enumerate(batches.as_numpy_iterator()):
        for group in optimizer.param_groups:
            group["lr"] = float(rate(step))
        optimizer.zero_grad()
        model(**torch_batch(x, y, weights)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - start


def decayed(model) -> list[dict]:
    """Parameters in two groups: biases and layer norms are not decayed."""
    groups: dict[float, list] = {0.0: [], 0.01: []}
    for name, parameter in model.named_parameters():
        spared = name.endswith("bias") or "LayerNorm" in name
        groups[0.0 if spared else 0.01].append(parameter)
    return [{"params": group, "weight_decay": decay} for decay, group in groups.items()]


def torch_batch(x: dict, y: dict, weights: dict) -> dict:
    """A batch by the names of transformers, -100 where nothing is to be predicted."""
    import torch

    labels = torch.full(x["token_ids"].shape, -100)
    row, place = weights["masked_lm"].nonzero()
    labels[row, x["mask_positions"][row, place]] = torch.tensor(y["masked_lm"][row, place]).long()
    batch = {**torch_inputs(x), "labels": labels}
    if "next_sentence" in y:
        batch["next_sentence_label"] = torch.tensor(y["next_sentence"]).long()
    return batch


def held_out_loss(model, batches: tf.data.Dataset) -> float:
    """The mean over all predictions."""
    import torch

    total = count = 0.0
    with torch.inference_mode():
        for x, y, weights in batches.as_numpy_iterator():
            batch = torch_batch(x, y, weights)
            logits = model(**torch_inputs(x)).prediction_logits
            hidden = batch["labels"] >= 0
            losses = torch.nn.functional.cross_entropy(
                logits[hidden], batch["labels"][hidden], reduction="sum"
            )
            total, count = total + losses.item(), count + hidden.sum().item()
    return total / count


if __name__ == "__main__":
    flags.run(main, Arguments)
