"""The demo: example people, activity types and activities, which can be removed again.

Loading and removing use the product's own functions only.
"""

from config.demo.load import Loaded, load_demo
from config.demo.remove import Removed, remove_demo

__all__ = ["Loaded", "Removed", "load_demo", "remove_demo"]
