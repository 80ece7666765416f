"""Students of every task: what they learn, from labels and without, and what does not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb

QUESTION = {"question": "who", "context": "the fox jump over the lazy dog and the fox jump over"}
# For each task how it is made, examples with labels, and one without.
TASKS = {
    "labels": (
        lambda e, p: kb.TextClassifier(e, p, ("a", "b")),
        [{"sentence": "the fox", "label": "a"}, {"sentence": "fine", "label": "b"}],
        {"sentence": "lazy dog"},
    ),
    "several labels": (
        lambda e, p: kb.TextClassifier(e, p, tuple("abc"), problem="multi_label_classification"),
        [{"sentence": "the fox", "label": ["a"]}, {"sentence": "fine", "label": ["b", "c"]}],
        {"sentence": "lazy dog"},
    ),
    "numbers of long texts": (
        lambda e, p: kb.TextClassifier(e, p, ("value",), problem="regression", stride=5),
        [{"sentence": "the fox " * 9, "label": 1.5}, {"sentence": "fine", "label": 2}],
        {"sentence": "lazy dog"},
    ),
    "words": (
        lambda e, p: kb.TokenClassifier(e, p, ("O", "B-A", "I-A")),
        [{"words": ["fox"] * 19, "labels": ["O"] * 19}, {"words": ["dog"], "labels": ["B-A"]}],
        {"words": ["lazy", "dog"]},
    ),
    "questions": (
        lambda e, p: kb.QuestionAnswerer(e, p),
        [{**QUESTION, "answers": ["fox"], "answer_starts": [4]}],
        QUESTION,
    ),
    "choices": (
        lambda e, p: kb.MultipleChoice(e, p),
        [{"context": "fox", "question": "so", "choices": ["a", "b", "c"], "label": 1}],
        {"context": "dog", "question": "so", "choices": ["a", "b"]},
    ),
    "pairs": (
        lambda e, p: kb.SentenceEmbedder(e, p),
        [{"text": "fox", "positive": "the fox"}, {"text": "film", "positive": "fine"}],
        {"text": "dog"},
    ),
    "cosines": (
        lambda e, p: kb.SentenceEmbedder(e, p, problem="cosine_regression"),
        [{"text": "fox", "second": "the fox", "label": 0.5}],
        {"text": "dog"},
    ),
}


# The default run has the first; the others are learned in the slow one.
IN_TIERS = [
    pytest.param(name, marks=() if name == "labels" else pytest.mark.slow) for name in TASKS
]


@pytest.fixture
def made(tokenizer, encoder_of, drawn):
    """A function that makes a task's teacher, and a smaller task."""

    def make(name, **student):
        keras.utils.set_random_seed(3)
        packer = kb.Packer(tokenizer, 15)
        sizes = {"num_layers": 1, "dropout": 0.0, "attention_dropout": 0.0, **student}
        teacher = drawn(TASKS[name][0](encoder_of("Bert", num_layers=2), packer))
        return kb.Teacher([teacher]), drawn(TASKS[name][0](encoder_of("Bert", **sizes), packer))

    return make


