"""Who does the runs of a study: processes here, or an engine that exists already (Dask). Both give futures."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from meshnode.errors import UsageError

J = TypeVar("J")
R = TypeVar("R")


@contextmanager
def workers(count: int | None, scheduler: str | None) -> Iterator[Executor]:
    """An executor; `count` processes (as many as cores when None), or the cluster behind a scheduler's address."""
    if scheduler is not None:
        with _cluster(scheduler) as executor:
            yield executor
        return
    # Spawned, as a forked child would inherit locks that another thread holds.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count or os.cpu_count(), mp_context=context) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _cluster(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client  # an extra
    except ModuleNotFoundError as error:
        raise UsageError(f"--scheduler needs {error.name}: pip install 'meshnode[study]'") from error
    try:
        client = Client(scheduler, timeout=10)
    except OSError as error:
        raise UsageError(f"no Dask scheduler answers at {scheduler} ({error})") from error
    with client, client.get_executor() as executor:
        yield cast("Executor", executor)


def done_as_they_come(executor: Executor, work: Callable[[J], R], jobs: Sequence[J]) -> Iterator[tuple[J, R]]:
    """Each job with its result, in the order in which they end."""
    futures: dict[Any, J] = {executor.submit(work, job): job for job in jobs}
    for future in as_completed(futures):
        yield futures[future], future.result()
