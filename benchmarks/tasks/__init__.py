"""The tasks that are measured. A task is a function that takes and returns plain values, in a process of its own.

The result ``seconds`` is the time that the task measured itself, without the start of its process.
"""
