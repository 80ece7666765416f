"""What is written for LiteRT answers as the task does; `tests/lite` has what it is made of."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.exporting import litert, warmup
from keras_bert.exporting.export import export
from keras_bert.lite import Lite
from keras_bert.lite.model import Model
from keras_bert.text.added_tokens import AddedToken

TEXTS = ["a fine film", "The quick brown fox, unaffordable!", "", "over " * 40]
WORDS = [["Ann", "jumped", "\u200b", "over"], ["fox"] * 30, []]
QUESTIONS = [("who", "the quick brown fox jumps over the lazy dog. " * 3), ("what", "")]
CHOICES = [{"context": "a fox", "question": "so", "choices": ["it jumps", "a dog", "over " * 30]}]
BLANKS = ["a [MASK] film", " ".join(["[MASK]"] * 6), "the [MASK] dog [MASK]."]
PAIRS = [("a fine film", "over " * 40), ("over " * 40, "over " * 40), ("", "fox")]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(warmup, "BATCH_SIZES", (1,))


@pytest.fixture(scope="module")
def make(config, tokenizer, drawn):
    """A task of a name, all of whose weights are drawn, on an encoder or a small one of BERT."""

    def make(name, encoder=None, packer=None):
        encoder = encoder or kb.BertEncoder(dataclasses.replace(config, num_layers=1))
        packer = packer or kb.Packer(tokenizer, 23)
        makers = {
            "labels": lambda: kb.TextClassifier(encoder, packer, ("bad", "fine", "odd"), ("text",)),
            "pairs": lambda: kb.TextClassifier(encoder, packer, ("a", "b"), ("first", "second")),
            "several": lambda: kb.TextClassifier(
                encoder, packer, ("a", "b", "c"), problem="multi_label_classification"
            ),
            "numbers": lambda: kb.TextClassifier(encoder, packer, ("x",), problem="regression"),
            "windows": lambda: kb.TextClassifier(encoder, packer, ("a", "b"), stride=7),
            "entities": lambda: kb.TokenClassifier(
                encoder, packer, ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
            ),
            "classes": lambda: kb.TokenClassifier(encoder, packer, ("DET", "NOUN", "VERB")),
            "questions": lambda: kb.QuestionAnswerer(encoder, packer, stride=5, num_best=4),
            "none": lambda: kb.QuestionAnswerer(encoder, packer, no_answer_threshold=0.1),
            "choices": lambda: kb.MultipleChoice(encoder, packer),
            "vectors": lambda: kb.SentenceEmbedder(encoder, packer),
            "tokens": lambda: kb.SentenceEmbedder(encoder, packer, "none", layers=(0, -1)),
            "blanks": lambda: kb.FillMask(kb.BertPretrainer(encoder, None), packer, top_k=3),
        }
        return drawn(makers[name]())

    return make


ASKED = {
    **dict.fromkeys(("labels", "several", "numbers", "windows", "vectors", "tokens"), TEXTS),
    "pairs": PAIRS,
    **dict.fromkeys(("entities", "classes"), TEXTS),
    **dict.fromkeys(("questions", "none"), QUESTIONS),
    "choices": CHOICES,
    "blanks": BLANKS,
}


def same(found, wanted, tolerance):
    """Whether two answers are the same, numbers up to a tolerance."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        return all(same(found[name], wanted[name], tolerance) for name in wanted)
    if isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(
            same(*pair, tolerance) for pair in zip(found, wanted, strict=True)
        )
    if isinstance(wanted, float):
        return found == pytest.approx(wanted, abs=tolerance, rel=1e-4)
    return found == wanted and type(found) is type(wanted)


def test_it_answers_as_the_task(lite_exports):
    task, [path, _] = lite_exports
    lite = Lite.load(path)
    assert all(map(same, lite(TEXTS), task(TEXTS), [1e-5] * len(TEXTS)))
    assert same(lite(TEXTS[0]), task(TEXTS[0]), 1e-5)
    assert lite({"text": TEXTS})[1] == lite(TEXTS)[1]


def test_in_int8_it_is_smaller_and_close(lite_exports):
    task, [path, small] = lite_exports
    whole, quarter = ((one / "model.tflite").stat().st_size for one in (path, small))
    assert quarter < whole
    found, wanted = (
        np.array([one["probabilities"] for one in f(TEXTS)]) for f in (Lite(small), task)
    )
    assert 0 < np.abs(found - wanted).max() < 0.05
    config = json.loads((small / "litert.json").read_text())
    assert 0 < config["difference_from_float32"]["probability"]["max_absolute_difference"] < 0.05
    assert Lite(small.parent).config["precision"] == "int8"  # the newest