@pytest.mark.parametrize("name", IN_TIERS)
def test_every_task_learns_of_what_a_teacher_says_and_has_within_it(name, made, without_graphs):
    (teacher, plain), (_, labelled, unlabelled) = made(name), TASKS[name]
    of = ("outputs", "hidden_states", "attention", "relations", "cosine")
    student = kb.student_of(plain, teacher, kb.Lesson(of=of, share=0.75))
    student.compile(kb.AdamW(1e-2))
    data = student.dataset([*labelled, unlabelled], batch_size=4)
    before = student.evaluate(data, return_dict=True, verbose=0)
    student.fit(data.repeat(8), verbose=0)
    after = student.evaluate(data, return_dict=True, verbose=0)
    soft = [key for key in before if key.startswith("soft_")]
    assert soft and {f"{one}_loss" for one in of[1:]} < {*before}
    assert all(np.isfinite(value) for value in after.values())
    assert after["loss"] < before["loss"]
    # The plain task has learned it.
    assert plain.weights[0] is student.weights[0] and len(plain.weights) == len(student.weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_examples_without_labels_learn_of_the_teacher_alone(name, made, without_graphs):
    (teacher, plain), (_, labelled, unlabelled) = made(name), TASKS[name]
    both = kb.student_of(plain, teacher, kb.Lesson())
    of_labels = plain.dataset(labelled, batch_size=8)
    of_all = both.dataset([*labelled, unlabelled], batch_size=8)
    plain.compile("sgd")
    both.compile("sgd")
    wanted = plain.evaluate(of_labels, return_dict=True, verbose=0)
    found = both.evaluate(of_all, return_dict=True, verbose=0)
    names = [key for key in found if not key.startswith("soft_") and key != "loss"]
    if name != "pairs":  # whose loss is asked for one text among those of the batch
        for key in names:
            one = wanted.get(key, wanted["loss"] if key.endswith("_loss") else None)
            assert found[key] == pytest.approx(one, abs=1e-5), key
    taught = kb.student_of(plain, teacher, kb.Lesson(share=1.0))
    taught.compile("sgd")
    logs = taught.evaluate(taught.dataset([unlabelled], batch_size=8), return_dict=True, verbose=0)
    assert np.isfinite(logs["loss"]) and "accuracy" not in logs


@pytest.mark.slow
def test_the_loss_is_that_of_the_whole_batch_however_it_is_cut(made, two_devices):
    teacher, plain = made("choices")
    labelled, unlabelled = TASKS["choices"][1:]
    logs = []
    for strategy, parts in ((tf.distribute.get_strategy(), 2), (two_devices, 1)):
        with strategy.scope():
            task = plain.copy()
            student = kb.student_of(task, teacher, kb.Lesson(of=("outputs", "relations")))
            student.compile(kb.AdamW(1e-2), num_micro_batches=parts)
        data = student.dataset([*labelled, *[unlabelled] * 3], batch_size=4)
        logs.append(student.fit(data, epochs=2, shuffle=False, verbose=0).history)
    for key, values in logs[0].items():
        np.testing.assert_allclose(logs[1][key], values, atol=1e-4, err_msg=key)


@pytest.mark.parametrize(
    ("change", "lesson", "message"),
    [
        ({"hidden_dim": 12}, {"of": ("hidden_states",)}, "hidden_dim, 18, but the student has 12"),
        ({"num_heads": 2}, {"of": ("attention",)}, "num_heads, 3, but the student has 2"),
    ],
)
def test_sizes_that_cannot_be_compared_are_refused(made, change, lesson, message):
    teacher, plain = made("labels", **change)
    with pytest.raises(ValueError, match=f"{message}: learn relations"):
        kb.student_of(plain, teacher, kb.Lesson(**lesson))


def test_what_does_not_fit_is_told_before_anything_is_trained(
    made, tokenizer, byte_pairs_of, encoder_of
):
    teacher, plain = made("labels")
    other = kb.TextClassifier(plain.encoder, plain.packer, ("b", "a"))
    with pytest.raises(ValueError, match=r"labels must be the teacher's, \('a', 'b'\)"):
        kb.student_of(other, teacher)
    questions = made("questions")[1]
    with pytest.raises(ValueError, match="question_answering, but is of text_classification"):
        kb.student_of(questions, teacher)
    blanks = kb.FillMask(kb.BertPretrainer(plain.encoder), plain.packer)
    with pytest.raises(ValueError, match="The task fill_mask has no teacher"):
        kb.student_of(blanks, kb.Teacher([blanks]))
    with pytest.raises(ValueError, match="relations are those of one teacher, but there are 2"):
        kb.student_of(plain, kb.Teacher(teacher.members * 2), kb.Lesson(of=("relations",)))
    pairs = byte_pairs_of("Roberta")
    encoder = encoder_of("Roberta", vocabulary_size=pairs.vocabulary_size, num_layers=1)
    far = kb.QuestionAnswerer(encoder, kb.Packer(pairs, 15))
    with pytest.raises(ValueError, match="question_answering are learned token by token"):
        kb.student_of(far, made("questions")[0])
    student = kb.student_of(plain, teacher)
    with pytest.raises(ValueError, match="no example has a label: give labels, or .* share of 1"):
        student.dataset([TASKS["labels"][2]], batch_size=1)
    with pytest.raises(ValueError, match="only trained: save the task"):
        student.get_config()


@pytest.mark.slow
def test_wider_vectors_are_narrowed_and_narrower_ones_refused(made, without_graphs):
    teacher, plain = made("pairs", hidden_dim=12)
    student = kb.student_of(plain, teacher, kb.Lesson(share=1.0))
    student.compile(kb.AdamW(1e-2))
    data = student.dataset(TASKS["pairs"][1], batch_size=2)
    assert next(iter(data))[1]["soft_embeddings"].shape == (2, 2, 12)
    with pytest.raises(ValueError, match="at most the 12 dimensions .* but have 18"):
        kb.student_of(teacher.members[0], kb.Teacher([plain]))
