import json

import pytest

from keras_bert import files
from keras_bert.serving.server import version_files


@pytest.fixture
def version(tmp_path):
    (tmp_path / "model").write_bytes(b"weights")
    listed = {"files": {"model": {"sha256": files.sha256(tmp_path / "model")}}}
    (tmp_path / "list.json").write_text(json.dumps(listed))
    return tmp_path


def test_files_must_be_those_that_were_exported(version):
    version_files.check(version, "list.json")
    version_files.check(version, "other.json")  # which is not there
    (version / "model").write_bytes(b"weighty")
    with pytest.raises(ValueError, match="model must be the file that was exported, but it is dam"):
        version_files.check(version, "list.json")
    (version / "model").unlink()
    with pytest.raises(ValueError, match="but it is not there"):
        version_files.check(version, "list.json")


@pytest.mark.parametrize("content", ["{", '{"files": {"model": {}}}', '{"files": [1]}'])
def test_a_list_that_cannot_be_read_is_told(version, content):
    (version / "list.json").write_text(content)
    with pytest.raises(ValueError, match=r"list\.json must be JSON as it was exported"):
        version_files.check(version, "list.json")
