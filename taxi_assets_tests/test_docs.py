"""The pages name files, headings and make targets that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_assets_tests.paths import PROJECT
from taxi_assets_tests.test_imports import FLOORS

PAGES = sorted(
    path.relative_to(PROJECT).as_posix()
    for glob in ("*.md", "docs/**/*.md", ".github/**/*.md")
    for path in PROJECT.glob(glob)
)
SUFFIXES = ("py", "toml", "sql", "md", "yml", "yaml", "txt", "csv")

each_page = pytest.mark.parametrize("page", PAGES)


def text_of(page: str) -> str:
    return (PROJECT / page).read_text("utf-8")


def anchors(page: Path) -> set[str]:
    """The headings as GitHub addresses them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def named_paths(text: str) -> set[str]:
    """The files and folders of the project in backticks; those of users and of TAXI_HOME are other things."""
    words = re.findall(r"`([\w*][\w./*<>-]*)`", text)
    files = {word for word in words if "/" in word and word.rpartition(".")[2] in SUFFIXES}
    folders = {word for word in words if word.endswith("/") and (PROJECT / word.partition("/")[0]).is_dir()}
    return files | folders


@each_page
def test_a_relative_link_leads_to_a_file_and_a_heading(page: str) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", text_of(page)):
        path, _, anchor = target.partition("#")
        file = PROJECT / page if not path else (PROJECT / page).parent / path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@each_page
def test_a_path_that_a_page_names_exists(page: str) -> None:
    for name in named_paths(text_of(page)):
        pattern = re.sub(r"<[^>]+>", "*", name).rstrip("/")
        places = (PROJECT, PROJECT / "taxi_assets", (PROJECT / page).parent)
        assert any(list(place.glob(pattern)) for place in places), name


@each_page
def test_a_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z -]+)", text_of(page), re.MULTILINE)
    assert {target for words in named for target in words.split()} <= targets


def test_the_map_has_every_module_and_package() -> None:
    names = {path.name for path in (PROJECT / "taxi_assets").iterdir() if path.name[0].isalpha()} - {"py.typed"}
    mapped = set(re.findall(r"(?<=[`/])\w+(?:\.\w+)?(?=[`/])", text_of("ARCHITECTURE.md")))
    assert names <= mapped


def test_the_floors_are_those_that_imports_are_held_to() -> None:
    (section,) = re.findall(
        r"^## What may import what\n(.*?)^## ", text_of("ARCHITECTURE.md"), re.MULTILINE | re.DOTALL
    )
    floors = re.findall(r"^\d+\. (.*(?:\n .*)*)", section, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", floor)) for floor in floors] == FLOORS


def message_templates() -> Iterator[str]:
    """The texts of the code, with … for each value in them."""
    for package in ("taxi_assets", "emulators", "environments", "local_services"):
        for file in (PROJECT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
    yield text_of("Makefile")


def test_a_message_that_troubleshooting_quotes_is_one_of_the_code() -> None:
    templates = list(message_templates())
    of_this_project, _ = text_of("docs/troubleshooting.md").split("## From Dagster")
    for cell in re.findall(r"^\| (`.*?) \| ", of_this_project, re.MULTILINE):
        for part in (part for quoted in re.findall(r"`([^`]+)`", cell) for part in quoted.split("…")):
            assert any(part in template for template in templates), part
