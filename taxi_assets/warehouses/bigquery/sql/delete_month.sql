-- Deletes one month from the main table.
DELETE FROM {{ table(taxi.table) }}
WHERE `file_month` = {{ day(month.first_day) }}
