"""
The web server's settings: gunicorn -c python:backoffice.web_server backoffice.wsgi

Two processes of four threads suit two cores. The processes are there so that one that dies
leaves another; the threads, so that slow readers of files do not keep the others waiting.
"""

import os
import shutil
import sys
from typing import Any

from backoffice import postgres
from backoffice.core.logs import logging_settings
from backoffice.env import env, env_bool, env_host_port, env_int

bind = env("BIND", "127.0.0.1:8000")
worker_class = "gthread"
workers = env_int("WEB_PROCESSES", 2, least=1)
threads = env_int("WEB_THREADS", 4, least=1)
# A request is cut off by the database's statement_timeout long before.
timeout = 120
graceful_timeout = 30
keepalive = 5
# A worker's memory cannot creep up for ever; not all start anew at once.
max_requests = 20_000
max_requests_jitter = 2_000
# A worker's sign of life must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108
proc_name = "backoffice"
logconfig_dict = logging_settings(with_messages_of_exceptions=not env_bool("PRODUCTION"))

_metrics_address = env_host_port("METRICS_ADDR")
_metrics_folder = postgres.data_folder() / "metrics"

if _metrics_address:
    # The figures of all processes meet in files here; those of an earlier run are not counted.
    shutil.rmtree(_metrics_folder, ignore_errors=True)
    _metrics_folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_folder)


def when_ready(server: Any) -> None:
    """Serve /metrics from the first process, on an address of its own."""
    if not _metrics_address:
        return
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    host, port = _metrics_address
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    try:
        start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        # Another's address, or one that is taken: said in one line, as of an odd value.
        sys.exit(f"Error: METRICS_ADDR: nothing can listen on {host}:{port}: {error.strerror}.")


def post_worker_init(worker: Any) -> None:
    """Load all that pages need, once, before the first is asked for."""
    from django.urls import get_resolver

    from backoffice.core.garbage import pass_over_what_is_loaded

    get_resolver().url_patterns  # noqa: B018  # To read it imports all pages.
    pass_over_what_is_loaded()


def child_exit(server: Any, worker: Any) -> None:
    """Drop the live figures of a process that ended."""
    if _metrics_address:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
