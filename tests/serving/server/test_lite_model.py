"""An export for LiteRT is served as a SavedModel is."""

import shutil

import numpy as np
import pytest

from keras_bert.serving.server.lite_model import MAX_TEXT_BYTES, LiteModel
from keras_bert.serving.server.models import Models
from keras_bert.serving.wire import errors


def text_of(*texts):
    return {"text": np.array(texts, object)}


def test_signatures_and_numbers(lite_exports):
    task, [path, _] = lite_exports
    model = LiteModel(path, "labels", 1)
    signature = model.signatures["serving_default"]
    assert str(signature.inputs["text"]) == "string [None]"
    assert str(signature.outputs["probabilities"]) == "float [None, None]"
    outputs = model.run("serving_default", text_of(b"a fine film", "fox"))
    wanted = task(["a fine film", "fox"])
    assert outputs["label"].tolist() == [one["label"].encode() for one in wanted]
    np.testing.assert_allclose(
        outputs["probabilities"], [one["probabilities"] for one in wanted], atol=1e-5
    )


def test_a_text_that_is_too_long_is_refused(lite_exports):
    model = LiteModel(lite_exports[1][0], "labels", 1)
    with pytest.raises(errors.InvalidRequestError, match="text may have at most 65536 bytes"):
        model.run("serving_default", text_of(b"a", b"a" * (MAX_TEXT_BYTES + 1)))


def test_it_is_found_beside_others_and_checked(lite_exports, tmp_path):
    shutil.copytree(lite_exports[1][1], tmp_path / "labels" / "1")
    models = Models(tmp_path)
    models.poll()
    assert isinstance(models.find("labels"), LiteModel)
    assert models.status("labels")[1].state == "AVAILABLE"
    shutil.copytree(lite_exports[1][1], tmp_path / "damaged" / "1")
    (tmp_path / "damaged" / "1" / "vocab.txt").write_text("[PAD]")
    models.poll()
    [state] = models.status("damaged").values()
    assert "damaged/1/vocab.txt must be the file that was exported" in state.message
