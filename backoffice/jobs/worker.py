"""
The worker: one process that runs what was asked for in the background.

It holds two procrastinate workers, one for jobs and one for everything short. It survives the
database being killed, begins again what a dead worker left behind, and stops when told to.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from procrastinate import App, exceptions
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.periodic import PeriodicRegistry
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.worker import Worker

from backoffice.jobs.actions import QUEUE
from backoffice.jobs.running import stopping

logger = logging.getLogger(__name__)

SHORT_QUEUE = "default"
HEARTBEAT_SECONDS = 5
# A worker that has not been heard of for this long is dead, and its work is begun again.
SILENCE_SECONDS = 20
RESCUE_EVERY_SECONDS = 5
LOOK_EVERY_SECONDS = 2
PATIENCE_SECONDS = 2

_IS_DUE_SQL = """
    SELECT EXISTS (
        SELECT FROM procrastinate_jobs
        WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
    ) AS is_due
"""


def run_worker(*, once: bool = False) -> None:
    """
    Run background work until told to stop by SIGTERM or SIGINT.

    :param once: end when nothing is left to do; whatever goes wrong is raised.
    """
    stopping.clear()
    asyncio.run(_once() if once else _for_ever())


async def _once() -> None:
    async with _own_app() as own:
        # What is due by the clock is not begun: the end would depend on the minute.
        own.periodic_registry = PeriodicRegistry()  # type: ignore[no-untyped-call]
        # What ran may have asked for more.
        while (await own.connector.execute_query_one_async(_IS_DUE_SQL))["is_due"]:
            await asyncio.gather(*(_run(worker) for worker in _workers(own, wait=False)))


async def _for_ever() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    told = ""
    while not stop.is_set():
        try:
            await _until(stop)
        except (exceptions.ConnectorException, psycopg.Error, OSError) as error:
            if told != (told := type(error).__name__):
                logger.warning("The worker lost the database.", extra={"reason": told})
        else:
            told = ""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PATIENCE_SECONDS)


async def _until(stop: asyncio.Event) -> None:
    """Work until told to stop, or until the database is lost."""
    async with _own_app() as own:
        workers = _workers(own, wait=True)
        running = [asyncio.create_task(_run(worker)) for worker in workers]
        aside = [asyncio.create_task(stop.wait()), asyncio.create_task(_rescue(own))]
        logger.info("The worker is ready.")
        try:
            await asyncio.wait([*running, *aside], return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                stopping.set()
        finally:
            for worker in workers:
                worker.stop()  # type: ignore[no-untyped-call]
            for task in aside:
                task.cancel()
            ended = await asyncio.gather(*running, *aside, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


@contextlib.asynccontextmanager
async def _own_app() -> AsyncIterator[App]:
    """
    Give the app on connections of the worker's own.

    The tasks keep to the app on Django's connection: what a job defers belongs to its
    transaction, as everywhere.
    """
    connector = PsycopgConnector(
        kwargs=connector_params() | {"application_name": "worker"},
        min_size=1,
        max_size=4,
        timeout=10,
    )
    own = app.with_connector(connector)
    try:
        async with own.open_async():
            yield own
    finally:
        # The clock's tasks are deferred on Django's connection of this thread.
        await sync_to_async(connections.close_all)()


def _workers(own: App, *, wait: bool) -> list[Worker]:
    return [
        Worker(
            own,
            queues=[queue],
            name=queue,
            concurrency=concurrency,
            wait=wait,
            listen_notify=wait,
            install_signal_handlers=False,
            delete_jobs="successful",
            # New work is announced; what is to be tried again is only found by looking.
            fetch_job_polling_interval=LOOK_EVERY_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=SILENCE_SECONDS,
            task_middleware=[_on_fresh_connections],
        )
        for queue, concurrency in (
            (QUEUE, settings.WORKER_JOBS),
            (SHORT_QUEUE, settings.WORKER_TASKS),
        )
    ]


def _on_fresh_connections(call_next: Any, _context: Any, _worker: Any) -> Any:
    """Let no task meet a connection that died, or whose settings another one changed."""
    connections.close_all()
    try:
        return call_next()
    finally:
        connections.close_all()


async def _run(worker: Worker) -> None:
    await worker.run()  # type: ignore[no-untyped-call]


async def _rescue(own: App) -> None:
    """Begin again, all the time, what workers left behind that are not heard of any more."""
    while True:
        for stalled in await own.job_manager.get_stalled_jobs(
            seconds_since_heartbeat=SILENCE_SECONDS
        ):
            logger.warning("Work of a dead worker begins again.", extra={"queued": stalled.id})
            await own.job_manager.retry_job(stalled)
        await asyncio.sleep(RESCUE_EVERY_SECONDS)
