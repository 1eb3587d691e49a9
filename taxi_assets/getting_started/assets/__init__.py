"""The assets, one module for each thing that they show."""
