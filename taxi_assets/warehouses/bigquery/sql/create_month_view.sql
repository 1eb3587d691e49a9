{% from "tables.sql" import ours with context %}
-- After the merge, the month is stored in the main table only, and its own name is a view.
CREATE OR REPLACE VIEW {{ table(taxi.month_table(month)) }}
OPTIONS (
    {{ ours(taxi.title ~ " trips of " ~ month ~ ", a part of " ~ taxi.table ~ ".") }}
)
AS
SELECT
{% for name in names_of(taxi) %}
    {{ name | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table(taxi.table) }}
WHERE `file_month` = {{ day(month.first_day) }}
