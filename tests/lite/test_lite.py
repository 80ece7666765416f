import json
import shutil
import subprocess
import sys

import pytest

from keras_bert.lite import Lite
from keras_bert.lite.lite import CONFIG_FILE, read_config

WITHOUT_TENSORFLOW = """
import sys, time
start = time.perf_counter()
for name in ("tensorflow", "tensorflow_text", "keras", *{more!r}):
    sys.modules[name] = None
import keras_bert.lite
try:
    print(keras_bert.lite.Lite({path!r})("a fine film")["label"], time.perf_counter() - start)
except ModuleNotFoundError as error:
    print(error)
"""


def run(path, *more):
    code = WITHOUT_TENSORFLOW.format(path=str(path), more=more)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_of_tensorflow_is_imported(lite_exports):
    said = run(lite_exports[1][0], "ai_edge_litert", "absl", "filelock", "ml_dtypes")
    assert said == "A LiteRT export is run by ai-edge-litert: pip install ai-edge-litert\n"


@pytest.mark.reference("ai_edge_litert")
def test_it_answers_without_tensorflow(lite_exports):
    task, [path, _] = lite_exports
    label, seconds = run(path, "absl", "filelock").split()
    assert label == task("a fine film")["label"] and float(seconds) < 30


def test_what_is_no_export_or_a_later_one_is_told(lite_exports, tmp_path):
    with pytest.raises(
        ValueError, match=rf"{CONFIG_FILE} must be the description of a LiteRT export"
    ):
        Lite(tmp_path / "nothing")
    later = tmp_path / "later"
    shutil.copytree(lite_exports[1][0], later)
    config = read_config(later)
    (later / CONFIG_FILE).write_text(json.dumps({**config, "format_version": 2}))
    with pytest.raises(ValueError, match="of version 1 at most, but is of 2"):
        Lite(later)


def test_arrays_have_a_row_for_each_example(lite_exports):
    lite = Lite(lite_exports[1][0])
    none = lite.arrays({"text": []}, "serving_default")
    assert {name: value.shape for name, value in none.items()} == {
        "label": (0,),
        "probability": (0,),
        "probabilities": (0, 0),
    }
