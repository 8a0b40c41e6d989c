"""Several pieces of work on one GPU at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
# Of 32 streams that PyTorch has in all; a thread more would share one.
AT_ONCE = 16


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], device: torch.device) -> list[Result]:
    """Do the same with many things: on a GPU sixteen at a time, on a CPU one after the other.

    One small network does not keep a large GPU busy. On a CPU a training uses all threads that it was given, and its
    bytes depend on how many these are.

    Parameters
    ----------
    work : callable
        What to do with an item. It is to share nothing that it changes with other items.
    items : iterable
    device : torch.device

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
    return [work(item) for item in items] if device.type == "cpu" else in_threads(work, items, device)


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], device: torch.device) -> list[Result]:
    """Do each item's work in a thread of its own and, on a GPU, on a stream of its own; as for `side_by_side`."""
    streams: SimpleQueue[torch.cuda.Stream | None] = SimpleQueue()
    for _ in range(AT_ONCE):
        streams.put(torch.cuda.Stream(device) if device.type == "cuda" else None)

    def do(item: Item, result: Future[Result]) -> None:
        torch.set_flush_denormal(True)
        stream = streams.get()
        try:
            with torch.cuda.stream(stream):
                result.set_result(work(item))
        except BaseException as error:
            result.set_exception(error)
        finally:
            streams.put(stream)

    results: list[Future[Result]] = []
    for item in items:
        results.append(Future())
        # In the context of this thread, for its log; a daemon does not keep an interrupted process from ending.
        Thread(target=copy_context().run, args=(do, item, results[-1]), daemon=True).start()
    wait(results)
    return [result.result() for result in results]
