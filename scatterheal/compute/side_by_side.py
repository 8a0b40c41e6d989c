"""Several pieces of work on one GPU at a time."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import torch

from scatterheal.compute.ending import ENDING, end_if_told
from scatterheal.compute.memory import SPARING, ran_out
from scatterheal.errors import ScanError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
# Each has a stream and a thread of its own, and what they take adds up. No other number was tried.
AT_ONCE = 16


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], device: torch.device, at_once: int | None = None
) -> list[Result]:
    """Do the same with many things: on a GPU sixteen at a time, on a CPU one after the other, or as one asks.

    One small network does not keep a large GPU busy. On a CPU a training uses all threads that it was given, and its
    bytes depend on how many these are, but not on what is trained beside it. Where the GPU's memory is too small the
    work on those items is done again, half as many at a time; at last alone, and sparing
    (`scatterheal.compute.memory.SPARING`).

    Parameters
    ----------
    work : callable
        What to do with an item. It is to share nothing that it changes with other items, and to leave as it was what
        it could not do for want of memory.
    items : iterable
    device : torch.device
    at_once : int, optional
        On a CPU: so many at a time, each in a thread of its own.

    Returns
    -------
    list
        What came of each item, in their order.

    Raises
    ------
    Exception
        The first one that an item's work raised; on a GPU after the others' work is done.

    Examples
    --------
    >>> side_by_side(lambda count: 2 * count, [1, 2, 3], torch.device("cpu"))
    [2, 4, 6]
    """
    if device.type == "cpu":
        if at_once is None:
            return [work(item) for item in items]
        return [done.result() for done in in_threads(work, items, device, at_once)]
    sparing = SPARING.set(SPARING.get())
    try:
        return _with_fewer(work, dict(enumerate(items)), device)
    finally:
        SPARING.reset(sparing)


def _with_fewer(work: Callable[[Item], Result], left: dict[int, Item], device: torch.device) -> list[Result]:
    """Do it, and again what did not fit, with fewer beside it each time."""
    results: dict[int, Future[Result]] = {}
    at_once = min(AT_ONCE, len(left))
    while True:
        results |= zip(left, in_threads(work, left.values(), device, at_once), strict=True)
        left = {k: item for k, item in left.items() if ran_out(results[k].exception())}
        if not left:
            return [results[k].result() for k in range(len(results))]
        if at_once == 1 and SPARING.get():
            raise ScanError(
                "fit: the GPU's memory is too small for a training, also alone in this job and sparing; fewer "
                "channels, a smaller max_side or a larger radius_step, gpu_slots: 1, or device: cpu"
            ) from results[min(left)].exception()
        # What did not fit hangs on tracebacks.
        for k in left:
            del results[k]
        gc.collect()
        torch.cuda.empty_cache()
        if at_once > 1:
            at_once = min(at_once // 2, len(left))
            log.warning("too little memory on the GPU: %d of them again, %d at a time", len(left), at_once)
        else:
            SPARING.set(True)
            log.warning(
                "too little memory on the GPU: %d of them again, the fast engine keeping less, which takes longer",
                len(left),
            )


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], device: torch.device, at_once: int
) -> list[Future[Result]]:
    """Do each item's work in a thread of its own and, on a GPU, on a stream of its own, so many at a time."""
    streams: SimpleQueue[torch.cuda.Stream | None] = SimpleQueue()
    for _ in range(at_once):
        streams.put(torch.cuda.Stream(device) if device.type == "cuda" else None)

    def do(item: Item, result: Future[Result]) -> None:
        torch.set_flush_denormal(True)
        stream = streams.get()
        try:
            end_if_told()
            if stream:
                # A new thread begins on the first GPU.
                torch.cuda.set_device(stream.device)
            with torch.cuda.stream(stream):
                done = work(item)
            result.set_result(done)
        except BaseException as error:
            result.set_exception(error)
        finally:
            streams.put(stream)

    results: list[Future[Result]] = []
    threads = []
    try:
        for item in items:
            results.append(Future())
            # In the context of this thread, for its log; a daemon does not keep an interrupted process from ending.
            threads.append(Thread(target=copy_context().run, args=(do, item, results[-1]), daemon=True))
            threads[-1].start()
        # Not by join: one that is interrupted takes its thread for ended (Python 3.11), and it would go on unseen.
        wait(results)
    except KeyboardInterrupt:
        # They end after the iteration that they are in; nobody waits for what they would say.
        ENDING.told = True
        # Also where somebody is impatient: a training that nobody waits for would go on unseen.
        begun = [result for thread, result in zip(threads, results, strict=False) if thread.ident]
        while begun:
            with suppress(KeyboardInterrupt):
                wait(begun)
                break
        ENDING.told = False
        raise
    return results
