-- A price that a product lacks is text, which is no number and enters no average.
SELECT
    "brand",
    round(avg(TRY_CAST("price" AS DOUBLE)), 2) AS "average_price",
    count(*) AS "products"
FROM "products"
GROUP BY "brand"
ORDER BY "average_price" DESC NULLS LAST, "brand"
