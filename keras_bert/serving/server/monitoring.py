"""Prometheus metrics of the server: TF Serving's where they mean the same, and a few of its own."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator

import prometheus_client
from prometheus_client.core import Metric

PATH = "/monitoring/prometheus/metrics"
# tensorflow_serving/servables/tensorflow/util.cc: microseconds, up to about 20 minutes.
_LATENCIES = tuple(10 * 1.8**power for power in range(33))
_ROWS = tuple(2**power for power in range(11))


class Metrics:
    """Counts of what the server does.

    Args:
        num_waiting: gives the number of batches that wait.
    """

    def __init__(self, num_waiting: Callable[[], int]):
        self._registry = prometheus_client.CollectorRegistry()
        self._requests: collections.Counter = collections.Counter()
        self._registry.register(self)
        prometheus_client.ProcessCollector(registry=self._registry)
        self._latency = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Time from a request to its answer in microseconds.",
            ["model_name", "API", "entrypoint"],
            buckets=_LATENCIES,
            registry=self._registry,
        )
        self._rows = prometheus_client.Histogram(
            "keras_bert_serving_batch_rows",
            "Rows of the batches that were run.",
            buckets=_ROWS,
            registry=self._registry,
        )
        prometheus_client.Gauge(
            "keras_bert_serving_waiting_batches",
            "Batches that wait for a thread.",
            registry=self._registry,
        ).set_function(num_waiting)

    def collect(self) -> Iterator[Metric]:
        """The requests, under TF Serving's name, to which a `Counter` would add `_total`."""
        metric = Metric(":tensorflow:serving:request_count", "Requests by status.", "unknown")
        for (model, code), number in list(self._requests.items()):
            metric.add_sample(metric.name, {"model_name": model, "status": code}, number)
        yield metric

    def observe_request(self, model: str, protocol: str, code: str, time_s: float) -> None:
        """Counts one request for a prediction.

        Args:
            model: str, its model; "" for one that is not served, so that names that clients think
                of do not pile up here.
            protocol: str, "GRPC" or "REST".
            code: str, the status code.
            time_s: float, the seconds that it took.
        """
        self._requests[model, code] += 1
        if code == "OK":
            self._latency.labels(model, "Predict", protocol).observe(time_s * 1e6)

    def observe_batch(self, rows: int) -> None:
        """Counts one batch."""
        self._rows.observe(rows)

    def page(self) -> bytes:
        """What Prometheus reads."""
        return prometheus_client.generate_latest(self._registry)
