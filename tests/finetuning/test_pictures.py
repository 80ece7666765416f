import numpy as np

from keras_bert.finetuning import pictures
from keras_bert.tasks.hooks import Classes


def test_pictures_are_drawn(tmp_path):
    classes = Classes(("no", "yes"), np.array([0, 1, 1]), np.array([0, 0, 1]))
    pictures.draw_confusion(classes, tmp_path / "confusion.png")
    history = {"epoch": [1, 2], "loss": [0.9, 0.5], "val_accuracy": [0.5, 0.75]}
    pictures.draw_scores(history, tmp_path / "scores.png")
    for name in ("confusion.png", "scores.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
