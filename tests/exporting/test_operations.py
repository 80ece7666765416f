import json
import os
import subprocess

import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.exporting import operations
from keras_bert.exporting.operations import check_operations, operations_of


def trimmed(text):
    words = tf.strings.split(text)
    return tf_text.RoundRobinTrimmer(3).trim([words, words])[0].to_tensor("")


def in_a_branch(text):
    def noise():
        return tf.random.stateless_uniform(tf.shape(text), [1, 2])

    return tf.cond(tf.size(text) > 1, noise, lambda: tf.zeros(tf.shape(text)))


def largest(text):
    sizes = tf.strings.length(text)
    return tf.raw_ops.SegmentMaxV2(data=sizes, segment_ids=tf.zeros_like(sizes), num_segments=1)


REFUSED = {
    "StatelessRandomUniform": (in_a_branch, "draws random numbers"),
    "RandomShuffle": (tf.random.shuffle, "draws random numbers"),
    "EagerPyFunc": (lambda text: tf.py_function(lambda x: x, [text], tf.string), "calls Python"),
    "PyFunc": (lambda text: tf.numpy_function(lambda x: x, [text], tf.string), "calls Python"),
    "SegmentMaxV2": (largest, "is not in TensorFlow 2.12"),
    "RaggedFillEmptyRows": (
        lambda text: tf.raw_ops.RaggedFillEmptyRows(
            value_rowids=tf.zeros([1], tf.int64), values=text[:1], nrows=2, default_value=""
        )[1],
        "is not in TensorFlow 2.12",
    ),
    "TFText>RoundRobinTrim": (trimmed, "is neither TensorFlow's nor in TensorFlow Text 2.12"),
    "TFText>NgramsStringJoin": (
        lambda text: tf_text.ngrams(text, 2, reduction_type=tf_text.Reduction.STRING_JOIN),
        "is neither TensorFlow's nor in TensorFlow Text 2.12",
    ),
}


def saved(function, folder):
    spec = tf.TensorSpec([None], tf.string, "text")
    signature = tf.function(lambda text: {"output": function(text)}, input_signature=[spec])
    tf.saved_model.save(tf.Module(), str(folder), signatures=signature)
    return folder / "saved_model.pb"


@pytest.mark.parametrize("name", REFUSED)
def test_operations_that_servers_lack_are_refused(tmp_path, name):
    function, reason = REFUSED[name]
    path = saved(function, tmp_path)
    with pytest.raises(ValueError, match=rf"saved_model.pb has .*{name}\S* \({reason}\)"):
        check_operations(path)


def test_operations_that_servers_have_pass(tmp_path):
    path = saved(lambda text: tf_text.normalize_utf8(tf.strings.lower(text), "NFD"), tmp_path)
    assert {"NormalizeUTF8", "StringLower"} <= set(operations_of(path))
    check_operations(path)


@pytest.mark.slow
def test_the_list_of_newer_operations_is_that_of_an_older_tensorflow():
    """KERAS_BERT_OLD_PYTHONS: interpreters with older versions, the oldest first, ":" between."""
    if "KERAS_BERT_OLD_PYTHONS" not in os.environ:
        pytest.skip("without older interpreters: KERAS_BERT_OLD_PYTHONS names none")
    code = "import json, tensorflow as tf; print(json.dumps([tf.__version__, dir(tf.raw_ops)]))"
    [python, *_] = os.environ["KERAS_BERT_OLD_PYTHONS"].split(":")
    printed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    version, older = json.loads(printed.stdout.splitlines()[-1])
    assert version.startswith("2.12.")
    newer = {name for name in dir(tf.raw_ops) if name[0].isupper()} - set(older)
    assert {name for name in newer if not operations._reason(name)} == set()
    assert newer >= operations.NEWER_OPERATIONS
    assert not any(operations._reason(name) for name in ("MatMul", "While", "Assert"))
