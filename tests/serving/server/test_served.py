import json

import numpy as np
import pytest

from keras_bert.serving.server.served import Served
from keras_bert.serving.wire import messages


class Doubled(Served):
    """Twice what it is asked."""

    METADATA = "list.json"

    def read_signatures(self, path):
        defs = messages.SignatureDefMap()
        defs.signature_def["twice"].inputs["x"].dtype = 1
        return defs

    def load(self, path):
        self.loaded = (path / "weights").read_text(), set(self.signatures)

    def run(self, signature, inputs):
        return {"x": 2 * inputs["x"]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "weights").write_text("2")
    (tmp_path / "list.json").write_text(json.dumps({"files": {}}))
    return tmp_path


def test_what_is_made_of_a_version(folder):
    served = Doubled(folder, "toy", 3)
    assert (served.name, served.version) == ("toy", 3)
    assert served.loaded == ("2", {"twice"})
    assert served.run("twice", {"x": np.array([4.0])})["x"].tolist() == [8.0]


def test_nothing_is_loaded_of_files_that_are_damaged(folder):
    listed = {"files": {"weights": {"bytes": 1, "sha256": "0"}}}
    (folder / "list.json").write_text(json.dumps(listed))
    with pytest.raises(ValueError, match="weights must be the file that was exported"):
        Doubled(folder, "toy", 3)
