"""Makes virtual environments and installs packages into them, with uv where it is there, else with pip.

It runs before anything is installed, so it needs nothing but Python's standard library.
"""
