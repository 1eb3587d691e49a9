"""The warehouses: one package each beside this module. They are found automatically, so there is no list to edit."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module

from taxi_assets.warehouses.kind import WarehouseKind


@cache
def all_warehouses() -> Sequence[WarehouseKind]:
    """Every kind of warehouse, configured or not: the default one first, the others by name."""
    packages = (module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    warehouses: list[WarehouseKind] = [import_module(f"{__name__}.{package}").WAREHOUSE for package in packages]
    return sorted(warehouses, key=lambda warehouse: (not warehouse.is_default, warehouse.name))


def warehouse_called(name: str) -> WarehouseKind:
    """The kind of warehouse of that name."""
    return next(kind for kind in all_warehouses() if kind.name == name)


def configured_warehouses() -> Sequence[WarehouseKind]:
    """The kinds of warehouse whose settings are set."""
    return [warehouse for warehouse in all_warehouses() if warehouse.is_configured()]
