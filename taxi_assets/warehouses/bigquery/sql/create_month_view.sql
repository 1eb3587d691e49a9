{% from "tables.sql" import ours %}
-- Once merged, the month is kept in the main table only; its own name stays as a view.
CREATE OR REPLACE VIEW {{ table }}
OPTIONS (
    {{ ours(description, labels) }}
)
AS
SELECT
{% for name in all_columns %}
    {{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ main }}
WHERE `file_month` = DATE {{ file_month | escaped }}
