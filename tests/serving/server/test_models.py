"""Which versions are served: directories that come and go, policies, labels, failures."""

import gc
import shutil
import weakref

import numpy as np
import pytest

from keras_bert.serving.server import saved_model
from keras_bert.serving.server.models import Models
from keras_bert.serving.wire import errors

INPUTS = {"sentence": np.array([b"a fine film"], object)}


def config(*models):
    """The file's text: a name, a path and more for each model."""
    listed = (f'config {{ name: "{n}" base_path: "{path}" {more} }}' for n, path, more in models)
    return f"model_config_list {{ {' '.join(listed)} }}"


def config_of_toy(more):
    return config(("toy", "/models/toy", more))


@pytest.fixture
def add(base_path, toys):
    """Makes a version by renaming, as the exporter does."""

    def add(version, scale=0.5, name="toy"):
        staging = base_path / name / ".writing"
        shutil.copytree(toys[scale], staging)
        staging.rename(base_path / name / str(version))

    return add


def states(served, name="toy"):
    return {version: state.state for version, state in served.status(name).items()}


def polled(base_path):
    served = Models(base_path)
    served.poll()
    return served


def test_the_newest_version_is_served(base_path, add):
    add(12)
    served = polled(base_path)
    assert states(served) == {12: "AVAILABLE"}
    assert served.find("toy").version == served.find("toy", 12).version == 12
    assert served.names() == ("toy",)


def test_a_new_version_takes_over_and_the_old_one_is_freed(base_path, add):
    served = polled(base_path)
    old = served.find("toy")
    gone = weakref.ref(old)
    add(2)
    served.poll()
    assert states(served) == {2: "AVAILABLE", 1: "END"}
    assert served.find("toy").run("serving_default", INPUTS)["label"] == [b"positive"]
    # A request that is under way still has its version.
    assert old.run("serving_default", INPUTS)["label"] == [b"positive"]
    del old
    gc.collect()
    assert gone() is None
    with pytest.raises(errors.NotFoundError, match=r"'toy' of version 1 is not: there are"):
        served.find("toy", 1)


def test_the_new_version_is_ready_before_the_old_one_ends(base_path, add, monkeypatch):
    served = polled(base_path)
    add(2)
    seen = []

    class Seen(saved_model.SavedModel):
        def __init__(self, path, name, version):
            super().__init__(path, name, version)
            seen.append((served.find("toy").version, states(served)))

    monkeypatch.setattr(saved_model, "SavedModel", Seen)
    served.poll()
    assert seen == [(1, {2: "LOADING", 1: "AVAILABLE"})]


def test_a_version_that_is_deleted_gives_way_to_the_one_before(base_path, add):
    add(2)
    served = polled(base_path)
    shutil.rmtree(base_path / "toy" / "2")
    served.poll()
    assert states(served) == {2: "END", 1: "AVAILABLE"}
    shutil.rmtree(base_path / "toy")
    served.poll()
    assert states(served) == {2: "END", 1: "END"}
    with pytest.raises(errors.NotFoundError):
        served.find("toy")


def test_a_broken_version_leaves_the_old_one_and_is_tried_again(base_path, add, toys):
    served = Models(base_path, retry_s=0.0)
    served.poll()
    (base_path / "toy" / "2").mkdir()
    for _ in range(2):
        served.poll()
        state = served.status("toy")[2]
        assert (state.state, state.code) == ("END", "INVALID_ARGUMENT")
        assert "there is no" in state.message
        assert served.find("toy").version == 1
    shutil.copytree(toys[0.5], base_path / "toy" / "2", dirs_exist_ok=True)
    served.poll()
    assert states(served) == {2: "AVAILABLE", 1: "END"}


def test_a_broken_version_is_not_tried_at_each_look(base_path, toys):
    served = polled(base_path)
    (base_path / "toy" / "2").mkdir()
    served.poll()
    shutil.copytree(toys[0.5], base_path / "toy" / "2", dirs_exist_ok=True)
    served.poll()
    assert states(served) == {2: "END", 1: "AVAILABLE"}


def test_a_version_whose_file_is_damaged_says_so(base_path):
    (base_path / "toy" / "1" / "saved_model.pb").write_bytes(b"damaged")
    served = polled(base_path)
    assert states(served) == {1: "END"}
    assert served.status("toy", 1)[1].code == "INTERNAL"


