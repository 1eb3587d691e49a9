-- Counts the rows of one month in the main table.
SELECT COUNT(*)
FROM {{ table(taxi.table) }}
WHERE `file_month` = {{ day(month.first_day) }}
