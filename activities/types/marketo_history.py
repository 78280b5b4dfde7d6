"""The standard types of which a team that moves from Marketo brings its past."""

# What programs and people do there. Changes of people are recorded here by the changes themselves.
HISTORY_TYPES = frozenset({1, 2, 3, 6, 7, 8, 9, 10, 11, 27})
