import types

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.exporting import scoring
from keras_bert.lite import Lite


def test_scores_are_those_of_the_export_s_answers(lite_exports):
    task, [path, _] = lite_exports
    examples = [{"text": "a fine film", "label": "bad"}, {"text": "fox", "label": "fine"}]
    found = scoring.scores_of(task, Lite(path), examples)
    assert found == pytest.approx(task.scores(examples, task(examples)))


def test_vectors_of_both_sides_are_the_export_s(config, tokenizer, without_graphs):
    task = kb.SentenceEmbedder(
        kb.BertEncoder(config), kb.Packer(tokenizer, 23), problem="cosine_regression"
    )
    vectors = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 0.1], "d": [0.5, 1.0]}

    class Known:
        def __call__(self, examples):
            return [{"embedding": vectors[one["text"]]} for one in examples]

        def embed(self, texts):
            texts = [text.decode() if isinstance(text, bytes) else text for text in texts]
            return np.array([vectors[text] for text in texts], np.float32)

    rows = [("a", "b", 0.0), ("a", "c", 0.9), ("a", "d", 0.4)]
    examples = [dict(zip(("text", "second", "label"), row, strict=True)) for row in rows]
    assert scoring.scores_of(task, Known(), examples)["spearman"] == pytest.approx(1.0)


def test_rows_are_run_one_after_the_other():
    lengths = []
    lite = types.SimpleNamespace(
        tokenizer=types.SimpleNamespace(unknown=1),
        model=lambda row: lengths.append(len(row.token_ids)),
    )
    assert scoring.milliseconds(lite, 3, 7) >= 0
    assert lengths == [7] * 3 * (1 + scoring.NUM_CALLS)
