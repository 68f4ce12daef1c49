"""What Prometheus reads at /metrics; with several workers their counts are added up through files."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # set before this file is imported, where there are several workers

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one server.

    Args:
        model: NAME@HASH of what it serves.
    """

    def __init__(self, model: str) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("semreg_requests", "Requests answered", ("method", "path", "status"), registry=registry)
        self.seconds = Histogram(
            "semreg_request_seconds",
            "From a request's head to its answer",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.open = Gauge(
            "semreg_requests_open", "Requests being answered", registry=registry, multiprocess_mode="livesum"
        )
        self.waiting = Gauge(
            "semreg_pictures_waiting",
            "Pictures accepted and not yet annotated",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.pictures = Counter("semreg_pictures", "Pictures annotated", registry=registry)
        self.dropped = Counter(
            "semreg_pictures_dropped",
            "Pictures accepted and dropped: their client went away, or their time was up",
            ("reason",),
            registry=registry,
        )
        self.batch = Histogram(
            "semreg_batch_pictures", "Pictures in a batch", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
        )
        self.batch_seconds = Histogram(
            "semreg_batch_seconds", "Time of a batch in the model", buckets=_SECONDS, registry=registry
        )
        info = Gauge("semreg_model_info", "What is served", ("model",), registry=registry, multiprocess_mode="max")
        info.labels(model).set(1)

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        if FOLDER not in os.environ:
            ProcessCollector(registry=(process := CollectorRegistry()))
            return generate_latest(self._registry) + generate_latest(process)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
