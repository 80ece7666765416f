import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert import files
from keras_bert.exporting import export as module
from keras_bert.exporting import warmup
from keras_bert.exporting.export import export
from keras_bert.serving.wire.layout import METADATA_FILE, WARMUP_FILE
from keras_bert.text.byte_alphabet import BYTES

FIRST = ["a fine film", "the lazy dog, unaffable", "Fox"]
SECOND = ["over", "the quick brown fox wanted more", ""]
LABELS = ("bad", "fine", "odd")


def classifier(config, tokenizer, seed=3):
    keras.utils.set_random_seed(seed)
    task = kb.TextClassifier(
        kb.BertEncoder(config), kb.Packer(tokenizer, 23), LABELS, ("first", "second")
    )
    # As drawn, all answers would be nearly the same.
    task.set_weights([10 * w if w.dtype == "float32" else w for w in task.get_weights()])
    return task


@pytest.fixture(scope="module")
def config(config):
    """One layer: a graph of two takes twice as long to make."""
    return dataclasses.replace(config, num_layers=1)


@pytest.fixture(scope="module")
def task(config, tokenizer):
    return classifier(config, tokenizer)


@pytest.fixture(scope="module")
def directory(task, tmp_path_factory):
    """A served model with version 1 in float32 and version 2 in bfloat16."""
    directory = tmp_path_factory.mktemp("saved_models") / "pairs"
    assert export(task, directory) == directory / "1"
    assert export(task, str(directory), precision="bfloat16") == directory / "2"
    return directory


@pytest.fixture(scope="module")
def loaded(directory):
    return tf.saved_model.load(str(directory / "1"))


@pytest.fixture
def quick(monkeypatch):
    """Exports with one warm-up request and one signature, for what has nothing to do with them."""
    answer_only = module.functions.answer_function
    monkeypatch.setattr(
        module.functions, "functions_of", lambda task: {"serving_default": answer_only(task)}
    )
    monkeypatch.setattr(warmup, "BATCH_SIZES", (1,))


def content(path):
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file()
    }


def metadata_of(version):
    return json.loads((version / METADATA_FILE).read_text())


def weights_of(version):
    """Names, shapes and dtypes of all tensors in a version's checkpoint."""
    reader = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    dtypes = reader.get_variable_to_dtype_map()
    return {
        name: (shape, dtypes[name])
        for name, shape in reader.get_variable_to_shape_map().items()
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


def test_a_version_has_what_it_promises(directory, task):
    assert sorted(os.listdir(directory)) == ["1", "2"]
    version = directory / "1"
    assert set(content(version)) == {
        *("saved_model.pb", "fingerprint.pb"),
        *("variables/variables.index", "variables/variables.data-00000-of-00001"),
        *("assets.extra/metadata.json", "assets.extra/tf_serving_warmup_requests"),
    }
    # A server may run as another user.
    assert not [path for path in version.rglob("*") if not path.stat().st_mode & 0o044]
    records = tf.data.TFRecordDataset(str(version / WARMUP_FILE))
    assert len(list(records)) == metadata_of(version)["num_warmup_requests"] == 8


@pytest.mark.parametrize(("version", "dtype"), [("1", tf.float32), ("2", tf.bfloat16)])
def test_each_weight_is_there_once(directory, task, version, dtype):
    weights = weights_of(directory / version)
    shapes = sorted(tuple(shape) for shape, _ in weights.values())
    assert shapes == sorted(tuple(weight.shape) for weight in task.weights)
    assert {kind for _, kind in weights.values()} == {dtype}
    size = sum(int(np.prod(shape)) for shape in shapes) * dtype.size
    data = directory / version / "variables" / "variables.data-00000-of-00001"
    assert size <= data.stat().st_size < size + 6000  # the names of the weights


def test_answers_are_the_models(task, loaded):
    served = loaded.signatures["serving_default"]
    wanted = task(list(zip(FIRST, SECOND, strict=True)))
    together = served(first=tf.constant(FIRST), second=tf.constant(SECOND))
    for i, answer in enumerate(wanted):
        alone = served(first=tf.constant(FIRST[i : i + 1]), second=tf.constant(SECOND[i : i + 1]))
        for found in (alone, {name: value[i : i + 1] for name, value in together.items()}):
            assert found["label"].numpy()[0].decode() == answer["label"]
            np.testing.assert_allclose(found["probabilities"][0], answer["probabilities"], 0, 1e-5)
    assert np.ptp([answer["probability"] for answer in wanted]) > 0.01


def test_a_session_loads_it_as_a_server_does(directory, task):
    wanted = task(list(zip(FIRST, SECOND, strict=True)))
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(directory / "1"))
        signature = graph.signature_def["serving_default"]
        feeds = {
            signature.inputs["first"].name: FIRST,
            signature.inputs["second"].name: SECOND,
        }
        found = session.run(signature.outputs["probabilities"].name, feeds)
    assert signature.method_name == "tensorflow/serving/predict"
    np.testing.assert_allclose(found, [answer["probabilities"] for answer in wanted], 0, 1e-5)


