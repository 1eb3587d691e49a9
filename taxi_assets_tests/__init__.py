"""Tests of taxi_assets. Generators and servers that only tests need live here."""
