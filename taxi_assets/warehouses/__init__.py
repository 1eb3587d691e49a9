"""The warehouses: one package each beside this module, found by looking, so that a new one needs no list to edit."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module

from taxi_assets.warehouses.kind import WarehouseKind


@cache
def all_warehouses() -> Sequence[WarehouseKind]:
    """Every kind of warehouse that the project has, configured or not: the default one, then by their names."""
    packages = (module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    warehouses: list[WarehouseKind] = [import_module(f"{__name__}.{package}").WAREHOUSE for package in packages]
    return sorted(warehouses, key=lambda warehouse: (not warehouse.is_default, warehouse.name))


def configured_warehouses() -> Sequence[WarehouseKind]:
    """The warehouses whose settings are there."""
    return [warehouse for warehouse in all_warehouses() if warehouse.is_configured()]
