"""The flags of what a training runs on."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Literal

import keras_bert as kb
from keras_bert import flags


@dataclasses.dataclass(frozen=True, kw_only=True)
class Devices:
    """What it runs on."""

    strategy: Literal["auto", "none", "mirrored", "multi_worker", "tpu"] = flags.flag_of_machine(
        "auto", "devices to train on; auto: those of TF_CONFIG or Slurm, or of this machine"
    )
    logical_devices: int = flags.flag_of_machine(
        1, "devices that the CPU is split into, to try out mirrored"
    )
    start_timeout: float = flags.flag_of_machine(
        300.0, "seconds in which all workers must have appeared"
    )


def in_scope(arguments: Devices) -> contextlib.AbstractContextManager:
    """The context in which a training's models are built and trained."""
    return kb.training.devices(
        arguments.strategy,
        logical_devices=arguments.logical_devices,
        start_timeout=arguments.start_timeout,
    )