WRONG_TEXTS = {
    "scalar": ("a fine film", "over"),
    "one scalar": (FIRST, "over"),
    "rank 2": ([FIRST], [SECOND]),
    "another number of rows": (FIRST, SECOND[:1]),
    "too long": (["a" * 65537], ["b"]),
    "numbers": ([1, 2, 3], SECOND),
}


@pytest.mark.parametrize("wrong", WRONG_TEXTS)
@pytest.mark.parametrize("signature", ["serving_default", "tokenize"])
def test_wrong_texts_are_refused_and_the_process_lives(loaded, signature, wrong):
    served = loaded.signatures[signature]
    first, second = (tf.constant(text) for text in WRONG_TEXTS[wrong])
    with pytest.raises(tf.errors.InvalidArgumentError):
        served(first=first, second=second)
    outputs = served(first=tf.constant(FIRST), second=tf.constant(SECOND))
    assert all(len(value) == 3 for value in outputs.values())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("token_ids", [5, 6]),
        ("token_ids", 5),
        ("token_ids", [[[5], [6]]]),
        ("token_ids", [[5, -6]]),
        ("segment_ids", [[0, 2]]),
        ("padding_mask", [[1, 1, 1]]),
        ("padding_mask", ["a", "b"]),
    ],
)
def test_wrong_ids_are_refused_and_the_process_lives(loaded, name, wrong):
    served = loaded.signatures["tokens"]
    ids = {"token_ids": [[5, 6]], "segment_ids": [[0, 1]], "padding_mask": [[1, 1]]}
    with pytest.raises(tf.errors.InvalidArgumentError):
        served(**{key: tf.constant(value) for key, value in {**ids, name: wrong}.items()})
    assert served(**{k: tf.constant(v) for k, v in ids.items()})["logits"].shape == (1, 3)


def test_metadata_says_what_is_there(directory):
    version = directory / "1"
    metadata = metadata_of(version)
    assert metadata["task"] == "TextClassifier" and metadata["labels"] == list(LABELS)
    assert metadata["sequence_length"] == 23 and metadata["max_text_bytes"] == 65536
    text, row = {"dtype": "string", "shape": [None]}, {"dtype": "int32", "shape": [None, None]}
    signatures = metadata["signatures"]
    assert set(signatures) == {"serving_default", "tokens", "tokenize"}
    assert signatures["serving_default"]["inputs"] == {"first": text, "second": text}
    assert signatures["serving_default"]["outputs"]["label"] == text
    assert signatures["tokens"]["inputs"] == signatures["tokenize"]["outputs"]
    assert signatures["tokens"]["inputs"]["token_ids"] == row
    logits = {"dtype": "float32", "shape": [None, 3]}
    assert signatures["tokens"]["outputs"] == {"logits": logits}
    assert metadata["versions"]["tensorflow"] == tf.__version__
    written = content(version)
    del written[str(METADATA_FILE)]
    assert metadata["files"] == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in written.items()
    }


def test_bfloat16_says_how_much_it_differs(directory, task):
    before, after = (metadata_of(directory / v)["difference_from_float32"] for v in ("1", "2"))
    assert before["probability"]["max_absolute_difference"] < 1e-5
    assert before["label"] == {"share_of_rows_changed": 0.0}
    assert 1e-5 < after["probability"]["max_absolute_difference"] < 0.3
    metadata = metadata_of(directory / "2")
    assert metadata["precision"] == "bfloat16"
    outputs = metadata["signatures"]["tokens"]["outputs"]
    assert outputs["logits"]["dtype"] == "float32"
    assert keras.config.dtype_policy().name == "float32"
    assert {weight.dtype for weight in task.weights} == {"float32"}


