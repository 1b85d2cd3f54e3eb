"""A chart as inline SVG: drawn by matplotlib, then freed of all that a page does not want.

Text stays text and takes the page's font; axes are `currentColor` and lines are CSS variables, so that a chart follows
the page into dark mode; no style attribute and no address is left, so that the page's policy can forbid both.
"""

import hashlib
import io
import math
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from linnet.core.errors import needs_extra
from linnet.report.curves import Chart, Level, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 400, 260  # near a phone's width, so that letters keep their size there
LEGEND_ROW = 19
FONT_SIZE = 12.5
LABEL_LETTERS = 36
MARKED_POINTS = 40  # lines with fewer points show each
COLORS = ("#0f6f8f", "#b3541e", "#5b7f1d", "#8a4baf", "#a8324a", "#4f6272")
# matplotlib writes these; `_paint` says what they stand for.
INK = "#010203"
PAPER = "#010204"
UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def draw(chart: Chart) -> str:
    """Return a chart as an `<svg>` element; the same chart gives the same characters.

    Raises BadInput naming the extra when matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise needs_extra("matplotlib", "plot", "Drawing curves") from None
    settings: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "linnet",
        "text.parse_math": False,
        "font.size": FONT_SIZE,
        "font.family": "DejaVu Sans",
        "axes.unicode_minus": True,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # matplotlib has no glyph for every script; the page's fonts do.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        shown = _legend_lines(chart)
        height = HEIGHT + LEGEND_ROW * len(shown)
        figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
        FigureCanvasSVG(figure)
        _fill(figure, chart)
        text = io.StringIO()
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=no_metadata)
    return _clean(text.getvalue(), chart)


def _legend_lines(chart: Chart) -> list[Line]:
    return list(chart.lines) if len(chart.lines) > 1 else []


def _scattered(chart: Chart) -> bool:
    """Say whether it shows points instead of courses: each keeps off the edge, and off the names of levels."""
    return all(len(line.points) == 1 for line in chart.lines)


def _fill(figure: "Figure", chart: Chart) -> None:
    axes = figure.add_subplot()
    for line in chart.lines:
        _plot(axes, line)
    if chart.log_x:
        axes.set_xscale("log")
    if chart.from_zero:
        axes.set_ylim(bottom=0)
        axes.set_ylim(top=max(axes.get_ylim()[1], 1e-9))
    axes.margins(x=0.06 if _scattered(chart) else 0.02)
    _dress(axes, chart)
    if _legend_lines(chart):
        figure.legend(
            loc="outside upper left", frameon=False, labelcolor=INK, borderaxespad=0, borderpad=0.1, handlelength=1.4
        )
    for level in chart.levels:
        axes.axhline(level.value, color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.65)
    _name_levels(figure, axes, chart)


def _plot(axes: "Axes", line: Line) -> None:
    steps, values = zip(*line.points, strict=True)
    few = len(steps) == 1 or (len(steps) <= MARKED_POINTS and not line.quiet)
    single = len(steps) == 1  # above the names of levels, whose paper would hide it
    for step, (low, high) in zip(steps, line.intervals, strict=False):
        ink, front = COLORS[line.group % len(COLORS)], 4 if single else 2
        axes.plot([step, step], [low, high], color=ink, linewidth=1, alpha=0.5, zorder=front)
    axes.plot(
        steps,
        values,
        label=_short(line.label),
        color=COLORS[line.group % len(COLORS)],
        linestyle="-" if line.group < len(COLORS) else (0, (5, 2)),
        zorder=4 if single else 2 if line.quiet else 3,
        linewidth=1.3 if line.quiet else 2,
        alpha=0.8 if line.quiet else 1,
        marker="o" if few else "",
        markersize=3.6,
        solid_capstyle="round",
    )


def _dress(axes: "Axes", chart: Chart) -> None:
    """Leave a base line, pale horizontal rules and few numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=INK, alpha=0.4, linewidth=1)
    axes.tick_params(length=0, labelcolor=INK, pad=5)
    axes.grid(axis="y", color=INK, alpha=0.12, linewidth=1)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=(1, 2, 2.5, 5, 10)))
    axes.yaxis.set_major_formatter(
        PercentFormatter(1.0) if chart.as_percent else FuncFormatter(_tick_labels(axes.get_ylim()))
    )
    low, high = axes.get_xlim()
    if chart.log_x:
        decades = math.log10(high / low) if low > 0 else 9
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if decades > 2 else (1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(which="minor", length=0)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=high > 5, steps=(1, 2, 5, 10)))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick_labels((low, high))))
    axes.set_xlabel(chart.across, color=INK, fontsize=FONT_SIZE, labelpad=2)


