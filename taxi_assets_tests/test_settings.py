"""Every setting is in one table, which the guide shows, and is read by one module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from taxi_assets import settings
from taxi_assets.errors import SettingsError
from taxi_assets.taxis import chosen_taxis
from taxi_assets_tests.paths import PROJECT

MODULES = sorted((PROJECT / "taxi_assets").rglob("*.py"))
SETTINGS_MODULE = Path(settings.__file__)


def guide_lines() -> list[str]:
    """The subjects and the rows of tables in the guide's section on settings."""
    guide = (PROJECT / "docs" / "guide.md").read_text("utf-8")
    (section,) = re.findall(r"^## Settings\n(.*?)^## ", guide, flags=re.MULTILINE | re.DOTALL)
    return [line for line in section.splitlines() if line.startswith(("**", "|"))]


def table_lines() -> Iterator[str]:
    """The same lines as the table of settings gives them."""
    for subject, of_subject in settings.SETTINGS.items():
        yield f"**{subject}**"
        yield "| variable | meaning | default |"
        yield "|---|---|---|"
        yield from (f"| `{setting.name}` | {setting.meaning} | {setting.default} |" for setting in of_subject)


def names_read(file: Path) -> Iterator[str]:
    """Environment variables that a module reads by their names."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Subscript(value=environment, slice=name, ctx=ast.Load()) if is_environment(environment):
                yield ast.unparse(name)
            case ast.Call(func=ast.Attribute(value=environment), args=[name, *_]) if is_environment(environment):
                yield ast.unparse(name)
            case ast.Call(func=ast.Attribute(attr="getenv"), args=[name, *_]):
                yield ast.unparse(name)


def is_environment(node: ast.expr) -> bool:
    return ast.unparse(node) in ("os.environ", "environ")


def test_the_guide_shows_the_table_of_settings() -> None:
    assert guide_lines() == list(table_lines())


def test_every_setting_is_in_the_table_once() -> None:
    defined = {value for value in vars(settings).values() if isinstance(value, settings.Setting)}
    listed = [setting for of_subject in settings.SETTINGS.values() for setting in of_subject]
    assert len(listed) == len(set(listed)) == len({setting.name for setting in listed})
    assert set(listed) == defined


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(PROJECT).as_posix())
def test_no_other_module_reads_an_environment_variable(file: Path) -> None:
    assert bool(list(names_read(file))) == (file == SETTINGS_MODULE)


def test_a_default_number_in_the_table_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in (settings.MONTHS_AT_ONCE, settings.GCP_MAXIMUM_BYTES_BILLED):
        monkeypatch.delenv(setting.name, raising=False)
    assert settings.MONTHS_AT_ONCE.default == str(settings.months_at_once())
    assert settings.GCP_MAXIMUM_BYTES_BILLED.default.split()[0] == str(
        settings.bigquery_fields()["maximum_bytes_billed"]
    )


@pytest.mark.parametrize(
    ("value", "names"),
    [(None, ["green", "yellow"]), ("fhv", ["fhv"]), (" yellow , fhv,yellow", ["fhv", "yellow"])],
)
def test_the_chosen_taxis_are_those_that_are_named(
    value: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAXI_TAXIS", raising=False)
    if value is not None:
        monkeypatch.setenv("TAXI_TAXIS", value)
    assert list(chosen_taxis()) == names


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("green,blue", "TAXI_TAXIS names “blue”, which is not a taxi: choose from fhv, fhvhv, green, yellow."),
        ("", "TAXI_TAXIS names no taxi: set it to one or more, such as green,yellow, or unset it."),
        (" , ", "TAXI_TAXIS names no taxi: set it to one or more, such as green,yellow, or unset it."),
    ],
)
def test_a_choice_that_names_no_taxi_is_refused_in_one_sentence(
    value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXI_TAXIS", value)
    with pytest.raises(SettingsError) as refusal:
        chosen_taxis()
    assert str(refusal.value) == sentence
