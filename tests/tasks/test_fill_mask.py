import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb


@pytest.fixture(scope="module")
def task(tokenizer, config):
    keras.utils.set_random_seed(1)
    model = kb.BertPretrainer(kb.BertEncoder(config))
    return kb.FillMask(model, kb.Packer(tokenizer, 23), top_k=4)


def test_candidates_are_those_of_the_model(task, tokenizer):
    text = "the quick [MASK] fox [MASK] over"
    [blanks] = task([text])
    ids = [tokenizer.vocabulary.index(piece) for piece in text.split()]
    token_ids = np.array([[tokenizer.cls_id, *ids, tokenizer.sep_id]], "int32")
    logits = task.pretrainer(
        {
            "token_ids": token_ids,
            "segment_ids": 0 * token_ids,
            "padding_mask": 0 * token_ids + 1,
            "mask_positions": np.array([[3, 5]], "int32"),
        }
    )["masked_lm"][0, :, :97]
    probabilities = tf.nn.softmax(logits).numpy()
    for blank, expected in zip(blanks, probabilities, strict=True):
        best = np.argsort(-expected)[:4]
        assert [piece for piece, _ in blank] == [tokenizer.vocabulary[i] for i in best]
        np.testing.assert_allclose([p for _, p in blank], expected[best], rtol=1e-4)


def test_texts_of_a_batch_do_not_see_each_other(task):
    texts = ["a [MASK] film", "the [MASK] brown [MASK] jump over the lazy dog"]
    together, alone = task(texts), [task([text])[0] for text in texts]
    assert [len(blanks) for blanks in together] == [1, 2]
    for some, other in zip(together, alone, strict=True):
        for blank, same in zip(some, other, strict=True):
            assert [piece for piece, _ in blank] == [piece for piece, _ in same]
            np.testing.assert_allclose(
                [p for _, p in blank], [p for _, p in same], rtol=1e-4, atol=1e-7
            )


def test_scores_look_at_all_candidates(task):
    answers = [[[("a", 0.5), ("b", 0.3)], [("c", 0.6), ("d", 0.1)]], [[("e", 0.9), ("f", 0.05)]]]
    examples = {"text": ["[MASK] [MASK]", "[MASK]"], "answers": [["b", "c"], "a"]}
    scores = task.scores(examples, answers)
    assert scores["accuracy"] == pytest.approx(1 / 3)
    assert scores["accuracy_at_4"] == pytest.approx(2 / 3)


class Row(dict):
    """An example of a file."""

    source = "blanks.jsonl:7"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (["fox"], "for each of the 2"),
        (["fox", "unheard"], "'unheard' is none"),
        (None, "None"),
        ("fox", "for each of the 2"),
        ([1, 2], r"must be a list .* but is \[1, 2\]"),
    ],
)
def test_an_answer_that_cannot_be_learned_is_an_error(task, answers, message):
    example = Row(text="[MASK] [MASK]", answers=answers)
    with pytest.raises(ValueError, match=rf"blanks.jsonl:7: .*{message}"):
        task.dataset([example], 1)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a fine film"], "'a fine film'.* 0 of its 0 were found"),
        (["a [MASK]", "a " * 40 + "[MASK]"], "0 of its 1 were found"),
        (["[MASK] " + "a " * 40 + "[MASK]"], "1 of its 2 were found"),
    ],
)
def test_a_blank_that_the_model_cannot_see_is_an_error(task, texts, message):
    with pytest.raises(ValueError, match=message):
        task(texts)


@pytest.mark.parametrize("top_k", [0, 98])
def test_top_k_has_a_range(task, top_k):
    with pytest.raises(ValueError, match="top_k must lie between 1 and the 97"):
        kb.FillMask(task.pretrainer, task.packer, top_k)


def test_answers_are_read_as_tables_write_them(task, tokenizer):
    text = "the [MASK] and the [MASK]"
    wanted = [[tokenizer.vocabulary.index("fox"), tokenizer.vocabulary.index("dog")]]
    words = ["fox", "dog"]
    for answers in (words, tuple(words), "fox dog", ["Fox", "DOG"], np.array(words)):
        columns = task.target_columns([{"text": text, "answers": answers}])
        assert columns["answers"].to_list() == wanted
    with pytest.raises(ValueError, match=r"blanks\.jsonl:7: there must be a column 'answers'"):
        task.dataset([Row(text="[MASK]", answer="fox")], 1)


def test_one_text_is_one_answer_and_candidates_are_as_many_as_are_set(task, tokenizer):
    [blank] = task("a [MASK] film")
    assert len(blank) == 4
    task.top_k = 2
    assert task("a [MASK] film") == [blank[:2]] == task([b"a [MASK] film"])[0]
    assert task.score_names == ("accuracy", "accuracy_at_2")
    with pytest.raises(ValueError, match="top_k must lie between 1 and the 97"):
        task.top_k = 98
    assert task.top_k == 2
    task.top_k = 4


@pytest.mark.parametrize(("model", "kind"), [(None, "none"), (kb.BertEncoder, "a BertEncoder")])
def test_blanks_need_a_language_model(task, config, model, kind):
    with pytest.raises(ValueError, match=f"a BertPretrainer, but there is {kind}"):
        kb.FillMask(model and model(config), task.packer)


def test_it_is_loaded_as_it_was_saved(task, tokenizer, tmp_path):
    mine = kb.FillMask(task, kb.Packer(tokenizer, 11), top_k=2)
    kb.save(mine, tmp_path / "task")
    loaded = kb.load(tmp_path / "task").model
    assert type(loaded) is kb.FillMask and loaded.settings() == mine.settings()
    text = "a [MASK] film"
    (some, other) = ([p for _, p in model(text)[0]] for model in (mine, loaded))
    np.testing.assert_allclose(some, other, atol=1e-6)
    assert loaded.pretrainer.sentence_objective == task.pretrainer.sentence_objective
    kb.save(loaded.pretrainer, tmp_path / "pretrainer", tokenizer)
    assert type(kb.load(tmp_path / "pretrainer").model) is kb.BertPretrainer
