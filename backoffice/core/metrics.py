"""The figures for the operator's monitoring, by view name; served by `backoffice.web_server`."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "backoffice_requests_total",
    "Requests answered, by view, method and status.",
    ["view", "method", "status"],
)
SECONDS = Histogram(
    "backoffice_request_seconds",
    "Seconds from a request to its answer, by view.",
    ["view"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

# A client may invent methods; a label for each would never end.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(*, view: str, method: str, status: int, seconds: float) -> None:
    """Add one answered request."""
    REQUESTS.labels(view, method if method in _METHODS else "other", str(status)).inc()
    SECONDS.labels(view).observe(seconds)
