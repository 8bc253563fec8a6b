"""Render the Mandelbrot set with several Lua runtimes, each in a thread of its own.

Python lets only one thread run Python code at a time.  Lua code runs without that lock, so the
threads work at the same time, as many as the machine has cores.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from PIL import Image

from lupa import LuaRuntime

SIZE = 1280
PARTS = 8
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

return function(size, part, parts)
    local scale = 2 / size
    local bytes = {}
    for row = size / parts * (part - 1), size / parts * part - 1 do
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
    """Render all parts, dealt out to so many threads; return the picture and the seconds."""
    # A runtime each, since one runtime runs one thread at a time.  The rows are bytes, not text.
    renderers = [LuaRuntime(encoding=None).execute(RENDER) for _ in range(PARTS)]
    rows = [b""] * PARTS

    def work(first: int) -> None:
        for index in range(first, PARTS, threads):
            rows[index] = renderers[index](SIZE, index + 1, PARTS)

    workers = [threading.Thread(target=work, args=(first,)) for first in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return b"".join(rows), time.perf_counter() - start


def main() -> None:
    _, alone = render(threads=1)
    picture, together = render(threads=PARTS)

    OUTPUT.parent.mkdir(exist_ok=True)
    Image.frombytes("1", (SIZE, SIZE), picture).save(OUTPUT)
    print(f"picture: {OUTPUT.resolve()}")
    print(f"one thread: {alone:.2f} s")
    print(f"{PARTS} threads: {together:.2f} s")
    print(f"speed-up: {alone / together:.2f} (this machine has {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
