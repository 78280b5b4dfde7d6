"""The demo: people, activity types and activities to look around in, and to take away again.

Everything goes in through the product's own verbs and comes out through them.
"""

from config.demo.load import Loaded, load
from config.demo.remove import Removed, remove

__all__ = ["Loaded", "Removed", "load", "remove"]
