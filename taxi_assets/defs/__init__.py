"""Your own assets, checks, jobs, schedules and sensors: each module in this folder is loaded beside the project's own.

The guide has an example. Modules here may import everything of ``taxi_assets`` except ``build`` and ``definitions``.
"""
