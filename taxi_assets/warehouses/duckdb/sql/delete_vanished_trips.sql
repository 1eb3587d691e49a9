-- Deletes the month's trips that are no longer in its file.
DELETE FROM {{ main | identifier }} AS "main"
WHERE "main"."file_month" = $file_month
    AND NOT EXISTS (
        FROM {{ month_table | identifier }} AS "month"
        WHERE "month"."unique_row_id" = "main"."unique_row_id"
    )
