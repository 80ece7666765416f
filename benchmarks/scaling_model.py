"""Pretraining on 8 to 1,024 devices, on paper: the tables of docs/distributed.md.

    python -m benchmarks.scaling_model

Nothing is measured here: docs/distributed.md has the formulas, and what the tables are worth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from absl import app

from keras_bert.config import BertConfig
from keras_bert.flops import num_training_flops

NUM_DEVICES = (8, 64, 256, 1024)
DEVICES_OF_NODE = 8
# Bytes a second: within a node (NVLink of an H100, one direction), and out of one: 100 Gbit/s,
# 400 Gbit/s, and 400 Gbit/s for each of 8 devices.
WITHIN_NODE, OUT_OF_NODE = 450e9, (12.5e9, 50e9, 400e9)
DISKS = (0.5e9, 2e9)
SEQUENCE_LENGTH, NUM_PREDICTIONS = 128, 20
# Gradients, weights and AdamW's two slots are float32, under mixed_bfloat16 too.
GRADIENT_BYTES, STATE_BYTES = 4, 12
BATCH_OF_RUN, STEPS_OF_EPOCH = 8192, 1000
# Rows a second on one core, of benchmarks/README.md (input_pipeline).
ROWS_FROM_TEXT, ROWS_FROM_TOKENS = 14_024, 28_607


@dataclasses.dataclass(frozen=True)
class Setting:
    """A size of the model on one device: its rows, and the rate of a step, in operations a second.

    The rates are those of benchmarks/README.md (jax_training_step, one H200, bfloat16).
    """

    preset: str
    rows: int
    rate: float

    @property
    def config(self) -> BertConfig:
        return BertConfig.preset(self.preset)

    def compute_s(self, rows: float) -> float:
        return rows * num_training_flops(self.config, SEQUENCE_LENGTH, NUM_PREDICTIONS) / self.rate


SETTINGS = (Setting("base", 128, 263.5e12), Setting("large", 64, 291.8e12))


def main(_: Sequence[str]) -> None:
    print("\n".join(tables()))


def tables() -> Iterator[str]:
    """The lines of all tables, in Markdown."""
    yield from model_table()
    yield ""
    yield from scaling_table("the rows of a device stay", lambda setting, number: setting.rows)
    yield ""
    yield from scaling_table(
        f"the batch stays {BATCH_OF_RUN:,} rows", lambda _, number: BATCH_OF_RUN / number
    )
    yield ""
    yield from published_table()


def num_parameters(config: BertConfig) -> int:
    """Weights of a pretrainer: encoder with pooler, and both heads; the table is counted once."""
    hidden, intermediate = config.hidden_dim, config.intermediate_dim
    rows = config.vocabulary_size + config.max_sequence_length + config.num_segments
    block = 4 * hidden * (hidden + 1) + 2 * hidden * intermediate + intermediate + hidden
    dense = hidden * (hidden + 1)
    norm = 2 * hidden
    heads = dense + norm + config.vocabulary_size + 2 * (hidden + 1)
    return rows * hidden + norm + config.num_layers * (block + 2 * norm) + dense + heads


def row_bytes(sequence_length: int, num_predictions: int) -> int:
    """Of a row as it is fed: three ids a token, three a prediction, the label and its weight."""
    return 4 * (3 * sequence_length + 3 * num_predictions + 2)


def reduce_s(config: BertConfig, number: int, out_of_node: float) -> float:
    """Seconds of a ring all-reduce of all gradients, at the rate of its slowest link."""
    rate = WITHIN_NODE if number <= DEVICES_OF_NODE else min(WITHIN_NODE, out_of_node)
    return 2 * (number - 1) / number * GRADIENT_BYTES * num_parameters(config) / rate


def model_table() -> Iterator[str]:
    yield (
        "| model | parameters n | GFLOP a row f | rows of a device b | ms of their step, alone "
        "| gradients, GB | state of training, GB "
        f"| s to write it at {DISKS[0] / 1e9:g} and {DISKS[1] / 1e9:g} GB/s "
        f"| share of the time, every {STEPS_OF_EPOCH:,} steps |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for setting in SETTINGS:
        number, seconds = num_parameters(setting.config), setting.compute_s(setting.rows)
        flops = num_training_flops(setting.config, SEQUENCE_LENGTH, NUM_PREDICTIONS)
        writing = [STATE_BYTES * number / disk for disk in DISKS]
        shares = [one / (one + STEPS_OF_EPOCH * seconds) for one in writing]
        cells = (
            *(setting.preset, f"{number:,}", f"{flops / 1e9:.1f}", setting.rows),
            *(f"{1000 * seconds:.1f}", f"{GRADIENT_BYTES * number / 1e9:.2f}"),
            *(f"{STATE_BYTES * number / 1e9:.2f}", several(writing, "{:.1f}")),
            several(shares, "{:.3f}"),
        )
        yield row(cells)


def scaling_table(title: str, rows_of_device) -> Iterator[str]:
    """What each number of devices needs, and keeps of its time for computing.

    Args:
        title: what the head of the first column says.
        rows_of_device: function of a Setting and the number of devices.
    """
    yield (
        f"| {title} | devices N | rows a second, at most | MB/s of rows "
        "| cores for the input of a node: text, tokens | all-reduce, ms "
        "| kept without overlap | kept with all of it |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for setting in SETTINGS:
        for number in NUM_DEVICES:
            rows = rows_of_device(setting, number)
            seconds = setting.compute_s(rows)
            rate = number * rows / seconds
            links = OUT_OF_NODE if number > DEVICES_OF_NODE else (WITHIN_NODE,)
            reducing = [reduce_s(setting.config, number, link) for link in links]
            cores = [
                rate * DEVICES_OF_NODE / number / one for one in (ROWS_FROM_TEXT, ROWS_FROM_TOKENS)
            ]
            cells = (
                *(f"{setting.preset}, {rows:,.0f} a device", f"{number:,}", f"{rate:,.0f}"),
                f"{rate * row_bytes(SEQUENCE_LENGTH, NUM_PREDICTIONS) / 1e6:,.0f}",
                *(several(cores, "{:.1f}"), several([1000 * one for one in reducing], "{:.1f}")),
                several([seconds / (seconds + one) for one in reducing], "{:.2f}"),
                several([seconds / max(seconds, one) for one in reducing], "{:.2f}"),
            )
            yield row(cells)


# Peaks of matrix products in 16 bits, in operations a second, without sparsity.
V100, A100, H100 = 125e12, 312e12, 989e12
# Our rates are those of one H200, which has an H100's peak.
SHARE_OF_PEAK = {setting.preset: setting.rate / H100 for setting in SETTINGS}


def published_table() -> Iterator[str]:
    yield "| what | published | the model | published, of the model |"
    yield "|---|---|---|---|"
    for what, unit, published, model in (*rates(), *durations(), *scalings()):
        cells = (f"{published:,.{digits(published)}f}", f"{model:,.{digits(model)}f}")
        yield row((f"{what}, {unit}", *cells, f"{published / model:.2f}"))


def rates() -> Iterator[tuple[str, str, float, float]]:
    """Rows a second."""
    large = BertConfig.preset("large")
    alone = SHARE_OF_PEAK["large"] * A100 / num_training_flops(large, 128, 20)
    yield "[1] large at 128, one A100, TensorFlow", "rows/s", 485.59, alone
    yield "[2] large at 128, one A100, PyTorch", "rows/s", 580.0, alone
    # Two samples in a row of 512, with up to 76 predictions each.
    packed = SHARE_OF_PEAK["large"] * H100 / num_training_flops(large, 512, 2 * 76)
    yield "[3] large at 512, 8 H100, two samples a row", "samples/s", 7760.0, 8 * 2 * packed


def durations() -> Iterator[tuple[str, str, float, float]]:
    large, base = BertConfig.preset("large"), BertConfig.preset("base")
    samples, rate = 2.549e6, SHARE_OF_PEAK["large"] * H100
    seconds = samples / 2 * num_training_flops(large, 512, 2 * 76) / (8 * rate)
    yield "[3] MLPerf's large, 8 H100, 2.55 million samples", "minutes", 5.47, seconds / 60
    rate = 8 * SHARE_OF_PEAK["base"] * A100
    seconds = 70_000 * 4096 * num_training_flops(base, 128, 20) / rate
    yield "[4] base at 128, 70,000 steps of 4,096 rows, 8 A100", "hours", 11.5, seconds / 3600


def scalings() -> Iterator[tuple[str, str, float, float]]:
    """How many times the rate of one node."""
    large = BertConfig.preset("large")
    for what, rows, rate, devices, nodes, network, published in (
        ("[1] large at 128, 32 nodes of 8 A100, TensorFlow", 312, 485.59, 8, 32, 200e9, 28.99),
        ("[2] large at 128, 32 nodes of 8 A100, PyTorch", 256, 580.0, 8, 32, 200e9, 30.37),
        ("[5] large at 128, 64 nodes of 16 V100", 64, 211.2, 16, 64, 100e9, 55.66),
    ):
        seconds, number = rows / rate, devices * nodes
        reducing = 2 * (number - 1) / number * GRADIENT_BYTES * num_parameters(large) / network
        yield what, "times one node", published, nodes * seconds / (seconds + reducing)


def digits(value: float) -> int:
    return 0 if value >= 100 else 2


def several(values: Sequence[float], form: str) -> str:
    return " / ".join(form.format(value) for value in values)


def row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    app.run(main)