def test_arrays_are_those_of_a_served_model(lite_exports):
    task, [path, _] = lite_exports
    found = Lite(path).arrays({"text": [b"a fine film", b"fox"]}, "serving_default")
    wanted = task.answer({"text": tf.constant(["a fine film", "fox"])})
    assert found.keys() == wanted.keys()
    assert found["label"].tolist() == wanted["label"].numpy().tolist()
    assert found["probabilities"].dtype == np.float32
    np.testing.assert_allclose(found["probabilities"], wanted["probabilities"], atol=1e-5)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("Roberta", "labels"),
        *(
            pytest.param(family, name, marks=pytest.mark.slow)
            for family in ("Roberta", "ModernBert")
            for name in ASKED
            if (family, name) != ("Roberta", "labels")
        ),
    ],
)
def test_byte_level_pieces_are_cut_as_in_tensorflow(
    make, encoder_of, byte_pairs_of, family, name, tmp_path
):
    tokenizer = byte_pairs_of(family)
    encoder = encoder_of(family, num_layers=1, vocabulary_size=270)
    task = make(name, encoder, kb.Packer(tokenizer, 23))
    asked = ASKED[name]
    if name == "blanks":
        asked = [text.replace("[MASK]", tokenizer.mask_token) for text in asked]
    lite = Lite(export(task, tmp_path / name, format="litert"))
    pairs = zip(lite(asked), task(asked), strict=True)
    assert [pair for pair in pairs if not same(*pair, 1e-4)] == []


def test_ensembles_that_read_texts_in_several_ways_are_refused(make, tokenizer, tmp_path):
    both = kb.ensemble([make("labels"), make("labels", packer=kb.Packer(tokenizer, 16))])
    with pytest.raises(ValueError, match="this ensemble has members with rows of their own"):
        export(both, tmp_path / "mine", format="litert")
    assert not (tmp_path / "mine" / "1").exists()


def test_what_does_not_go_together_is_refused(make, tmp_path):
    task = make("labels")
    for options, said in (
        ({"format": "onnx"}, "format must be one of"),
        ({"format": "litert", "precision": "bfloat16"}, r"\('float32', 'int8'\) in the format"),
        ({"precision": "int8"}, r"\('float32', 'bfloat16'\) in the format 'saved_model'"),
    ):
        with pytest.raises(ValueError, match=said):
            export(task, tmp_path / "mine", **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED)
def test_every_task_answers_as_in_tensorflow(make, name, tmp_path):
    task = make(name)
    lite = Lite(export(task, tmp_path / name, format="litert"))
    found, wanted = lite(ASKED[name]), task(ASKED[name])
    assert [f for f, w in zip(found, wanted, strict=True) if not same(f, w, 1e-4)] == []
    if name in ("entities", "classes"):
        words = [{"words": one} for one in WORDS]
        assert all(map(same, lite(words), task(words), [1e-4] * len(WORDS)))
    if name == "vectors":
        np.testing.assert_allclose(lite.embed(TEXTS), task.embed(TEXTS), atol=1e-5)
    if name == "blanks":
        with pytest.raises(ValueError, match=r"must hold \[MASK\]"):
            lite("a film")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["DistilBert", "Electra", "Roberta", "ModernBert"])
@pytest.mark.parametrize("name", ["labels", "entities"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_every_family_answers_as_in_tensorflow(make, encoder_of, family, name, precision, tmp_path):
    task = make(name, encoder_of(family, num_layers=2))
    lite = Lite(export(task, tmp_path / name, precision, format="litert"))
    if precision == "float32":
        assert all(map(same, lite(TEXTS), task(TEXTS), [1e-4] * len(TEXTS)))
    elif name == "labels":
        pairs = zip(lite(TEXTS), task(TEXTS), strict=True)
        assert all(abs(a["probability"] - b["probability"]) < 0.1 for a, b in pairs)


@pytest.mark.slow
def test_an_ensemble_and_added_tokens(make, config, vocabulary, tmp_path):
    added = [AddedToken("<e1>"), AddedToken("fox", single_word=True, normalized=True)]
    packer = kb.Packer(kb.Tokenizer(vocabulary, added_tokens=added), 23)
    task = make("labels", packer=packer)
    both = kb.ensemble([task, make("labels", packer=packer)])
    lite, texts = Lite(export(both, tmp_path / "both", format="litert")), ["<e1>fox foxed"]
    assert same(lite(texts), both(texts), 1e-5) and not same(lite(texts), task(texts), 1e-5)


def test_answers_that_are_nan_are_not_written(lite_exports, monkeypatch, tmp_path):
    """As they would be where a converter drops the weights."""
    task, [path, _] = lite_exports
    content = (path / "model.tflite").read_bytes()
    monkeypatch.setattr(litert, "_converted", lambda *_: content)
    nothing = {"logits": np.full([3], np.nan, np.float32)}
    monkeypatch.setattr(Model, "__call__", lambda self, row: nothing)
    with pytest.raises(ValueError, match="finite values.* is not finite everywhere"):
        export(task, tmp_path / "mine", "int8", format="litert")
    assert not (tmp_path / "mine" / "1").exists()
