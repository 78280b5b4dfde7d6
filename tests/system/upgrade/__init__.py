"""Two versions on one database: the web of one beside the worker and dispatcher of the other, and the other way round.

python -m tests.neighbours v0.1.0
"""
