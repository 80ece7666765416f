"""Fixtures for what serves: SavedModels so small that their answers are known, a server, and hosts
that have less than this one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil

import pytest
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABELS = ("negative", "positive")
# What Python runs first of all on a host that lacks packages, and this one but for what serves.
WITHOUT = """
import importlib.abc, sys

OURS = ("environment", "files", "flags", "quiet", "registered", "serving", "usage")

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top, _, below = name.partition(".")
        if top in {missing} or top == "keras_bert" and below and below.split(".")[0] not in OURS:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""


class Toy(tf.Module):
    """A classifier of texts by their length, and signatures that a test can wait in or break."""

    def __init__(self, scale: float):
        super().__init__()
        self.scale = tf.Variable(scale)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentence")])
    def classify(self, sentence):
        sizes = tf.strings.length(sentence)
        check = tf.debugging.assert_less(sizes, 5_000_000, "A text must be shorter.")
        with tf.control_dependencies([check]):
            positive = tf.sigmoid(self.scale * (tf.cast(sizes, tf.float32) - 5.0))
        probabilities = tf.stack([1.0 - positive, positive], axis=1)
        label = tf.gather(tf.constant(LABELS), tf.argmax(probabilities, axis=1))
        return {"label": label, "probabilities": probabilities}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, "token_ids"),
            tf.TensorSpec([None, 3], tf.float32, "weights"),
        ]
    )
    def tokens(self, token_ids, weights):
        total = tf.cast(tf.reduce_sum(token_ids, axis=1, keepdims=True), tf.float32)
        return {"total": total * weights}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentence")])
    def words(self, sentence):
        words = tf.strings.split(sentence).to_tensor(default_value="")
        return {"words": words, "raw_bytes": sentence}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, "words")])
    def join(self, words):
        return {"text": tf.strings.reduce_join(words, axis=1, separator="|")}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "path")])
    def wait(self, path):
        """Answers as soon as there is a file of the first row's name."""

        def is_missing(turn):
            # The pattern depends on the turn, so that it is looked for in each.
            pattern = path[0] + tf.strings.substr(tf.strings.as_string(turn), 0, 0)
            return tf.equal(tf.size(tf.io.matching_files(pattern)), 0)

        turns = tf.while_loop(is_missing, lambda turn: (turn + 1,), (tf.constant(0),))
        with tf.control_dependencies(turns):
            return {"path": tf.identity(path)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentence")])
    def total(self, sentence):
        """Has not a row for each example."""
        return {"total": tf.reduce_sum(tf.strings.length(sentence))}


@pytest.fixture(scope="session")
def toys(tmp_path_factory) -> dict[float, pathlib.Path]:
    """SavedModels by their scale, which tells versions apart."""
    paths = {}
    for scale in (1.0, 0.5):
        toy, path = Toy(scale), tmp_path_factory.mktemp("toy") / "saved_model"
        served = {
            "serving_default": toy.classify,
            **{name: getattr(toy, name) for name in ("tokens", "words", "join", "wait", "total")},
        }
        tf.saved_model.save(toy, str(path), signatures=served)
        paths[scale] = path
    return paths


@pytest.fixture
def base_path(tmp_path, toys) -> pathlib.Path:
    """A base path with version 1 of the model `toy`."""
    shutil.copytree(toys[1.0], tmp_path / "models" / "toy" / "1")
    return tmp_path / "models"


@pytest.fixture(scope="session")
def host_without(tmp_path_factory):
    """The environment of a process on a host without these packages, and of this one with that part
    alone which serves."""

    def host_without(*missing: str) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("host")
        (folder / "sitecustomize.py").write_text(WITHOUT.format(missing=set(missing)))
        return {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}

    return host_without


@pytest.fixture
def gate(tmp_path):
    """The path that the signature `wait` waits for; it is opened at the end of the test."""
    path = tmp_path / "open"
    yield path
    path.touch()


@pytest.fixture
def started():
    """Starts a server; its keywords are the server's arguments. Those started are stopped."""
    arguments_type, server_type = _server_types()
    with contextlib.ExitStack() as stack:

        def start(base_path: pathlib.Path, **arguments):
            arguments = {"grpc_port": 0, "rest_port": 0, **arguments}
            return stack.enter_context(server_type(arguments_type(str(base_path), **arguments)))

        yield start


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory, toys):
    """A server for the tests that leave it as it is: two versions of `toy`, two labels."""
    arguments_type, server_type = _server_types()
    base_path = tmp_path_factory.mktemp("models")
    for version, scale in ((3, 1.0), (12, 0.5)):
        shutil.copytree(toys[scale], base_path / "toy" / str(version))
    (base_path / "models.config").write_text(MODELS_CONFIG)
    batching = "max_batch_size { value: 8 } num_batch_threads { value: 3 }"
    (base_path / "batching.config").write_text(batching)
    arguments = arguments_type(
        str(base_path), grpc_port=0, rest_port=0, max_request_bytes=4 << 20, rest_timeout_s=60.0
    )
    with server_type(arguments) as server:
        yield server


@pytest.fixture(scope="session")
def url(shared_server) -> str:
    """Where REST is on `shared_server`."""
    return f"http://localhost:{shared_server.rest_port}"


def _server_types():
    for name in ("grpc", "uvicorn", "starlette", "prometheus_client", "httpx"):
        pytest.importorskip(name)
    from keras_bert.serving.server.server import Arguments, Server

    return Arguments, Server


MODELS_CONFIG = """
model_config_list {
  config {
    name: "toy"
    base_path: "/models/toy"
    model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "stable" value: 3 }
    version_labels { key: "canary" value: 12 }
    version_labels { key: "gone" value: 7 }
  }
}
"""
