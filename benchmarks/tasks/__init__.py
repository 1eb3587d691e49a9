"""What is measured. Each task is a function that gets plain values and returns plain facts, in a process of its own.

A fact called ``seconds`` is the time that the task measured itself, without the start of its process.
"""
