"""backoffice.postgres, on real servers that are killed, raced for and lied about."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from backoffice import postgres
from backoffice.postgres import Cluster, DatabaseFailed

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]

# Starts the cluster of the folder given, says so, and holds it until its input is closed.
HOLDER = """
import sys
from pathlib import Path
from backoffice.postgres import Cluster
cluster = Cluster(Path(sys.argv[1]))
cluster.enter()
print("up", flush=True)
sys.stdin.read()
cluster.leave()
"""


@pytest.fixture
def new_cluster(short_folder):
    """Make clusters in folders of their own; all are stopped and removed in the end."""
    made = []

    def make(name="one", *, folder=None):
        # Durable, as the one that serves: what forgets may lose its last rows to a kill.
        made.append(Cluster(folder or short_folder / f"{name}-{time.monotonic_ns()}"))
        return made[-1]

    yield make
    for cluster in made:
        cluster.leave()
        shutil.rmtree(cluster.folder.parent, ignore_errors=True)


@pytest.fixture
def cluster(new_cluster):
    return new_cluster()


def hold(folder):
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def pid_of(cluster):
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def is_alive(pid):
    name, state = postgres._process(pid)
    return bool(name) and state != "Z"


def wait_until(condition):
    limit = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def write_rows(cluster, count):
    with psycopg.connect(cluster.url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, %s)", [count])


def count_rows(cluster):
    with psycopg.connect(cluster.url) as connection:
        return connection.execute("SELECT count(*) FROM kept").fetchone()[0]


def test_rows_outlive_a_kill_of_the_server(cluster):
    cluster.enter()
    write_rows(cluster, 20_000)

    os.kill(pid_of(cluster), signal.SIGKILL)
    wait_until(lambda: not cluster.is_running())
    cluster.enter()

    assert count_rows(cluster) == 20_000


def test_another_process_recovers_what_was_killed_while_it_is_still_a_zombie(cluster):
    cluster.enter()
    write_rows(cluster, 10)
    killed = cluster._process

    os.kill(killed.pid, signal.SIGKILL)
    # Nobody has asked for its end: the number is still taken.
    wait_until(lambda: postgres._process(killed.pid)[1] == "Z")
    other = hold(cluster.folder.parent)

    assert other.stdout.readline() == "up\n"
    assert count_rows(cluster) == 10
    other.communicate()
    killed.wait()


def test_a_pid_file_that_names_a_stranger_harms_nobody(cluster):
    cluster.enter()
    write_rows(cluster, 10)
    pid_file = cluster.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    lock_file = cluster.sockets / ".s.PGSQL.5432.lock"
    lock_lines = lock_file.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    wait_until(lambda: not cluster.is_running())
    cluster.leave()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        cluster.sockets.mkdir(mode=0o700, exist_ok=True)
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        lock_file.write_text("\n".join([str(stranger.pid), *lock_lines[1:]]) + "\n")

        cluster.enter()
        rows = count_rows(cluster)
        cluster.leave()

        assert rows == 10
        assert stranger.poll() is None
        stranger.kill()


def test_a_pid_file_that_names_another_cluster_leaves_that_one_alone(cluster, new_cluster):
    neighbour = new_cluster("neighbour")
    neighbour.enter()
    cluster.enter()
    write_rows(cluster, 10)
    pid_file = cluster.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    wait_until(lambda: not cluster.is_running())
    pid_file.write_text("\n".join([str(pid_of(neighbour)), *lines[1:]]) + "\n")

    cluster.enter()

    assert count_rows(cluster) == 10
    assert neighbour.is_running()


def test_a_long_path_is_no_obstacle(short_folder, new_cluster):
    folder = short_folder / "/".join(["a folder with quite a long name"] * 6)
    cluster = new_cluster(folder=folder)

    cluster.enter()

    with psycopg.connect(cluster.url) as connection:
        answer = connection.execute("SELECT lower('ÉTÉ'), 'a' < 'É'").fetchone()
    assert answer == ("été", True)


def test_four_first_starts_at_once_share_one_server(cluster):
    folder = cluster.folder.parent
    holders = [hold(folder) for _ in range(4)]

    said = [holder.stdout.readline() for holder in holders]

    assert said == ["up\n"] * 4
    pid = pid_of(cluster)
    for holder in holders[:3]:
        holder.communicate()
    assert is_alive(pid)
    holders[3].communicate()
    assert not is_alive(pid)


def test_a_killed_holder_does_not_keep_the_server_for_ever(cluster):
    killed = hold(cluster.folder.parent)
    assert killed.stdout.readline() == "up\n"
    killed.kill()
    killed.communicate()
    assert cluster.is_running()

    cluster.enter()
    cluster.leave()

    assert not cluster.is_running()


def test_leaving_stops_the_server_in_order(cluster):
    cluster.enter()

    cluster.leave()

    assert not (cluster.data / "postmaster.pid").exists()
    assert "database system is shut down" in cluster.log.read_text()
    assert not cluster.sockets.exists()


def test_a_server_whose_folder_was_deleted_makes_way(cluster, new_cluster):
    cluster.enter()
    write_rows(cluster, 10)
    shutil.rmtree(cluster.folder)
    fresh = new_cluster(folder=cluster.folder.parent)

    fresh.enter()

    with psycopg.connect(fresh.url) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)


def test_a_first_start_cut_short_is_made_again(cluster):
    half = cluster.folder / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    cluster.enter()

    assert not half.exists()
    assert cluster.is_running()


def test_nothing_listens_on_the_network_and_the_socket_is_private(cluster):
    cluster.enter()

    with psycopg.connect(cluster.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    assert cluster.sockets.stat().st_mode & 0o777 == 0o700


def test_the_log_keeps_no_values(cluster):
    cluster.enter()
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (email text PRIMARY KEY)")
        connection.execute("INSERT INTO people VALUES ('ada@example.com')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES ('ada@example.com')")

    log = cluster.log.read_text()

    assert "duplicate key" in log
    assert "ada@example.com" not in log


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@root_only
def test_an_ordinary_user_can_run_it(short_folder, new_cluster):
    somebody = pwd.getpwnam("daemon")
    folder = short_folder / "ordinary"
    folder.mkdir()
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    cluster = new_cluster(folder=folder)
    # The checkout and its packages may lie where only root can read them.
    became = os.fork()
    if became == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(somebody.pw_gid)
            os.setuid(somebody.pw_uid)
            postgres.find_binaries().stat()
            cluster.enter()
            status = 0 if (cluster.data / "PG_VERSION").stat().st_uid == somebody.pw_uid else 2
            cluster.leave()
        except PermissionError:
            status = 77
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(became, 0)[1])
    if status == 77:
        pytest.skip("the packages lie in a folder that only root can enter")

    assert status == 0


@root_only
def test_root_serves_a_folder_of_somebody_else_as_that_person(short_folder, new_cluster):
    somebody = pwd.getpwnam("daemon")
    folder = short_folder / "theirs"
    folder.mkdir()
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    cluster = new_cluster(folder=folder)

    cluster.enter()
    owners = {path.stat().st_uid for path in [cluster.data, *cluster.folder.iterdir()]}
    cluster.leave()

    assert owners == {somebody.pw_uid}


@root_only
def test_root_without_namespaces_falls_back_to_a_lesser_user(cluster, monkeypatch):
    monkeypatch.setattr(postgres, "_namespaces_work", lambda: False)

    cluster.enter()
    owner = pwd.getpwuid(cluster.data.stat().st_uid).pw_name
    os.kill(pid_of(cluster), signal.SIGKILL)
    wait_until(lambda: not cluster.is_running())
    cluster.enter()
    cluster.leave()

    assert owner in {"postgres", "nobody"}


def test_a_machine_without_binaries_is_told_in_one_line(cluster, monkeypatch):
    monkeypatch.setenv("BACKOFFICE_POSTGRES_BIN", "/nowhere")

    with pytest.raises(DatabaseFailed) as refused:
        cluster.enter()

    assert str(refused.value).count("\n") == 0
    assert "BACKOFFICE_POSTGRES_BIN='/nowhere'" in str(refused.value)
    assert "DATABASE_URL" in str(refused.value)


def reason_of_a_failed_start(cluster):
    (cluster.data / "global" / "pg_control").unlink()
    with pytest.raises(DatabaseFailed) as refused:
        cluster.enter()
    return str(refused.value)


def test_a_server_that_cannot_start_says_why(cluster):
    cluster.enter()
    cluster.leave()

    reason = reason_of_a_failed_start(cluster)

    assert "pg_control" in reason
    assert "\n" not in reason


def test_a_reason_of_an_earlier_start_is_not_told_again(cluster):
    cluster.enter()
    cluster.leave()
    with cluster.log.open("a", encoding="utf-8") as log:
        log.write("2026-07-01 12:00:00 UTC [1] FATAL:  terminating connection\n")

    assert "pg_control" in reason_of_a_failed_start(cluster)


def test_the_reason_is_found_in_a_log_that_began_anew(cluster, monkeypatch):
    monkeypatch.setattr(postgres, "LOG_BYTES", 10)
    cluster.enter()
    cluster.leave()

    assert "pg_control" in reason_of_a_failed_start(cluster)


DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.mark.skipif(not DEBIAN, reason="this machine has no PostgreSQL of its own")
def test_the_machines_own_postgresql_does_as_well(cluster, monkeypatch):
    monkeypatch.setenv("BACKOFFICE_POSTGRES_BIN", str(DEBIAN[0]))

    cluster.enter()

    with psycopg.connect(cluster.url) as connection:
        assert connection.execute("SELECT lower('ÉTÉ')").fetchone() == ("été",)
