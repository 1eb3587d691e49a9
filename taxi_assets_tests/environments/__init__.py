"""Tests of the environments that make installs into, with both installers and an index of their own."""
