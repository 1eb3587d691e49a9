"""The PostgreSQL warehouse, against a real server."""
