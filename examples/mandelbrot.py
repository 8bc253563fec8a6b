"""Render the Mandelbrot set with several Lua runtimes, each in a thread of its own.

Python lets only one thread run Python code at a time.  Lua code runs without that lock, so the
threads work at the same time, as many as the machine has cores.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from PIL import Image

from lupa import LuaRuntime

SIZE = 1280
STRIP = 16  # rows that a thread takes at once
THREADS = 8
OUTPUT = Path("out", "mandelbrot.png")

# Returns some rows of the picture as a string, one bit for a pixel and the leftmost pixel in the
# highest bit.  A bit is set where the point belongs to the set, as far as 50 iterations can tell.
RENDER = """
local char, concat = string.char, table.concat

local function belongs(re, im)
    local x, y = re, im
    for _ = 1, 49 do
        local xx, yy = x * x, y * y
        if xx + yy > 4 then return false end
        x, y = xx - yy + re, 2 * x * y + im
    end
    return x * x + y * y <= 4
end

return function(size, first, last)
    local scale = 2 / size
    local bytes = {}
    for row = first, last do
        local im = row * scale - 1
        for column = 0, size - 1, 8 do
            local byte = 0
            for pixel = column, column + 7 do
                byte = byte * 2
                if belongs(pixel * scale - 1.5, im) then byte = byte + 1 end
            end
            bytes[#bytes + 1] = char(byte)
        end
    end
    return concat(bytes)
end
"""


def render(threads: int) -> tuple[bytes, float]:
    """Render the picture with so many threads; return it and the seconds."""
    strips: SimpleQueue[int] = SimpleQueue()
    for first in range(0, SIZE, STRIP):
        strips.put(first)
    rows: dict[int, bytes] = {}

    # Some strips take longer than others, so that a thread takes the next one when it is ready.
    def work(renderer: Callable[[int, int, int], bytes]) -> None:
        while True:
            try:
                first = strips.get_nowait()
            except Empty:
                return
            rows[first] = renderer(SIZE, first, first + STRIP - 1)

    # A runtime each, since one runtime runs one thread at a time.  The rows are bytes, not text.
    workers = [
        threading.Thread(target=work, args=(LuaRuntime(encoding=None).execute(RENDER),))
        for _ in range(threads)
    ]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    return b"".join(rows[first] for first in sorted(rows)), seconds


def main() -> None:
    _, alone = render(threads=1)
    picture, together = render(threads=THREADS)

    OUTPUT.parent.mkdir(exist_ok=True)
    Image.frombytes("1", (SIZE, SIZE), picture).save(OUTPUT)
    print(f"picture: {OUTPUT.resolve()}")
    print(f"one thread: {alone:.2f} s")
    print(f"{THREADS} threads: {together:.2f} s")
    print(f"speed-up: {alone / together:.2f} (this machine has {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
