"""What a browser makes of a page: a headless Chromium, where there is one."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to look at the page with")

# The page in a frame of that width, since a window can't be as narrow as a phone.
_FRAME = """<!doctype html>
<iframe id="frame" style="border: 0; width: {width}px; height: 800px" srcdoc="{page}"></iframe>
<script>
document.getElementById("frame").onload = (event) => {{
  const page = event.target.contentDocument;
  const cut = [...page.querySelectorAll("svg text, svg image, td, th")].filter((element) => {{
    const box = element.getBoundingClientRect();
    const frame = element.closest("svg, .table").getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1;
  }});
  document.title = page.documentElement.scrollWidth + " | " + cut.map((element) => element.textContent).join(", ");
}};
</script>
"""


def measured(page: Path, folder: Path, *, width: int) -> tuple[int, str]:
    """How wide a page wants to be in a window of that width in pixels, and the texts that are cut at its sides."""
    assert CHROMIUM is not None
    frame = folder / "frame.html"
    frame.write_text(_FRAME.format(width=width, page=html.escape(page.read_text("utf-8"))), encoding="utf-8")
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'chromium'}",
    ]
    shown = subprocess.run(
        [*command, "--virtual-time-budget=10000", "--dump-dom", frame.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    title = re.search(r"<title>(\d+) \| (.*?)</title>", shown)
    assert title is not None, shown[:500]
    return int(title[1]), title[2]
