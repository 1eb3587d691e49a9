-- Gives a whole table its name, at once.
ALTER TABLE {{ table }} RENAME TO {{ new_name | backticks }}
