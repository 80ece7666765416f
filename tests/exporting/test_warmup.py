import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.exporting import warmup
from keras_bert.exporting.functions import ANSWER, TOKENIZE, TOKENS

ALL = (ANSWER, "words", TOKENS, TOKENIZE)


@pytest.fixture(scope="module")
def encoder(config):
    return kb.BertEncoder(config)


@pytest.fixture(scope="module")
def packer(tokenizer):
    return kb.Packer(tokenizer, 23)


def test_usual_batches_of_short_and_long_texts(encoder, packer):
    task = kb.SentenceEmbedder(encoder, packer)
    requests = warmup.requests_for(task, (ANSWER, TOKENS, TOKENIZE))
    assert [request.signature for request in requests] == [ANSWER] * 6 + [TOKENS, TOKENIZE]
    shapes = [task.features(request.inputs)["token_ids"].shape for request in requests[:6]]
    assert shapes == [(n, 1, length) for n in (1, 8, 32) for length in (16, 23)]
    texts = requests[4].inputs["text"].tolist()
    assert len(set(texts)) == 32 and {len(text.split()) for text in texts} == {9}
    again = warmup.requests_for(task, (ANSWER,))
    assert len(again) == 6 and again[4].inputs["text"].tolist() == texts


def test_columns_share_the_length(encoder, packer):
    task = kb.TextClassifier(encoder, packer, ("bad", "fine"), ("first", "second"))
    for request, words in zip(warmup.requests_for(task, (ANSWER,)), (4, 11) * 3, strict=True):
        for name in ("first", "second"):
            lengths = {len(text.split()) for text in request.inputs[name].tolist()}
            assert lengths == {1 + words}, name


def test_words_and_lists_of_texts_and_blanks(encoder, packer):
    tagger = kb.TokenClassifier(encoder, packer, ("O", "B-PER"))
    *_, words, tokens = warmup.requests_for(tagger, (ANSWER, "words", TOKENS))
    assert words.signature == "words" and words.inputs["words"].shape == (1, 8)
    assert {value.shape for value in tokens.inputs.values()} == {(1, 16)}
    choice = kb.MultipleChoice(encoder, packer)
    assert warmup.requests_for(choice, ALL)[5].inputs["choices"].shape == (32, 4)
    blanks = kb.FillMask(kb.BertPretrainer(encoder), packer)
    features = blanks.features(warmup.requests_for(blanks, ALL)[3].inputs)
    assert features["mask_positions"].numpy().tolist() == [[1]] * 8


def test_a_vocabulary_without_whole_words(encoder):
    tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##a", "1"))
    task = kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 23))
    assert warmup.requests_for(task, ALL)[0].inputs["text"].tolist() == [b"[MASK]" + b" a" * 8]


REQUESTS = [
    warmup.Request("serving_default", {"b": np.array([b"\xff\0", b"a" * 300], object)}),
    warmup.Request("tokens", {"a": np.array([[1, 2, -3]], "int32"), "b": np.zeros([1, 7], "f")}),
]


def test_a_server_reads_what_is_written(tmp_path):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    warmup.write(REQUESTS, tmp_path / "requests")
    records = list(tf.data.TFRecordDataset(str(tmp_path / "requests")).as_numpy_iterator())
    assert len(records) == 2
    for record, request in zip(records, REQUESTS, strict=True):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        read = log.predict_log.request
        assert read.model_spec.signature_name == request.signature
        assert set(read.inputs) == set(request.inputs)
        for name, value in request.inputs.items():
            np.testing.assert_array_equal(tf.make_ndarray(read.inputs[name]), value)
        again = prediction_log_pb2.PredictionLog()
        again.predict_log.request.CopyFrom(read)
        assert again.SerializeToString(deterministic=True) == record


def test_what_is_written_byte_for_byte(tmp_path):
    """As `protoc --encode` writes it."""
    request = warmup.Request("tokens", {"a": np.array([7], "int32")})
    warmup.write([request], tmp_path / "requests")
    [record] = tf.data.TFRecordDataset(str(tmp_path / "requests")).as_numpy_iterator()
    tensor = b"\x08\x03\x12\x04\x12\x02\x08\x01" + b"\x22\x04\x07\0\0\0"  # DT_INT32, [1], 7
    entry = b"\x0a\x01a\x12" + bytes([len(tensor)]) + tensor
    inputs = b"\x12" + bytes([len(entry)]) + entry
    predict = b"\x0a\x08\x1a\x06tokens" + inputs
    log = b"\x0a" + bytes([len(predict)]) + predict
    assert record == b"\x32" + bytes([len(log)]) + log


def test_answers_come_in_order():
    def call(signature, inputs):
        return {"signature": tf.fill([len(inputs["b"])], signature)}

    answers = warmup.replay(call, REQUESTS)
    assert [answer["signature"].tolist() for answer in answers] == [
        [b"serving_default"] * 2,
        [b"tokens"],
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("label", tf.constant(["a"]), r"2 examples .* but label of serving_default has the shape"),
        ("label", tf.constant("a"), r"has the shape \(\)"),
        ("probability", tf.constant([0.5, np.nan]), "is not finite everywhere"),
        ("probability", tf.constant([[0.5], [-np.inf]]), "is not finite everywhere"),
        ("label_bytes", tf.constant(["a", "b"]), "has a name for which JSON would have base64"),
    ],
)
def test_answers_that_cannot_be_sent_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        warmup.replay(lambda signature, inputs: {name: value}, REQUESTS[:1])
