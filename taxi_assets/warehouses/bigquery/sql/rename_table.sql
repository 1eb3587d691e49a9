-- Gives a whole table its name, at once.
ALTER TABLE {{ table(old_name) }} RENAME TO {{ new_name | identifier }}
