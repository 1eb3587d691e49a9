-- How many rows main holds of one month's file.
SELECT COUNT(*) AS `rows`
FROM {{ main }}
WHERE `file_month` = DATE {{ file_month | escaped }}