def test_an_encoder_and_a_pretrainer_are_served_as_a_task(quick, tmp_path, config, tokenizer):
    encoder = kb.BertEncoder(config)
    path = export(encoder, tmp_path / "embedder", tokenizer=tokenizer)
    assert metadata_of(path)["task"] == "SentenceEmbedder"
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    wanted = kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 23)).embed(FIRST)
    np.testing.assert_allclose(served(text=tf.constant(FIRST))["embedding"], wanted, 0, 1e-5)
    # What this does not read, the pooler, is not in it.
    assert len(weights_of(path)) == len(encoder.weights) - 2
    pretrainer = kb.BertPretrainer(encoder)
    blanks = module.as_task(pretrainer, tokenizer)
    assert isinstance(blanks, kb.FillMask) and blanks.pretrainer is pretrainer
    halves = blanks.in_precision("bfloat16")
    assert {weight.dtype for weight in halves.weights} == {"bfloat16"}
    for weight, half in zip(blanks.get_weights(), halves.get_weights(), strict=True):
        np.testing.assert_allclose(half.astype("float32"), weight, rtol=2**-8)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (kb.BertEncoder, {}, "with a tokenizer, but there is none"),
        (lambda config: keras.Sequential(), {"tokenizer": 1}, "but is a Sequential"),
        (kb.BertEncoder, {"precision": "float16"}, "precision must be one of"),
    ],
)
def test_what_cannot_be_exported(tmp_path, config, model, arguments, message):
    with pytest.raises(ValueError, match=message):
        export(model(config), tmp_path / "model", **arguments)
    assert not (tmp_path / "model").exists()


def test_a_task_keeps_its_tokenizer(tmp_path, task, vocabulary):
    with pytest.raises(ValueError, match="its own tokenizer"):
        export(task, tmp_path / "model", tokenizer=kb.Tokenizer(vocabulary))


def test_an_ensemble_is_exported_whole(quick, tmp_path, config, tokenizer):
    from keras_bert.tasks.ensembles import ensemble

    both = ensemble([classifier(config, tokenizer, seed) for seed in (3, 5)])
    path = export(both, tmp_path / "model", "bfloat16")
    assert len(weights_of(path)) == len(both.weights)
    metadata = json.loads((path / "assets.extra" / "metadata.json").read_text())
    assert metadata["task"] == "TextClassifier" and metadata["labels"] == list(both.labels)


@pytest.mark.slow
def test_members_of_two_families_and_a_model_are_served_together(
    quick, tmp_path, config, tokenizer, byte_pairs_of
):
    first = classifier(config, tokenizer, 3)
    sizes = {name: getattr(config, name) for name in ("num_heads", "hidden_dim", "num_layers")}
    encoder = kb.RobertaEncoder(kb.RobertaConfig(vocabulary_size=270, **sizes))
    packer = kb.Packer(byte_pairs_of("Roberta"), 15)
    other = kb.TextClassifier(encoder, packer, LABELS[::-1], first.text_keys)
    texts = {key: keras.Input([], dtype="string", name=key) for key in first.text_keys}
    words = keras.layers.TextVectorization(vocabulary=["fine", "film"], output_mode="multi_hot")
    own = keras.layers.Dense(len(LABELS), activation="softmax")(words(texts["first"]))
    model = kb.Member(keras.Model(texts, own), labels=LABELS, gives="probabilities")
    task = kb.ensemble([first, other, model], by="mean", weights=(1, 2, 3))
    path = export(task, tmp_path / "model")
    served = tf.saved_model.load(str(path)).signatures
    assert set(served) == {"serving_default"}
    asked = {"first": ["a fine film", "the dog"], "second": ["a", "b"]}
    answers = served["serving_default"](**{key: tf.constant(x) for key, x in asked.items()})
    wanted = [one["probabilities"] for one in task(asked)]
    np.testing.assert_allclose(answers["probabilities"], wanted, atol=1e-5)


