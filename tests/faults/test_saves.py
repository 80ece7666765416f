"""Killed or without room while they save, a run and a model are what they were, or what they are.

The processes here are forked from one that has TensorFlow imported, as importing takes longest.
"""

import contextlib
import functools
import os
import random
import signal
import time

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert import files
from keras_bert.training.checkpointing import TrainingCheckpoint

pytestmark = pytest.mark.faults
ROUNDS, ROUNDS_OF_MODELS = 100, 20
# A save takes about 50 ms: most kills come within one.
LONGEST_MS = 150


def run_that_saves(folder, pipe):
    """Goes on with a run whose weights are its step, and saves it again and again."""
    model = keras.Sequential([keras.Input((600,)), keras.layers.Dense(500)])
    model.compile(kb.AdamW(0.1), loss="mse")
    checkpoint = TrainingCheckpoint(folder, model)
    step = checkpoint.restore() or 0
    weights = model.get_weights()
    pipe.send((step, [float(np.min(weights[0])), float(np.max(weights[0]))] if step else [0, 0]))
    while True:
        step += 1
        model.set_weights([np.full_like(weight, step) for weight in weights])
        model.optimizer.iterations.assign(step)
        checkpoint.save()
        pipe.send((step, [path.name for path in folder.glob(f"{files.WRITING}*")]))


def received(pipe):
    """All that a process has said, up to its end."""
    said = []
    with contextlib.suppress(EOFError):
        while True:
            said.append(pipe.recv())
    return said


def kill_after(forked, target, folder, milliseconds):
    """What a process said that is killed so long after its first word."""
    process, pipe = forked(target, folder)
    first = pipe.recv()
    time.sleep(milliseconds / 1000)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return [first, *received(pipe)]


def test_a_run_that_is_killed_in_its_saves_never_goes_back(forked, tmp_path):
    draw, saved, torn = random.Random(1), 0, 0
    for _ in range(ROUNDS):
        (step, values), *saves = kill_after(
            forked, run_that_saves, tmp_path, draw.uniform(0, LONGEST_MS)
        )
        assert step >= saved and values == [step, step]
        assert all(left == [] for _, left in saves)  # each save clears what a killed one left
        saved = max([step, *(one for one, _ in saves)])
        left = list(tmp_path.glob(f"{files.WRITING}*"))
        assert len(left) <= 1
        torn += len(left)
    assert saved > 10 and torn > ROUNDS // 10
    print(f"{ROUNDS} kills, {torn} within a save; the last step is {saved}.")


def model_of(number, vocabulary):
    """An encoder all of whose weights are a number."""
    config = kb.BertConfig(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=4,
        hidden_dim=128,
        intermediate_dim=256,
    )
    encoder = kb.BertEncoder(config)
    encoder.set_weights([np.full_like(weight, number) for weight in encoder.get_weights()])
    return encoder


def model_that_is_saved(folder, vocabulary, pipe):
    """Opens a model, and saves later ones in its place, again and again."""
    weights = kb.load(folder).encoder.get_weights()
    number = weights[0].flat[0]
    encoder, tokenizer = model_of(number, vocabulary), kb.Tokenizer(vocabulary)
    pipe.send((number, all((weight == number).all() for weight in weights)))
    while True:
        number += 1
        encoder.set_weights([np.full_like(weight, number) for weight in weights])
        kb.save(encoder, folder, tokenizer)
        pipe.send((number, True))


def test_a_model_that_is_replaced_is_the_old_or_the_new_one(forked, tmp_path, vocabulary):
    kb.save(model_of(1, vocabulary), tmp_path / "model", kb.Tokenizer(vocabulary))
    wanted, draw = sorted(os.listdir(tmp_path / "model")), random.Random(2)
    saved, torn, target = 1, 0, functools.partial(model_that_is_saved, tmp_path / "model")
    for _ in range(ROUNDS_OF_MODELS):
        said = kill_after(forked, target, vocabulary, draw.uniform(0, LONGEST_MS))
        assert said[0][0] >= saved and said[0][1]
        saved = said[-1][0]
        torn += sorted(os.listdir(tmp_path / "model")) != wanted
    assert saved > 5 and torn > ROUNDS_OF_MODELS // 10
    print(f"{ROUNDS_OF_MODELS} kills, {torn} within a save; the last model is {saved:.0f}.")
    kb.save(model_of(saved + 1, vocabulary), tmp_path / "model", kb.Tokenizer(vocabulary))
    assert sorted(os.listdir(tmp_path / "model")) == wanted
