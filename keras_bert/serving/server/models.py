"""Which models and versions are served: directories, looked at again and again."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import pathlib
import threading
import time
from collections.abc import Mapping

from absl import logging
from google.protobuf.message import Message

from keras_bert.serving.server.served import Served
from keras_bert.serving.wire import errors, layout, messages
from keras_bert.serving.wire.models_config import read_config

# A version that could not be loaded is tried again after so long.
RETRY_S = 60.0


@dataclasses.dataclass
class State:
    """The state of a version, in the words of `ModelVersionStatus`.

    Args:
        state: str, START, LOADING, AVAILABLE, UNLOADING or END.
        code: str, the status code of what went wrong.
        message: str, what went wrong.
        retry_at: float, when to load it again after that, by the monotonic clock.
    """

    state: str
    code: str = "OK"
    message: str = ""
    retry_at: float = 0.0


@dataclasses.dataclass
class _Model:
    """What is known of one model. The dict of what is served is replaced, never changed, as
    requests read it from another thread."""

    served: Mapping[int, Served] = dataclasses.field(default_factory=dict)
    states: dict[int, State] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)


class Models:
    """The models below a base path: `<base path>/<name>/<version>/`.

    The newest version is served, or those that `models.config` says, which is read again like the
    directories. A new version is loaded and warmed up before the one that it replaces is unloaded.
    A version that cannot be loaded is told in the log and in the status, and what was served stays.

    `models.config` is TF Serving's: a model's `model_version_policy` and `version_labels` hold for
    the directory of its `base_path`, in which `/models` stands for the base path here. A model that
    is not in it is served all the same.

    Args:
        base_path: the directory.

    Raises:
        ValueError: there is no such directory, or `models.config` is wrong.
    """

    def __init__(self, base_path: pathlib.Path, retry_s: float = RETRY_S):
        if not base_path.is_dir():
            raise ValueError(
                f"The base path of the models must be a directory, but {base_path} is none: "
                "export a model into it."
            )
        self._base_path = base_path
        self._retry_s = retry_s
        self._models: dict[str, _Model] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._config = read_config(base_path / layout.MODELS_CONFIG_FILE)

    def start(self, interval_s: float) -> None:
        """Looks at the directories now, and again every `interval_s` seconds until `stop`."""
        self.poll()

        def go_on() -> None:
            while not self._stop.wait(interval_s):
                try:
                    self.poll()
                except Exception:
                    logging.exception("The models in %s could not be looked at.", self._base_path)

        self._thread = threading.Thread(target=go_on, name="models", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends what `start` began."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def poll(self) -> None:
        """Looks at the directories once, loads what is new and unloads what is no longer wanted."""
        try:
            self._config = read_config(self._base_path / layout.MODELS_CONFIG_FILE)
        except (ValueError, OSError) as error:
            logging.error("The former configuration stays. %s", error)
        for name, path in self._paths().items():
            config = self._config.get(name, messages.ModelConfig())
            self._update(name, _versions(path), config.model_version_policy)
            if name in self._models:
                self._models[name].labels = dict(config.version_labels)

    def find(self, name: str, version: int | None = None, label: str | None = None) -> Served:
        """The model for a request: of the newest version unless it says which.

        Raises:
            NotFoundError: it is not served.
            InvalidRequestError: there is no such label.
        """
        model = self._models.get(name, _Model())
        served = model.served
        if label:
            version = model.labels.get(label)
            if version not in served:
                raise errors.invalid(
                    f"A label must be one of a version that is served, but {label!r} of model "
                    f"{name!r} is {'none' if version is None else f'of version {version}'}: "
                    f"correct it, or {layout.MODELS_CONFIG_FILE}."
                )
        wanted = max(served, default=None) if version is None else version
        if wanted is None or wanted not in served:
            raise errors.from_code(
                "NOT_FOUND",
                f"The model must be served, but {name!r}"
                f"{'' if version is None else f' of version {version}'} is not: there are "
                f"{self._listed()}.",
            )
        return served[wanted]

    def status(self, name: str, version: int | None = None) -> dict[int, State]:
        """The states of the versions of a model, the newest first, or of the one that is asked for.

        Raises:
            NotFoundError: there is no such model or version.
        """
        states = dict(self._models[name].states) if name in self._models else {}
        states = {n: states[n] for n in sorted(states, reverse=True) if version in (None, n)}
        if not states:
            raise errors.from_code(
                "NOT_FOUND",
                f"The model must be known, but {name!r}"
                f"{'' if version is None else f' of version {version}'} is not: there are "
                f"{self._listed()}.",
            )
        return states

    def names(self) -> tuple[str, ...]:
        """The names of all models that were ever seen."""
        return tuple(sorted(self._models))

    def _listed(self) -> str:
        served = {name: sorted(self._models[name].served) for name in self.names()}
        return "; ".join(f"{name!r} of {versions}" for name, versions in served.items()) or "none"

    def _paths(self) -> dict[str, pathlib.Path]:
        """Directories by model: those that the configuration names, all others, and those that are
        gone."""
        named = {
            name: _local(config.base_path, self._base_path) for name, config in self._config.items()
        }
        others = {
            path.name: path
            for path in self._base_path.iterdir()
            if path.is_dir() and path not in named.values() and not path.name.startswith(".")
        }
        gone = {name: self._base_path / name for name in self._models}
        return {**gone, **others, **named}

    def _update(self, name: str, there: Mapping[int, pathlib.Path], policy: Message) -> None:
        model = self._models.get(name, _Model())
        wanted = _wanted(there, policy)
        if there or model.states or _named(policy):
            self._models[name] = model
        for version, path in sorted(wanted.items()):
            if version not in model.served:
                self._load(model, name, version, path)
        # What was served stays where nothing that is wanted is there, or could be loaded.
        if not there or set(wanted) & set(model.served):
            for version in sorted(set(model.served) - set(wanted)):
                self._unload(model, name, version)
        for version in set(model.states) - set(model.served) - set(wanted):
            model.states[version].state = "END"
        for version in sorted(set(_named(policy)) - set(there) - set(model.served)):
            _miss(model, name, version)

    def _load(self, model: _Model, name: str, version: int, path: pathlib.Path) -> None:
        before = model.states.get(version)
        if before is not None and time.monotonic() < before.retry_at:
            return
        model.states[version] = State("LOADING")
        logging.info("Loading version %d of %s from %s.", version, name, path)
        try:
            loaded = _loaded(path, name, version)
        # Whatever is wrong with one version must not stop the others.
        except Exception as error:
            # Clients are not told where the server has its files.
            message = _message(error).replace(str(path), f"{name}/{version}")
            retry_at = time.monotonic() + self._retry_s
            model.states[version] = State("END", errors.code_of(error), message, retry_at)
            logging.exception(
                "Version %d of %s is not served; it is tried again in %g s.",
                *(version, name, self._retry_s),
            )
            return
        model.served = {**model.served, version: loaded}
        model.states[version] = State("AVAILABLE")
        logging.info("Version %d of %s is served.", version, name)

    def _unload(self, model: _Model, name: str, version: int) -> None:
        """Requests that are under way hold the version until they are answered."""
        model.states[version] = State("UNLOADING")
        model.served = {n: served for n, served in model.served.items() if n != version}
        # A loaded model refers to itself, and to a lot of memory.
        gc.collect()
        model.states[version] = State("END")
        logging.info("Version %d of %s is no longer served.", version, name)


def _loaded(path: pathlib.Path, name: str, version: int) -> Served:
    """A version in memory: a SavedModel, or an export for LiteRT."""
    if (path / layout.LITE_FILE).is_file():
        from keras_bert.serving.server.lite_model import LiteModel

        return LiteModel(path, name, version)
    # It imports TensorFlow, which nothing else here needs.
    from keras_bert.serving.server.saved_model import SavedModel

    return SavedModel(path, name, version)


def _versions(path: pathlib.Path) -> dict[int, pathlib.Path]:
    """Directories by version; what is not named by a number is not there yet."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        # The last of `1` and `01` wins, whatever order the file system has.
        return {
            int(entry.name): entry
            for entry in sorted(path.iterdir())
            if layout.VERSION.fullmatch(entry.name) and entry.is_dir()
        }
    return {}


