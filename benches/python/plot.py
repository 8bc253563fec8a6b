"""A small plot: what an item costs as there are more of them, as SVG."""

from __future__ import annotations

from math import ceil, floor, log10

from experiments import SIZES
from ratios import time_text

WIDTH, HEIGHT, MARGIN = 150, 110, 34
COLOURS = {"theirs": "#b35806", "ours": "#1f78b4"}


def panel(title: str, series: dict[str, list[float]], left: int) -> str:
    """One plot with two lines; both axes are logarithmic, so proportional growth is level."""
    values = [value for line in series.values() for value in line]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))

    def x(index: int) -> float:
        return left + index * WIDTH / (len(SIZES) - 1)

    def y(exponent: float) -> float:
        return MARGIN + HEIGHT * (high - exponent) / (high - low)

    parts = [f'<text x="{left}" y="{MARGIN - 14}" font-weight="bold">{title}</text>']
    for exponent in range(low, high + 1):
        height = y(exponent)
        parts.append(f'<path d="M{left} {height:.1f}h{WIDTH}" stroke="#ddd"/>')
        label = time_text(10.0**exponent).replace(".00", "").replace(".0", "")
        parts.append(f'<text x="{left - 4}" y="{height + 3:.1f}" text-anchor="end">{label}</text>')
    for index, size in enumerate(SIZES):
        parts.append(
            f'<text x="{x(index):.1f}" y="{MARGIN + HEIGHT + 14}" text-anchor="middle">'
            f'10<tspan dy="-4" font-size="7">{round(log10(size))}</tspan></text>'
        )
    for name, line in series.items():
        points = " ".join(f"{x(i):.1f},{y(log10(value)):.1f}" for i, value in enumerate(line))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>'
        )
    return "\n".join(parts)


def plot(growth: dict[str, dict[str, list[float]]]) -> str:
    """All panels in a row, and which line is whose."""
    step = WIDTH + 60
    panels = [
        panel(title, series, 50 + index * step)
        for index, (title, series) in enumerate(growth.items())
    ]
    width, height = 50 + step * len(panels), HEIGHT + 2 * MARGIN + 14
    legend = "".join(
        f'<text x="{50 + index * 90}" y="{height - 8}" fill="{COLOURS[side]}">{name}</text>'
        for index, (side, name) in enumerate((("ours", "this package"), ("theirs", "PyPI lupa")))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="10">\n'
        '<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(panels)
        + f"\n{legend}\n</svg>\n"
    )
