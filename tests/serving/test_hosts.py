"""What each side needs of a host: a client no TensorFlow, and a server none to tell its flags."""

import configparser
import json
import pathlib
import re
import subprocess
import sys

import pytest

for package in ("grpc", "httpx", "uvicorn", "starlette", "prometheus_client"):
    pytest.importorskip(package)

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Of what the package requires; the client's own extra has the rest.
NEEDED_BY_CLIENTS = {"absl-py", "filelock", "lazy-loader", "ml_dtypes", "numpy"}


def requirements(text):
    names = (re.match(r"[\w-]+", line) for line in text.splitlines())
    return {found[0] for found in names if found}


@pytest.fixture(scope="module")
def setup():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


@pytest.fixture(scope="module")
def not_for_clients(setup):
    """Modules that only the rest of the package needs, or the server."""
    others = requirements(setup["options"]["install_requires"]) - NEEDED_BY_CLIENTS
    assert {"tensorflow", "tensorflow-text", "keras"} <= others
    names = [name.replace("-", "_") for name in others]
    return (*names, "tensorflow_serving", "uvicorn", "starlette", "prometheus_client")


def run(environment, *command):
    return subprocess.run(
        [sys.executable, *command], env=environment, cwd="/", capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("protocol", "other"), [("grpc", ("httpx",)), ("http", ("grpc", "google"))]
)
def test_a_client_asks_without_tensorflow(
    not_for_clients, host_without, shared_server, protocol, other
):
    port = shared_server.grpc_port if protocol == "grpc" else shared_server.rest_port
    address = f"--server={protocol}://localhost:{port}"
    command = ("-m", "keras_bert.serving.client", address, "--model=toy", "--text=a fine film")
    done = run(host_without(*not_for_clients, *other), *command)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == "positive"


@pytest.mark.parametrize("side", ["client", "server"])
def test_help_and_wrong_flags_come_without_tensorflow(host_without, side):
    alone = host_without("tensorflow", "tensorflow_text", "keras", "tensorflow_serving")
    module = f"keras_bert.serving.{side}"
    helped = run(alone, "-m", module, "--help")
    assert "Usage: python -m" in helped.stdout and not helped.stderr
    wrong = run(alone, "-m", module, "--modell=toy")
    assert wrong.returncode == 1 and "There is no flag --modell" in wrong.stderr


def test_the_package_says_what_is_missing(not_for_clients, host_without):
    done = run(
        host_without(*not_for_clients), "-c", "import keras_bert as kb; kb.Client; kb.BertEncoder"
    )
    assert "ModuleNotFoundError: No module named" in done.stderr.splitlines()[-1]


def test_the_documentation_says_what_to_install(setup):
    text = (ROOT / "docs" / "serving.md").read_text()
    [listed] = re.findall(r"pip install --no-deps kerasbert\npip install (.+)\n", text)
    extra = requirements(setup["options.extras_require"]["client"])
    assert set(listed.split()) == NEEDED_BY_CLIENTS | extra
