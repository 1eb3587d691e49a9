-- Puts rows in the place of a whole table, at once.
CREATE OR REPLACE TABLE {{ table }}
OPTIONS (description = {{ description | escaped }})
AS
SELECT
{% for name in columns %}
    {{ name | backticks }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ incoming }}
