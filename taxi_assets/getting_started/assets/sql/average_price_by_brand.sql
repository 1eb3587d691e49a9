-- A missing price is text, which TRY_CAST turns into null, so that it is not part of the average.
SELECT
    "brand",
    round(avg(TRY_CAST("price" AS DOUBLE)), 2) AS "average_price",
    count(*) AS "products"
FROM "products"
GROUP BY "brand"
ORDER BY "average_price" DESC NULLS LAST, "brand"
