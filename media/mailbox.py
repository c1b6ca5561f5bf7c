"""What helper threads hand to the loop: a queue with a file descriptor to poll."""

import os
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Any thread posts, the loop's thread collects when :meth:`fileno` becomes readable."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._wake

    def post(self, item: T) -> None:
        self._items.append(item)
        os.eventfd_write(self._wake, 1)

    def collect(self) -> list[T]:
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return []
        items = []
        while self._items:
            items.append(self._items.popleft())
        return items

    def close(self) -> None:
        os.close(self._wake)
