"""Figures as SVG for a page, and as PNG for Dagster's metadata."""

from __future__ import annotations

import base64
import io
import re
from typing import Final
from xml.etree import ElementTree as ET

import matplotlib as mpl
from PIL import Image

from taxi_assets.report.figures import GRID, INK, Plot

_PNG_DPI: Final = 110
_PNG_COLORS: Final = 64
_REFERENCE: Final = re.compile(r"(url\(#|^#)")
_POINTS_TO: Final = re.compile(r"#([\w-]+)")
# What matplotlib repeats in every figure; the page says it once for all of them.
_SUPERFLUOUS: Final = ("metadata", "style")


def to_svg(plot: Plot) -> str:
    """The figure as an element of an HTML page, with a text for screen readers and colors of the page's theme.

    Ids are made unique on the page by the plot's name.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": plot.name}):
        file = io.StringIO()
        plot.figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    # The layout is settled; without an engine it isn't computed again for the PNG.
    plot.figure.set_layout_engine("none")
    root = ET.fromstring(file.getvalue())  # noqa: S314 - matplotlib wrote it a moment ago
    for element in root.iter():
        element.tag = _without_namespace(element.tag)
        for name in list(element.attrib):
            value = element.attrib.pop(name)
            if name == "id":
                value = f"{plot.name}-{value}"
            element.set(_without_namespace(name), _REFERENCE.sub(rf"\g<1>{plot.name}-", value))
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _SUPERFLUOUS]:
            parent.remove(child)
    _drop_idle_ids(root)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {
        "role": "img",
        "aria-label": f"{plot.title}. {plot.description}",
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    return ET.tostring(root, encoding="unicode").replace(INK, "currentColor").replace(GRID, "var(--grid)")


def to_markdown(plot: Plot) -> str:
    """The figure as a Markdown image that carries its own data.

    Dagster keeps it in its event log. So it has few colors, which takes a third of the room.
    """
    drawn, reduced = io.BytesIO(), io.BytesIO()
    plot.figure.savefig(drawn, format="png", dpi=_PNG_DPI, facecolor="white")
    Image.open(drawn).convert("RGB").quantize(_PNG_COLORS).save(reduced, format="png", optimize=True)
    data = base64.b64encode(reduced.getvalue()).decode()
    return f"![{plot.description}](data:image/png;base64,{data})"


def _drop_idle_ids(root: ET.Element) -> None:
    """Drop the ids that nothing refers to, among them those that images of the same content have in common."""
    wanted = {
        name for element in root.iter() for value in element.attrib.values() for name in _POINTS_TO.findall(value)
    }
    for element in root.iter():
        if element.get("id", "") not in wanted:
            element.attrib.pop("id", None)


def _without_namespace(name: str) -> str:
    return name.rpartition("}")[2]
