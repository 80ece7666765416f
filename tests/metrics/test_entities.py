"""Entities are those that seqeval finds; where it is installed, random tags are compared too."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from keras_bert import metrics

TAGS = ("O", "O", "B-A", "I-A", "E-A", "S-A", "M-A", "B-B", "I-B", "E-B", "S-B", "M-B")
ODD_TAGS = (*TAGS, "B", "I", "E", "S", "M", "BA", "IA", "B-", "I-A-B", ".", "-", "O-A", "X-A")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["O", "B-PER", "I-PER", "O", "B-LOC"], [("PER", 1, 3), ("LOC", 4, 5)]),
        # IOB1, and an end that follows an end.
        (
            ["I-PER", "I-PER", "I-LOC", "O", "E-LOC", "E-LOC"],
            [("PER", 0, 2), ("LOC", 2, 3), ("LOC", 4, 5), ("LOC", 5, 6)],
        ),
        (["B-A", "M-A", "E-A", "S-B", "S-B"], [("A", 0, 3), ("B", 3, 4), ("B", 4, 5)]),
        (["B", "I", "O", "BPER", "I-PER-X"], [("_", 0, 2), ("PER", 3, 4), ("PER-X", 4, 5)]),
        (["S-A", "I-A", "E-A", "I-A"], [("A", 0, 1), ("A", 1, 3), ("A", 3, 4)]),
        (["B-A", "I-B", "B-B", "I"], [("A", 0, 1), ("B", 1, 2), ("B", 2, 3), ("_", 3, 4)]),
        (["B-A", "B-A", "I-A", "S-A", "B-A"], [("A", 0, 1), ("A", 1, 3), ("A", 3, 4), ("A", 4, 5)]),
        (["O", "E", "I", "O", "I", "E"], [("_", 1, 2), ("_", 2, 3), ("_", 4, 6)]),
        ([], []),
    ],
)
def test_entities(labels, expected):
    assert metrics.entities(labels) == expected


SENTENCES = st.lists(st.sampled_from(["O", *"BIES", *(f"{t}-{k}" for t in "BIES" for k in "xy")]))


def entities_restated(labels):
    """Neighbours are of one entity if they are of one kind, and neither says that it is not."""
    found = []
    for place, label in enumerate(labels):
        if label == "O":
            continue
        kind = label[2:] or "_"
        before = labels[place - 1] if place else "O"
        goes_on = before[0] in "BI" and label[0] in "IE" and before[1:] == label[1:]
        start = found.pop()[1] if goes_on else place
        found.append((kind, start, place + 1))
    return found


@hypothesis.given(SENTENCES)
def test_entities_of_any_tags_are_runs_of_one_kind(labels):
    assert metrics.entities(labels) == entities_restated(labels)


@hypothesis.given(st.lists(st.tuples(SENTENCES, st.randoms(use_true_random=False)), min_size=1))
def test_scores_of_any_tags_count_entities_sentence_by_sentence(sentences):
    gold = [labels for labels, _ in sentences]
    predicted = [[*labels] for labels in gold]
    for labels, (_, random) in zip(predicted, sentences, strict=True):
        random.shuffle(labels)
    counts = {"right": 0, "predicted": 0, "gold": 0}
    for ours, theirs in zip(gold, predicted, strict=True):
        wanted, said = set(entities_restated(ours)), set(entities_restated(theirs))
        counts["right"] += len(wanted & said)
        counts["predicted"] += len(said)
        counts["gold"] += len(wanted)
    scores = metrics.entity_scores(gold, predicted)
    assert scores["precision"] == counts["right"] / max(counts["predicted"], 1)
    assert scores["recall"] == counts["right"] / max(counts["gold"], 1)
    assert scores["support"] == counts["gold"]
    assert sum(kind["support"] for kind in scores["kinds"].values()) == counts["gold"]


def test_entity_scores():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG", "B-LOC"]]
    predicted = [["B-PER", "I-PER", "O", "O"], ["B-PER", "I-ORG", "B-LOC"]]
    scores = metrics.entity_scores(gold, predicted)
    kinds = scores.pop("kinds")
    expected = {"precision": 3 / 4, "recall": 3 / 4, "f1": 3 / 4, "support": 4}
    assert scores == pytest.approx(expected)
    assert list(kinds) == ["LOC", "ORG", "PER"]
    expected = {"precision": 1.0, "recall": 1 / 2, "f1": 2 / 3, "support": 2}
    assert kinds["LOC"] == pytest.approx(expected)
    expected = {"precision": 1 / 2, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert kinds["PER"] == pytest.approx(expected)


def test_entities_end_with_their_sentence():
    gold, predicted = [["I-A"], ["I-A", "O"]], [["I-A"], ["O", "I-A"]]
    assert metrics.entity_scores(gold, predicted)["f1"] == 0.5


def test_entity_scores_without_entities_are_0():
    nothing = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert metrics.entity_scores([["O"]], [["O"]]) == {**nothing, "kinds": {}}


@pytest.mark.reference("seqeval")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tags", [TAGS, ODD_TAGS], ids=["usual", "odd"])
def test_entities_as_seqeval_finds_them(tags):
    from seqeval import metrics as seqeval
    from seqeval.metrics.sequence_labeling import get_entities

    generator = np.random.default_rng(13)
    for _ in range(200):
        lengths = generator.integers(1, 17, generator.integers(1, 6))
        gold = [generator.choice(tags, length).tolist() for length in lengths]
        noise = generator.choice([0.0, 0.2, 1.0])
        predicted = [
            [str(generator.choice(tags)) if generator.uniform() < noise else tag for tag in row]
            for row in gold
        ]
        for row in gold:
            expected = [(kind, start, end + 1) for kind, start, end in get_entities(row)]
            assert metrics.entities(row) == expected
        report = seqeval.classification_report(gold, predicted, output_dict=True)
        scores = metrics.entity_scores(gold, predicted)
        found = {"micro avg": scores, **scores.pop("kinds")}
        assert set(report) - set(found) == {"macro avg", "weighted avg"}
        for kind, values in found.items():
            values["f1-score"] = values.pop("f1")
            assert values == pytest.approx(report[kind])
        assert scores["precision"] == pytest.approx(seqeval.precision_score(gold, predicted))
        assert scores["recall"] == pytest.approx(seqeval.recall_score(gold, predicted))
        assert scores["f1-score"] == pytest.approx(seqeval.f1_score(gold, predicted))


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda: metrics.entities(["B-PER", ""]), "there is '' in"),
        (lambda: metrics.entities("B-PER"), "a sequence of strings"),
        (lambda: metrics.entity_scores([["O"]], []), "'gold': 1, 'predicted': 0"),
        (lambda: metrics.entity_scores([[], ["O"]], [[], ["O", "O"]]), "sentence 1 has 2 and 1"),
    ],
)
def test_what_does_not_fit_is_refused(score, message):
    with pytest.raises(ValueError, match=message):
        score()
