"""Kinds of faults, each with the cases that are made of them and the judgement about what came of each case."""
