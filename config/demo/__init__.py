"""The demo: example people, activity types and activities, which can be removed again.

Loading and removing use the product's own functions only.
"""

from config.demo.load import Loaded, load
from config.demo.remove import Removed, remove

__all__ = ["Loaded", "Removed", "load", "remove"]
