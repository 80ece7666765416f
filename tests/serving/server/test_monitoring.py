"""The page that Prometheus reads."""

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from keras_bert.serving.server.monitoring import Metrics


def test_page():
    metrics = Metrics(num_waiting=lambda: 7)
    metrics.observe_request("toy", "GRPC", "OK", 0.002)
    metrics.observe_request("toy", "GRPC", "OK", 0.005)
    metrics.observe_request("toy", "REST", "INVALID_ARGUMENT", 0.1)
    metrics.observe_batch(3)
    families = text_string_to_metric_families(metrics.page().decode())
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    count, latency = ":tensorflow:serving:request_count", ":tensorflow:serving:request_latency"
    assert samples[count, (("model_name", "toy"), ("status", "OK"))] == 2
    assert samples[count, (("model_name", "toy"), ("status", "INVALID_ARGUMENT"))] == 1
    labels = (("API", "Predict"), ("entrypoint", "GRPC"), ("model_name", "toy"))
    assert samples[f"{latency}_sum", labels] == pytest.approx(7000)
    assert samples[f"{latency}_count", labels] == 2
    assert samples["keras_bert_serving_batch_rows_sum", ()] == 3
    assert samples["keras_bert_serving_waiting_batches", ()] == 7
    assert samples["process_resident_memory_bytes", ()] > 0
