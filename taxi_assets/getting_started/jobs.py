"""The jobs of the group, which its schedules start."""

import dagster as dg

from taxi_assets.getting_started.assets.hello import greeting, hello
from taxi_assets.getting_started.assets.products import average_price_by_brand, chosen_products, raw_products
from taxi_assets.getting_started.names import GROUP

hello_job = dg.define_asset_job(
    "hello",
    selection=dg.AssetSelection.assets(greeting, hello),
    description="Makes a greeting and says it.",
    tags={"group": GROUP},
)

products_job = dg.define_asset_job(
    "products",
    selection=dg.AssetSelection.assets(raw_products, chosen_products, average_price_by_brand),
    description="Fetches products and averages their prices by brand.",
    tags={"group": GROUP},
)