def _name_levels(figure: "Figure", axes: "Axes", chart: Chart) -> None:
    """Write each level's name on its line's right end, above it; names that would touch are moved apart."""
    figure.draw_without_rendering()  # the layout decides how many pixels a unit has
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * FONT_SIZE * 1.3 / (axes.get_window_extent().height * 72 / figure.dpi)
    height = -math.inf
    for level in sorted(chart.levels, key=lambda level: level.value):
        height = max(level.value + gap * 0.35, height + gap)
        axes.text(
            0.995,
            height,
            _level_name(chart, level),
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="baseline",
            color=PAPER,
            fontsize=FONT_SIZE,
        )
    axes.set_ylim(bottom, max(top, height + gap))


def _level_name(chart: Chart, level: Level) -> str:
    return f"{_short(level.label)}: {chart.number(level.value)}"


def _tick_labels(limits: tuple[float, float]) -> Callable[[float, int | None], str]:
    """Return how to write an axis's numbers: all in thousands, millions or as they are."""
    largest = max(map(abs, limits))
    size, letter = next(((size, letter) for size, letter in UNITS if largest >= 10 * size), (1.0, ""))
    return lambda value, _=None: f"{value / size:,.6g}{letter if value else ''}"


def _short(label: str) -> str:
    """Return a label that fits a legend and XML; matplotlib would hide one that begins with `_`."""
    label = " ".join("".join(letter if letter.isprintable() else " " for letter in label).split())
    label = label if len(label) <= LABEL_LETTERS else label[: LABEL_LETTERS - 1] + "…"
    return f"\u200b{label}" if label.startswith("_") else label


def _clean(text: str, chart: Chart) -> str:
    """Return matplotlib's SVG without declaration, addresses, styles and names that clash with another chart's."""
    root = ElementTree.fromstring(text[text.index("<svg") :])
    name = "chart-" + hashlib.sha256(repr(chart).encode()).hexdigest()[:10]
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}style", "}metadata")):
                parent.remove(child)
    used = set(re.findall(r"#([mp][0-9a-f]+)", text))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        _clean_attributes(element, name, used)
    title, description = ElementTree.Element("title", id=f"{name}-t"), ElementTree.Element("desc", id=f"{name}-d")
    title.text, description.text = _xml_text(chart.title), _xml_text(chart.description)
    root.insert(0, title)
    root.insert(1, description)
    for unwanted in ("width", "height", "version"):
        root.attrib.pop(unwanted, None)
    root.attrib |= {
        "class": "chart",
        "role": "img",
        "aria-labelledby": f"{name}-t {name}-d",
        "stroke-linejoin": "round",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _clean_attributes(element: ElementTree.Element, name: str, used: set[str]) -> None:
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    for part in attributes.pop("style", "").split(";"):
        key, _, value = part.partition(":")
        attributes |= _as_attribute(key.strip(), value.strip())
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    else:
        attributes["id"] = f"{name}-{attributes['id']}"
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    element.attrib.clear()
    for key, value in attributes.items():
        painted = re.sub(r"#([mp][0-9a-f]{8,})", rf"#{name}-\1", value)
        element.attrib |= _paint(key, painted) if painted.startswith("#") and key != "href" else {key: painted}


def _as_attribute(key: str, value: str) -> dict[str, str]:
    """Return a style's declaration as SVG attributes; the font's family is the page's affair."""
    if key == "font":  # matplotlib < 3.10 writes all of a font in one
        size = re.search(r"[\d.]+px", value)
        return {"font-size": size[0]} if size else {}
    return {key: value} if key and key != "font-family" else {}


def _paint(key: str, color: str) -> dict[str, str]:
    """Return what stands for a colour on the page."""
    if color == INK:
        return {key: "currentColor"}
    if color == PAPER:  # the name of a level: a rim of the page's colour parts it from lines behind it
        rim = {"stroke": "var(--paper, #fff)", "stroke-width": "4", "paint-order": "stroke"}
        return {key: "currentColor", **rim}
    if color in COLORS:
        return {key: f"var(--line-{COLORS.index(color) + 1}, {color})"}
    return {key: color}


def _xml_text(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
