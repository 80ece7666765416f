"""Keras knows what its files name of this package, though none of it is imported."""

import importlib
import pathlib
import subprocess
import sys

import keras

import keras_bert as kb
from keras_bert import registered
from keras_bert.layers.configured import Configured

PACKAGE = pathlib.Path(kb.__file__).parent
PREFIX = f"{registered.PACKAGE}>"


def is_ours(kind):
    """Whether a class is of the package: other tests make some in files of their own."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and PACKAGE in pathlib.Path(file).parents


def test_the_names_are_those_of_all_that_is_registered():
    told = {
        f"{PREFIX}{name}": getattr(importlib.import_module(f"keras_bert.{module}"), name)
        for module, names in registered.CLASSES.items()
        for name in names
    }
    for name in kb.__all__:
        getattr(kb, name)
    known = {
        name: kind
        for name, kind in keras.saving.get_custom_objects().items()
        if name.startswith(PREFIX) and is_ours(kind)
    }
    assert known == told
    ours = [
        kind for kind in Configured.__subclasses__() if kind.__module__.startswith("keras_bert")
    ]
    assert len(ours) > 8 and {PREFIX + kind.__name__ for kind in ours} <= known.keys()


def test_a_class_is_imported_when_a_file_asks_for_it():
    later = registered.Later("layers.pooling", "Pooling")
    assert later.from_config({"mode": "max", "name": "p"}).mode == "max"


def test_a_file_is_opened_by_a_process_that_has_imported_nothing_else(tmp_path, tokenizer):
    config = kb.BertConfig(
        vocabulary_size=101, num_layers=1, num_heads=3, hidden_dim=18, intermediate_dim=31
    )
    task = kb.SentenceEmbedder(kb.BertEncoder(config), kb.Packer(tokenizer, 9))
    task.save(tmp_path / "task.keras")
    code = (
        "import sys, keras_bert; assert 'keras' not in sys.modules; import keras;"
        f"task = keras.models.load_model({str(tmp_path / 'task.keras')!r});"
        "print(task.embed('the fox').sum())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert abs(float(said.stdout) - task.embed("the fox").sum()) < 1e-4
