"""Data types of all fields, of people and of activities: one registry.

A channel (JSON, form, file) receives a value and parses it into its canonical Python form:
str, bool, int, float, Decimal, date or an aware datetime in UTC. The canonical form has exactly one JSON text
(for storage) and exactly one plain text (for files and primary values).

Blank text is no value; the channels drop it before they parse. Text in place of a number or a boolean is
accepted if it is exactly canonical ("5", "true").
"""

from people.datatypes.canonical import ExactDecoder, ExactEncoder

__all__ = ["ExactDecoder", "ExactEncoder"]  # migrations name them here; everything else imports the modules
