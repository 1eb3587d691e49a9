"""What speed and memory the project's promises come to, measured: ``python -m benchmarks``.

``tasks`` holds what is measured; each task runs in a process of its own. ``subjects`` decides which tasks to compare
and what the goal is, one module per subject; a new subject is one new module there and one line in its list. This
process itself stays small and imports none of what it measures, since a child's memory peak begins with its parent's.
"""
