import numpy as np
import pytest

from keras_bert.finetuning import pictures
from keras_bert.tasks.hooks import Breakdown, Classes


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws by a function, and gives what is written in the picture."""
    figures = []
    save = pictures._save
    monkeypatch.setattr(pictures, "_save", lambda f, path: (figures.append(f), save(f, path)))

    def draw(function, *values):
        function(*values, tmp_path / "picture.png")
        assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
        return figures[-1].axes

    return draw


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_what_was_taken_for_what_has_shares_and_numbers(drawn):
    true = np.array([0, 1, 1, 1])
    classes = Classes(("no", "yes"), true, np.array([0, 0, 1, 1]), np.full(4, 0.9))
    axes, _ = drawn(pictures.draw_confusion, classes)
    assert texts(axes) == ["100%\n1", "0%\n0", "33%\n1", "67%\n2"]
    assert [text.get_color() for text in axes.texts] == ["white", "black", "black", "white"]
    assert axes.get_title() == "4 held-out examples, 75.0% right"


def test_a_reliability_diagram_says_the_error(drawn):
    classes = Classes(("no", "yes"), np.array([0, 1]), np.array([0, 0]), np.array([1.0, 0.6]))
    upper, lower = drawn(pictures.draw_calibration, classes)
    assert upper.get_title() == "Held-out examples: calibration error 30.0%"
    assert [bar.get_height() for bar in lower.patches] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 1]


def test_scores_of_one_kind_share_an_axis(drawn):
    history = {"epoch": [1, 2], "loss": [0.9, 0.5], "val_pearson": [0.5, 0.75]}
    history |= {"val_spearman": [0.5, 0.7], "val_mean_squared_error": [2.0, 1.0]}
    history |= {"val_loss": [2.0, 1.0], "val_total": [9, 9], "val_best_f1_thresh": [0.1, 0.2]}
    first, second = drawn(pictures.draw_scores, history)
    assert [line.get_label() for line in first.lines] == ["pearson", "spearman"]
    assert second.get_ylabel() == "mean squared error (less is better)"


def test_one_epoch_has_bars_and_no_lonely_dots(drawn):
    [axes] = drawn(pictures.draw_scores, {"epoch": [1], "val_f1": [87.5], "val_exact": [80.0]})
    assert not axes.lines and texts(axes) == ["87.500", "80.000"]
    assert axes.get_xlabel() == "score (at most 100)"


def test_the_largest_groups_are_shown_with_their_numbers(drawn):
    counts = {f"kind {i}": 1000 + i for i in range(40)}
    values = dict.fromkeys(counts, 0.5)
    [axes] = drawn(pictures.draw_breakdown, Breakdown("F1", "kind", values, counts))
    assert len(axes.patches) == 30 and texts(axes)[0] == "0.50 (n = 1,039)"
    assert axes.get_title() == "Held-out examples: F1 by kind (largest 30 of all)"
