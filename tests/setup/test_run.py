"""run.py and manage.py, run as people run them: serving, being killed, being told of trouble."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

from backoffice.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]
IN_VENV = Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()

in_venv = pytest.mark.skipif(not IN_VENV, reason="needs the .venv that run.py makes")


@pytest.fixture
def environment(short_folder):
    """An environment that names no database, with a data folder of its own."""
    data = short_folder / f"data-{time.monotonic_ns()}"
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    yield kept | {"BACKOFFICE_DATA": str(data)}
    Cluster(data).leave()


def cluster_of(environment):
    return Cluster(Path(environment["BACKOFFICE_DATA"]))


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status_of(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@contextlib.contextmanager
def served(environment):
    """Serve on a free port; give the process and its address."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "run.py", "--no-demo", "--port", str(port)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said = [process.stdout.readline()]
            while said[-1] and "Back office:" not in said[-1]:
                said.append(process.stdout.readline())
            assert said[-1], "".join(said)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            # Shown when the test fails.
            sys.stdout.write(process.communicate(timeout=60)[0])


def postmaster(environment):
    return int((cluster_of(environment).data / "postmaster.pid").read_text().split()[0])


@in_venv
@pytest.mark.fault
def test_serving_outlives_its_database_and_ends_in_order(environment):
    with served(environment) as (process, address):
        assert status_of(f"{address}/health/ready") == 200
        with psycopg.connect(cluster_of(environment).url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")

        killed = postmaster(environment)
        os.kill(killed, signal.SIGKILL)

        seen = []
        limit = time.monotonic() + 90
        while (
            seen[-1:] != [200]
            or not cluster_of(environment).is_running()
            or postmaster(environment) == killed
        ):
            seen.append(status_of(f"{address}/health/ready"))
            assert time.monotonic() < limit
            time.sleep(0.01)
        assert set(seen) <= {200, 503}
        with psycopg.connect(cluster_of(environment).url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)

        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)
        assert process.returncode == 0
    assert not cluster_of(environment).is_running()
    assert "database system is shut down" in cluster_of(environment).log.read_text()


@in_venv
@pytest.mark.fault
def test_a_web_server_that_is_killed_is_started_again(environment):
    with served(environment) as (process, address):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        web = next(
            int(pid)
            for pid in children
            if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )

        os.kill(web, signal.SIGKILL)

        limit = time.monotonic() + 90
        while True:
            with contextlib.suppress(OSError):
                if status_of(f"{address}/health/live") == 200:
                    break
            assert time.monotonic() < limit
            time.sleep(0.1)


@in_venv
def test_a_port_in_use_is_told_in_one_line(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = command("run.py", "--port", str(port), env=environment)

    assert done.returncode == 1
    assert done.stderr == f"run.py: port {port} is taken: choose another with --port {port + 1}.\n"


@in_venv
def test_a_database_that_does_not_answer_is_told_in_one_line(environment):
    named = environment | {"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/shop"}

    done = command("run.py", "--port", str(free_port()), env=named)

    assert done.returncode == 1
    assert done.stderr.startswith("run.py: The database of DATABASE_URL does not answer: ")
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


@in_venv
def test_a_place_that_cannot_be_written_to_is_told_in_one_line(environment, short_folder):
    (short_folder / "file").write_text("in the way")

    done = command(
        "run.py",
        "--port",
        str(free_port()),
        env=environment | {"BACKOFFICE_DATA": str(short_folder / "file")},
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "BACKOFFICE_DATA" in done.stderr


def test_an_unknown_command_shows_the_known_ones():
    done = command("run.py", "dance")

    assert done.returncode == 2
    assert "python3 run.py test" in done.stdout


@pytest.mark.fault
def test_a_command_starts_the_database_and_stops_it_after(environment):
    done = command("manage.py", "migrate", "--verbosity", "0", env=environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert not cluster_of(environment).is_running()


@pytest.mark.fault
def test_commands_at_once_do_not_take_the_database_from_each_other(environment):
    script = "import time; from django.db import connection as c; "
    script += "[(c.cursor().execute('SELECT 1'), time.sleep(0.1)) for _ in range({})]"
    arguments = [sys.executable, "manage.py", "shell", "--no-imports", "-c"]
    processes = [
        subprocess.Popen(
            [*arguments, script.format(rounds)],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rounds in (1, 10, 20)
    ]

    errors = [process.communicate()[1] for process in processes]

    assert errors == ["", "", ""]
    assert not cluster_of(environment).is_running()


@pytest.mark.fault
def test_a_command_that_is_terminated_stops_the_database(environment):
    process = subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "shell",
            "--no-imports",
            "-c",
            "import time; time.sleep(60)",
        ],
        cwd=ROOT,
        env=environment,
    )
    cluster = cluster_of(environment)
    limit = time.monotonic() + 90
    while not (cluster.folder.exists() and cluster._accepts()):
        assert time.monotonic() < limit
        time.sleep(0.05)
    time.sleep(1)

    process.terminate()
    process.wait(timeout=90)

    assert not cluster.is_running()