class Noisy(kb.SentenceEmbedder):
    """A task whose answers are drawn."""

    def answers(self, outputs, features):
        answers = super().answers(outputs, features)
        return {"embedding": answers["embedding"] + tf.random.normal([18])}


def test_a_graph_that_a_server_could_not_run_leaves_nothing(quick, tmp_path, config, tokenizer):
    task = Noisy(kb.BertEncoder(config), kb.Packer(tokenizer, 23))
    with pytest.raises(ValueError, match=r"RandomStandardNormal \(draws random numbers\)"):
        export(task, tmp_path)
    assert os.listdir(tmp_path) == []


def test_weights_that_are_no_numbers_are_not_served(quick, tmp_path, config, tokenizer):
    task = classifier(config, tokenizer)
    task.set_weights([w * np.nan if w.dtype == "float32" else w for w in task.get_weights()])
    with pytest.raises(ValueError, match="of serving_default is not finite everywhere"):
        export(task, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_saved_graph_that_answers_otherwise_is_not_served(quick, monkeypatch, tmp_path, task):
    replay = warmup.replay
    calls = []

    def replayed(call, requests):
        answers = replay(call, requests)
        calls.append(len(requests))
        shift = 0.002 * len(calls)
        return [{**answer, "probability": answer["probability"] + shift} for answer in answers]

    monkeypatch.setattr(warmup, "replay", replayed)
    with pytest.raises(ValueError, match="differs by 0.002"):
        export(task, tmp_path)
    assert calls == [2, 2] and os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["check_operations", "write", "rename"])
def test_an_error_at_any_step_leaves_nothing(quick, monkeypatch, tmp_path, task, step):
    def fail(*_):
        assert os.listdir(tmp_path) == [".writing-1"]
        raise OSError(errno.ENOSPC, "No space left on device")

    owner = {"check_operations": module.operations, "write": warmup, "rename": os}[step]
    monkeypatch.setattr(owner, step, fail)
    with pytest.raises(OSError, match="No space left"):
        export(task, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_nothing(quick, tmp_path, task):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # the graph is larger
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            export(task, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []
    assert files.reason(caught.value).startswith(f"{tmp_path}/1: file too large: raise the limit")


def test_a_path_that_cannot_be_written_to_is_told(tmp_path, task):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        export(task, tmp_path / "file" / "model")
    assert os.listdir(tmp_path) == ["file"]


def test_versions_are_never_written_over(quick, tmp_path, task):
    for name in ("7", "007", "latest", "12"):
        (tmp_path / name).mkdir()
    (tmp_path / "12" / "saved_model.pb").write_text("mine")
    (tmp_path / ("9" * 40)).mkdir()
    for number in (5, 13):  # of processes that were killed
        (tmp_path / f".writing-{number}").mkdir()
        (tmp_path / f".writing-{number}" / "saved_model.pb").write_text("half")
    assert export(task, tmp_path).name == "13"
    assert (tmp_path / "12" / "saved_model.pb").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))
    assert set(metadata_of(tmp_path / "13")["files"]) < set(content(tmp_path / "13"))


def test_a_version_that_another_writes_meanwhile_stays(quick, monkeypatch, tmp_path, task):
    def slow(path):
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "saved_model.pb").write_text("theirs")

    monkeypatch.setattr(module.operations, "check_operations", slow)
    with pytest.raises(OSError, match="not empty"):
        export(task, tmp_path)
    assert os.listdir(tmp_path) == ["1"]
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "theirs"