def _wanted(versions: Mapping[int, pathlib.Path], policy: Message) -> dict[int, pathlib.Path]:
    """The versions that a ServableVersionPolicy wants."""
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return dict(versions)
    if kind == "specific":
        return {version: versions[version] for version in _named(policy) if version in versions}
    number = max(policy.latest.num_versions, 1)
    return {version: versions[version] for version in sorted(versions)[-number:]}


def _named(policy: Message) -> tuple[int, ...]:
    """The versions that a ServableVersionPolicy names."""
    return tuple(policy.specific.versions)


def _miss(model: _Model, name: str, version: int) -> None:
    """Says once that a version that is wanted by name is not there."""
    message = (
        f"Version {version} of {name}, which {layout.MODELS_CONFIG_FILE} names, must be there, but "
        f"is not: copy it, or correct {layout.MODELS_CONFIG_FILE}."
    )
    state = State("END", "NOT_FOUND", message)
    if model.states.get(version) != state:
        logging.error("%s", message)
    model.states[version] = state


def _message(error: Exception) -> str:
    return error.message if isinstance(error, errors.ServingError) else str(error)


def _local(path: str, base_path: pathlib.Path) -> pathlib.Path:
    """The directory that TF Serving's container sees as `path`."""
    with contextlib.suppress(ValueError):
        return base_path / pathlib.PurePosixPath(path).relative_to(layout.CONTAINER_PATH)
    return pathlib.Path(path)
