-- Replaces a whole table with the incoming rows, in one statement.
CREATE OR REPLACE TABLE {{ table(name) }}
OPTIONS (description = {{ (comment_prefix ~ description) | literal }})
AS
SELECT
{% for column in columns %}
    {{ column | identifier }}{{ "," if not loop.last }}
{% endfor %}
FROM {{ table(incoming) }}