def test_two_exports_wait_for_each_other(tmp_path):
    order, entered = [], threading.Event()

    def second():
        entered.set()
        with module._alone(tmp_path):
            order.append("second")

    with module._alone(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


KILLED = """
import os, signal, sys
import keras_bert as kb
from keras_bert.exporting.export import export
os.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
config = kb.BertConfig(
    vocabulary_size=7, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
)
export(kb.BertEncoder(config), sys.argv[1], tokenizer=tokenizer)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_that_is_served(quick, tmp_path, task):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert os.listdir(tmp_path) == [".writing-1"]
    assert export(task, tmp_path).name == "1"
    assert os.listdir(tmp_path) == ["1"]


# Answers with a SavedModel alone: its path and inputs come as JSON, its outputs go so.
ALONE = """
import json, sys
import tensorflow as tf, tensorflow_text
path, columns = json.load(sys.stdin)
served = tf.saved_model.load(path).signatures["serving_default"]
outputs = served(**{name: tf.constant(text) for name, text in columns.items()})
outputs = {name: value.numpy().tolist() for name, value in outputs.items()}
assert "keras_bert" not in sys.modules
print(json.dumps([tf.__version__, outputs], default=bytes.decode))
"""


def answered_alone(python, path, columns):
    done = subprocess.run(
        [python, "-c", ALONE],
        input=json.dumps([str(path), columns]),
        capture_output=True,
        text=True,
        cwd=path,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


OLD_PYTHONS = [p for p in os.environ.get("KERAS_BERT_OLD_PYTHONS", "").split(":") if p]
LONG = 9 * "dog fox "
TASKS = {
    "classifier": (
        lambda e, p: kb.TextClassifier(e, p, LABELS, ("first", "second")),
        {"first": FIRST, "second": SECOND},
    ),
    "strided": (lambda e, p: kb.TextClassifier(e, p, LABELS, stride=7), {"sentence": [LONG, "a"]}),
    "tagger": (lambda e, p: kb.TokenClassifier(e, p, ("O", "B-X", "I-X")), {"text": [LONG, "é a"]}),
    "answerer": (kb.QuestionAnswerer, {"question": ["who", "dog"], "context": [LONG, "a fox"]}),
    "choice": (
        kb.MultipleChoice,
        {"context": ["a"], "question": ["dog"], "choices": [["a", "fine"]]},
    ),
    "embedder": (kb.SentenceEmbedder, {"text": [LONG, "Ünaffable"]}),
    "fill_mask": (
        lambda e, p: kb.FillMask(kb.BertPretrainer(e), p),
        {"text": ["a [MASK] film"]},
    ),
    "byte_pairs": (
        lambda e, _: kb.SentenceEmbedder(byte_encoder(e), kb.Packer(byte_pairs(), 23)),
        {"text": [LONG, "Ünaffable  \u00e9\U0001399f's", "\0\x11"]},
    ),
}


def byte_pairs():
    merges = [*(("Ġ", "d"), ("o", "g"), ("Ġd", "og"), ("Ġ", "f"), ("Ã", "©"))]
    pieces = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", *BYTES, *(a + b for a, b in merges))
    return kb.BytePairTokenizer(pieces, merges, add_prefix_space=True, compose=True)


def byte_encoder(encoder):
    size = byte_pairs().vocabulary_size
    return kb.BertEncoder(dataclasses.replace(encoder.config, vocabulary_size=size))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "precision"), [*((name, "float32") for name in TASKS), ("embedder", "bfloat16")]
)
def test_older_tensorflow_answers(tmp_path, config, tokenizer, name, precision):
    """KERAS_BERT_OLD_PYTHONS: interpreters with older versions, the oldest first, ":" between."""
    if not OLD_PYTHONS:
        pytest.skip("without older interpreters: KERAS_BERT_OLD_PYTHONS names none")
    keras.utils.set_random_seed(3)
    make, columns = TASKS[name]
    path = export(make(kb.BertEncoder(config), kb.Packer(tokenizer, 23)), tmp_path, precision)
    _, wanted = answered_alone(sys.executable, path, columns)
    for python in OLD_PYTHONS:
        version, outputs = answered_alone(python, path, columns)
        assert pathlib.Path(python).exists() and version != tf.__version__
        for key, value in wanted.items():
            flat, found = (keras.tree.flatten(some) for some in (value, outputs[key]))
            tolerance = 1e-5 if precision == "float32" else 1e-2
            assert found == pytest.approx(flat, abs=tolerance), (version, key)


@pytest.mark.parametrize(("precision", "number"), [("float32", 0), ("int8", 1)])
def test_only_another_precision_is_said_to_differ(monkeypatch, precision, number):
    said = []
    monkeypatch.setattr(module.logging, "info", lambda *words: said.append(words))
    module._check(pathlib.Path("mine"), precision, {"value": {"max_absolute_difference": 0.0}})
    assert len(said) == number
