"""Trained on two devices, everything is what it is on one."""

import contextlib
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.training import strategies
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.replicas import Worker, worker_of
from keras_bert.training.strategies import devices

WORDS = ["the", "quick", "brown", "fox", "jump", "over", "lazy", "dog", "fine", "film"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four files of ten documents."""
    folder, draw = tmp_path_factory.mktemp("corpus"), np.random.default_rng(1).choice
    for name in "abcd":
        lines = (f"{' '.join(draw(WORDS, 7))}.\n" + "\n" * (i % 9 == 8) for i in range(90))
        (folder / f"{name}.txt").write_text("".join(lines))
    return kb.TextCorpus(str(folder / "*.txt"), "blank_lines")


def small(tokenizer, dropout=0.0):
    """An encoder of one block."""
    config = kb.BertConfig(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=31,
        max_sequence_length=16,
        dropout=dropout,
        attention_dropout=dropout,
    )
    return kb.BertEncoder(config)


def optimizer():
    """Clips always, and decays some variables."""
    return kb.AdamW(kb.Schedule(1e-2, 8, warmup_steps=1), clip_norm=0.1)


class BatchLosses(keras.callbacks.Callback):
    """The loss that is shown after each step."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


def first_row(*batch):
    return tf.nest.map_structure(lambda rows: rows[:1], batch)


def pretrain(scope, corpus, tokenizer, folder):
    """Pretrains by the pipeline as it is, from two shards; the last held-out batch has one row."""
    rows = kb.PretrainingRows(kb.Packer(tokenizer, 16))
    masker = kb.Masker(tokenizer, max_predictions=5)

    def shard(step, index):
        order = kb.Order(3, shard=(index, 2))
        return kb.pretraining_dataset(corpus, rows, masker, 4, order, first_step=step)

    held_out = kb.pretraining_dataset(corpus, rows, masker, 9, num_epochs=1)
    held_out = held_out.take(2).concatenate(held_out.take(1).map(first_row))
    losses = BatchLosses()
    with scope:
        keras.utils.set_random_seed(1)
        model = kb.BertPretrainer(small(tokenizer), "next_sentence")
        model.compile(optimizer(), **model.objective(0.7), num_micro_batches=2)
        history = kb.training.train(
            model,
            kb.training.Shards(shard, 2),
            folder,
            kb.training.Epochs(num_steps=8, steps_per_epoch=4),
            validation_data=held_out,
            callbacks=[losses],
            verbose=0,
        )
    return model, {**history, "of batches": losses.losses}


def test_pretraining_on_two_devices_is_that_on_one(two_devices, corpus, tokenizer, tmp_path):
    one, expected = pretrain(contextlib.nullcontext(), corpus, tokenizer, tmp_path / "one")
    two, history = pretrain(two_devices.scope(), corpus, tokenizer, tmp_path / "two")
    assert len(history["of batches"]) == 8
    for name in set(expected) - {"seconds"}:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5, err_msg=name)
    for weight, wanted in zip(two.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_allclose(weight, wanted, atol=1e-5)
    for variable in two.trainable_variables:
        np.testing.assert_array_equal(*two_devices.experimental_local_results(variable.value))
    with contextlib.nullcontext():  # what was saved on two devices goes on on one
        checkpoint = TrainingCheckpoint(tmp_path / "two" / "checkpoints", one)
        assert checkpoint.restore() == 8
    for weight, wanted in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, wanted)


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"steps_per_execution": 2}])
def test_what_fails_on_several_devices_is_refused(two_devices, tokenizer, options):
    with two_devices.scope():
        model = kb.BertPretrainer(small(tokenizer), None)
        with pytest.raises(ValueError, match="On several replicas"):
            model.compile(optimizer(), **model.objective(), **options)


def test_what_was_built_outside_of_the_scope_is_refused(two_devices, tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse")
    with two_devices.scope(), pytest.raises(ValueError, match="was built outside"):
        kb.training.train(model, None, tmp_path, kb.training.Epochs(num_steps=1, steps_per_epoch=1))


def named(cluster, job="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "must be JSON"),
        (named({"worker": ["a:1", "a:1"]}), "must differ"),
        (named({"worker": ["a:1", "b:2"]}, index=2), "must be one of its cluster"),
        (named({"worker": ["a:1"], "ps": ["b:2"]}), "names ps"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=message), devices():
        pass


@pytest.mark.parametrize(("name", "message"), [("two", "must be one of"), ("multi_worker", "know")])
def test_a_strategy_without_what_it_needs_is_refused(monkeypatch, name, message):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=message), devices(name):
        pass


def test_one_worker_alone_is_no_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", named({"worker": ["a:1"]}))
    with devices() as strategy:
        assert strategy is tf.distribute.get_strategy()


def test_what_srun_starts_knows_its_place(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n[9-10]")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "1(x2)")
    with monkeypatch.context() as patch:
        patch.setattr(strategies.os, "environ", dict(os.environ))
        resolver = strategies._resolver()
        assert worker_of(resolver) == Worker(1, 2)
        assert strategies._addresses(resolver) == ["n9:8888", "n10:8888"]
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n9")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "1")
    assert strategies._resolver() is None
