-- How many rows main holds of one month's file.
SELECT COUNT(*)
FROM {{ table(taxi.table) }}
WHERE `file_month` = {{ day(month.first_day) }}