def test_other_names_are_no_versions(base_path, add, tmp_path):
    add("1.bak")
    add("-3")
    add("latest")
    (base_path / "toy" / "7").write_text("a file")
    (base_path / "empty").mkdir()
    (base_path / ".hidden").mkdir()
    shutil.copytree(base_path / "toy" / "1", base_path / ".hidden" / "1")
    served = polled(base_path)
    assert states(served) == {1: "AVAILABLE"}
    assert served.names() == ("toy",)


@pytest.mark.parametrize(
    "policy, expected",
    [
        ("", {3}),
        ("model_version_policy { all {} }", {1, 2, 3}),
        ("model_version_policy { latest { num_versions: 2 } }", {2, 3}),
        ("model_version_policy { specific { versions: 1 versions: 9 } }", {1}),
    ],
)
def test_policies(base_path, add, policy, expected):
    add(2)
    add(3)
    (base_path / "models.config").write_text(config_of_toy(policy))
    served = polled(base_path)
    assert {v for v, state in states(served).items() if state == "AVAILABLE"} == expected


def test_a_version_that_is_not_there_does_not_end_the_one_that_is(base_path, add):
    served = polled(base_path)
    policy = "model_version_policy { specific { versions: 9 } }"
    (base_path / "models.config").write_text(config_of_toy(policy))
    served.poll()
    assert states(served) == {9: "END", 1: "AVAILABLE"}
    state = served.status("toy", 9)[9]
    assert state.code == "NOT_FOUND" and "Version 9 of toy" in state.message
    assert served.find("toy").version == 1
    add(9)
    served.poll()
    assert states(served) == {9: "AVAILABLE", 1: "END"}
    shutil.rmtree(base_path / "toy")
    served.poll()
    assert states(served) == {9: "END", 1: "END"}


def test_where_the_server_has_its_files_is_not_told(base_path):
    (base_path / "toy" / "1" / "variables" / "variables.index").write_bytes(b"")
    state = polled(base_path).status("toy", 1)[1]
    assert "toy/1" in state.message and str(base_path) not in state.message


def test_labels_are_read_again_and_are_of_versions_that_are_served(base_path, add):
    add(2)
    labels = 'version_labels { key: "stable" value: %d } version_labels { key: "gone" value: 7 }'
    policy = "model_version_policy { all {} }"
    (base_path / "models.config").write_text(config_of_toy(policy + labels % 1))
    served = polled(base_path)
    assert served.find("toy", label="stable").version == 1
    (base_path / "models.config").write_text(config_of_toy(policy + labels % 2))
    served.poll()
    assert served.find("toy", label="stable").version == 2
    with pytest.raises(errors.InvalidRequestError, match="'gone' of model 'toy' is of version 7"):
        served.find("toy", label="gone")
    with pytest.raises(errors.InvalidRequestError, match="'other' of model 'toy' is none"):
        served.find("toy", label="other")


def test_a_model_by_another_name_or_elsewhere(base_path, tmp_path):
    shutil.copytree(base_path / "toy", tmp_path / "elsewhere")
    path = base_path / "models.config"
    path.write_text(config(("renamed", "/models/toy", ""), ("other", tmp_path / "elsewhere", "")))
    served = polled(base_path)
    assert served.names() == ("other", "renamed")
    assert served.find("other").version == served.find("renamed").version == 1


def test_a_configuration_that_becomes_wrong_is_told_and_not_used(base_path, add, caplog):
    path = base_path / "models.config"
    path.write_text(config_of_toy("model_version_policy { all {} }"))
    served = polled(base_path)
    path.write_text("nonsense")
    add(2)
    served.poll()
    assert states(served) == {2: "AVAILABLE", 1: "AVAILABLE"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("nonsense", "must be a ModelServerConfig in text form"),
        (config(*[("toy", "/models/toy", "")] * 2), "models of different names"),
        (config(("", "/models/toy", "")), "models of different names"),
        (config_of_toy('model_platform: "caffe"'), r"\['caffe'\]"),
    ],
)
def test_other_configurations_are_refused(base_path, text, message):
    (base_path / "models.config").write_text(text)
    with pytest.raises(ValueError, match=message):
        Models(base_path)


def test_a_base_path_must_be_there(tmp_path):
    with pytest.raises(ValueError, match="must be a directory"):
        Models(tmp_path / "missing")


def test_what_is_not_known(base_path):
    served = polled(base_path)
    for ask in (served.find, served.status):
        with pytest.raises(errors.NotFoundError, match=r"there are 'toy' of \[1\]"):
            ask("other")
        with pytest.raises(errors.NotFoundError, match="'toy' of version 3"):
            ask("toy", 3)
