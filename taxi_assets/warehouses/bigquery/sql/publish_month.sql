-- Copies a complete month, with its description and labels, to the table that the month's view reads. Until the copy is
-- complete, readers see what this table held before. A copy costs nothing.
CREATE OR REPLACE TABLE {{ table(loaded_table(taxi, month)) }}
COPY {{ table(staging_table(taxi, month)) }}
