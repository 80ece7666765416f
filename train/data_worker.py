"""Makes batches of text for trainings on other machines, or on other cores.

keras-bert data-worker --address=node-c:5050
"""

from __future__ import annotations

import dataclasses
import os
import signal

import keras_bert as kb
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    address: str = flags.flag(
        "localhost:5050", "host:port as trainers reach it; the next port is taken, too"
    )


def main(arguments: Arguments) -> None:
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # in the threads of the servers, too
    with kb.training.data_service.serving(arguments.address):
        print(
            f"Making batches at {arguments.address}, until SIGTERM or Ctrl-C.\n"
            f"Next: keras-bert pretrain --data_service={arguments.address} ..., with "
            "--num_shards=N and N addresses, commas between them, for N of these.",
            flush=True,
        )
        received = signal.sigwait(signals)
        print(f"Ended by {signal.Signals(received).name}.", flush=True)
        os._exit(0)  # A server that is stopped waits for readers that may be gone.


if __name__ == "__main__":
    flags.run(main, Arguments)
