"""Measures the project's speed and memory, and writes docs/benchmarks.md: ``python -m benchmarks``.

``tasks`` has the code that is measured; each task runs in a process of its own. ``subjects`` decides which tasks are
compared and what the goal is: one module per subject, and one line in its list for a new one. The measuring process
stays small and imports nothing of what it measures, because a child's memory peak begins with its parent's.
"""
