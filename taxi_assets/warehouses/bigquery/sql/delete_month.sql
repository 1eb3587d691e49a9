-- Removes one month from main.
DELETE FROM {{ main }}
WHERE `file_month` = DATE {{ file_month | escaped }}
