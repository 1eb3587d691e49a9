-- Removes one month from main.
DELETE FROM {{ table(taxi.table) }}
WHERE `file_month` = {{ day(month.first_day) }}
