"""What `/metrics` shows, in Prometheus' text format."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the ranges in which seconds are counted."""
_ABOUT = {
    "nshot_requests_total": ("counter", "Requests by route and status."),
    "nshot_request_seconds": ("histogram", "Seconds from a request to the end of its answer."),
    "nshot_rows_total": ("counter", "Inputs that were answered, by folder."),
    "nshot_tokens_total": ("counter", "Tokens by folder and direction."),
    "nshot_batches_total": ("counter", "Times that the worker asked a model."),
    "nshot_batch_rows_total": ("counter", "Inputs in these batches."),
    "nshot_cache_hits_total": ("counter", "Inputs whose answer was kept."),
    "nshot_worker_errors_total": ("counter", "Batches that a model failed on."),
    "nshot_hang_ups_total": ("counter", "Requests whose client did not wait for the answer."),
    "nshot_queue_rows": ("gauge", "Inputs that wait for the worker."),
    "nshot_streams": ("gauge", "Texts that are streamed."),
    "nshot_texts": ("gauge", "Texts that are written whole, beside others."),
}


class Counters:
    """Counts by name and labels. Safe for threads. `gauges` are read when they are shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._sums: Counter[Labels] = Counter()
        self.gauges: dict[str, Callable[[], int]] = {}

    def add(self, name: str, count: float = 1, **labels: str) -> None:
        """Count up."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += count  # type: ignore[assignment]

    def seconds(self, seconds: float, route: str) -> None:
        """Count a request's seconds."""
        labels = (("route", route),)
        with self._lock:
            for bound in (*BOUNDS, float("inf")):
                if seconds <= bound:
                    le = "+Inf" if bound == float("inf") else f"{bound:g}"
                    self._counts["nshot_request_seconds_bucket", (("le", le), *labels)] += 1
            self._counts["nshot_request_seconds_count", labels] += 1
            self._sums[labels] += seconds  # type: ignore[assignment]

    def text(self) -> str:
        """All of them."""
        with self._lock:
            counts, sums = dict(self._counts), dict(self._sums)
        lines = []
        for name, (kind, about) in _ABOUT.items():
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            if kind == "gauge":
                lines.append(f"{name} {self.gauges[name]() if name in self.gauges else 0}")
            elif kind == "counter":
                lines += _lines(name, counts)
            else:
                lines += _lines(f"{name}_bucket", counts)
                lines += [f"{name}_sum{_shown(labels)} {sums[labels]:.6f}" for labels in sums]
                lines += _lines(f"{name}_count", counts)
        return "\n".join(lines) + "\n"


def _lines(name: str, counts: Mapping[tuple[str, Labels], float]) -> list[str]:
    return [
        f"{name}{_shown(labels)} {count:g}"
        for (own, labels), count in counts.items()
        if own == name
    ]


def _shown(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
