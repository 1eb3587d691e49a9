"""dbt's models in the asset graph, for each warehouse that dbt can work in.

dbt and its adapters need versions of libraries that the project can't have beside its own, so they have an environment
of their own. If it is not installed, the graph loads without the models, and nothing of dbt is imported.
"""
