-- Counts the rows and the distinct zones of the zones table.
SELECT
    COUNT(*),
    COUNT(DISTINCT `LocationID`)
FROM {{ table(zones_table) }}
