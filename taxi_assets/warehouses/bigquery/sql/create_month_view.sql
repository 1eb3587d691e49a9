{% from "tables.sql" import ours with context %}
-- The month's own name is always a view, because a view is replaced in one step, and a table can't be replaced by a view:
-- before the merge a view of the loaded table, and after it a view of the main table, which alone stores the month then.
CREATE OR REPLACE VIEW {{ table(taxi.month_table(month)) }}
OPTIONS (
    {{ ours(taxi.title ~ " trips of " ~ month ~ (", a part of " ~ taxi.table ~ "." if is_merged else ", not merged yet.")) }}
)
AS
SELECT
{% for name in names_of(taxi) %}
    {{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
{% if is_merged %}
FROM {{ table(taxi.table) }}
WHERE `file_month` = {{ day(month.first_day) }}
{% else %}
FROM {{ table(loaded_table(taxi, month)) }}
{% endif %}
