"""Memory that is there before it is needed.

Fresh memory is a promise: the system finds a page when it is first written, and takes a microsecond or, when memory is
short, much longer. A thread that must be in time shall not be the one to wait for it.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

PAGE_BYTES = 4096  # the smallest of any system that rtsep runs on; larger pages are only touched more often

Values = TypeVar("Values", bound=np.generic)


def touched(array: NDArray[Values]) -> NDArray[Values]:
    """Write to every page of a fresh, C-contiguous array, leaving its values, and return it.

    To read would not do: until it is written, all of fresh memory is one page of zeros.
    """
    every: NDArray[Any] = array.reshape(-1).view(np.uint8)[::PAGE_BYTES]
    every[...] = every.copy()
    return array
