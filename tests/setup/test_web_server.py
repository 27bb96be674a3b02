import gc
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from backoffice import web_server

ROOT = Path(__file__).resolve().parents[2]


def test_a_web_process_loads_all_pages_and_searches_none_of_them_for_garbage():
    searched = len(gc.get_objects())
    try:
        web_server.post_worker_init(None)

        assert "users.views.help" in sys.modules
        assert len(gc.get_objects()) < searched / 10
    finally:
        gc.unfreeze()


def start_with_metrics_at(address, folder):
    """Run the web server until it gives up; without a worker it would serve nothing."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "python:backoffice.web_server",
            "backoffice.wsgi",
        ],
        cwd=ROOT,
        env=os.environ
        | {"METRICS_ADDR": address, "BIND": "127.0.0.1:0", "BACKOFFICE_DATA": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "address",
    ["nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", "::1"],
)
def test_an_odd_address_for_metrics_stops_the_start_with_one_line(address, tmp_path):
    done = start_with_metrics_at(address, tmp_path)

    assert done.returncode != 0
    assert done.stderr.strip() == (
        f"Error: METRICS_ADDR={address!r}: use HOST:PORT, like 127.0.0.1:9100."
    )


def test_a_taken_address_for_metrics_stops_the_start_with_its_name(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        done = start_with_metrics_at(address, tmp_path)

    assert done.returncode != 0
    assert f"METRICS_ADDR: nothing can listen on {address}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
