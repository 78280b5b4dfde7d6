"""The data types of every field, of people and of activities: one registry, one meaning.

A value comes in at a channel (JSON, form, file) and is parsed into its canonical Python form:
str, bool, int, float, Decimal, date or an aware datetime in UTC. From there it has exactly one JSON text
(how it is stored) and exactly one plain text (how files and primary values show it).

Blank text is no value; the channels drop it before they parse. Text in place of a number or a boolean is
accepted when it is exactly canonical ("5", "true").
"""

from people.datatypes.canonical import ExactDecoder, ExactEncoder

__all__ = ["ExactDecoder", "ExactEncoder"]  # migrations name them here; everything else imports the modules
