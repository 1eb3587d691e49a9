-- Rows of the zones table, and distinct zone numbers in it.
SELECT
    COUNT(*),
    COUNT(DISTINCT `LocationID`)
FROM {{ table(zones_table) }}
