"""Two versions on one database: the web of one beside the worker and dispatcher of the other, and the other way round.

python -m tests.system.upgrade v0.1.0
"""
