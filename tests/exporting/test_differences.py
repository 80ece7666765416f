import numpy as np

from keras_bert import files
from keras_bert.exporting.differences import differences, largest, sizes_of


def test_the_largest_difference_is_of_numbers_alone():
    one = {"x": np.array([0.5]), "label": np.array([b"a"], object)}
    other = {"x": np.array([0.25]), "label": np.array([b"b"], object)}
    found = differences([one, one], [other, one])
    assert largest(found) == 0.25 and found["label"] == {"share_of_rows_changed": 0.5}
    assert largest({"label": found["label"]}) == 0.0


def test_files_are_told_by_size_and_sum(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x").write_bytes(b"abc")
    (tmp_path / "litert.json").write_text("{}")  # which holds the list
    assert sizes_of(tmp_path) == {
        "below/x": {"bytes": 3, "sha256": files.sha256(tmp_path / "below" / "x")}
    }


def test_differences_of_wider_rectangles():
    expected = {"label": np.array([[b"a"], [b"b"]], object), "value": np.array([[1.0], [2.0]])}
    answers = {
        "label": np.array([[b"a", b""], [b"b", b"c"]], object),
        "value": np.array([[1.0, 0.0], [2.0, 0.5]]),
    }
    for one, other in ((expected, answers), (answers, expected)):
        assert differences([one, expected], [other, expected]) == {
            "label": {"share_of_rows_changed": 0.25},
            "value": {"max_absolute_difference": 0.5},
        }
