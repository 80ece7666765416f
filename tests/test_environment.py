import os
import pathlib
import platform
import runpy
import subprocess
import sys

import pytest

from keras_bert import environment

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("machine", "said", "expected"),
    [("x86_64", None, "1"), ("x86_64", "0", "0"), ("AMD64", None, "1"), ("aarch64", None, None)],
)
def test_onednn_is_on_where_nothing_else_was_said(monkeypatch, machine, said, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if said is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said)
    runpy.run_path(environment.__file__)
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == expected


@pytest.mark.parametrize("package", ["keras_bert", "train", "benchmarks"])
def test_a_package_imports_it_and_tensorflow_waits(package):
    code = f"import sys, {package}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = {"keras_bert.environment", "tensorflow"} & {*result.stdout.split()}
    assert loaded == {"keras_bert.environment"}, result.stderr


def test_triton_comes_before_tensorflow_and_not_without_it(tmp_path):
    for name in ("triton", "tensorflow"):
        (tmp_path / f"{name}.py").write_text(f"print({name!r}, end=' ')")
    code = "import keras_bert; print('ours', end=' '); import tensorflow"
    paths = os.pathsep.join((str(tmp_path), str(ROOT)))
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "ours triton tensorflow ", result.stderr
