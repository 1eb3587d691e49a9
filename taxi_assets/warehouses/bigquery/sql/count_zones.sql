-- Rows of the zones table, and distinct zone numbers in it.
SELECT
    COUNT(*) AS `zones`,
    COUNT(DISTINCT `LocationID`) AS `numbers`
FROM {{ table }}
