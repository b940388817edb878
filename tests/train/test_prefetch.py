"""What another thread prepares arrives whole, in order, with its errors, and the thread ends with its user."""

import itertools
import threading

import pytest

from xpshpc.train.prefetch import Prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_items_come_in_order():
    with Prefetch(range(100), depth=2) as ready:
        assert list(ready) == list(range(100))
    assert not threads()


def test_leaving_early_ends_the_thread():
    with Prefetch(itertools.count(), depth=2) as ready:
        assert list(itertools.islice(ready, 5)) == [0, 1, 2, 3, 4]
    assert not threads()


def test_an_error_is_raised_in_its_place():
    def broken():
        yield 1
        raise OSError("torn")

    with Prefetch(broken()) as ready:
        items = iter(ready)
        assert next(items) == 1
        with pytest.raises(OSError, match="torn"):
            next(items)
    assert not threads()


def test_no_more_than_its_depth_is_made_ahead():
    made = []
    may_look = threading.Event()

    def counted():
        for item in range(50):
            made.append(item)
            if len(made) == 4:
                may_look.set()
            yield item

    with Prefetch(counted(), depth=2) as ready:
        items = iter(ready)
        next(items)
        assert may_look.wait(10)
        assert len(made) <= 4


def test_the_time_spent_waiting_is_counted():
    now = itertools.count(step=10.0)
    with Prefetch([1, 2], clock=lambda: next(now)) as ready:
        list(ready)
    assert ready.waited_s == 30.0
