-- Gives a complete table its final name.
ALTER TABLE {{ table(old_name) }} RENAME TO {{ new_name | identifier }}
