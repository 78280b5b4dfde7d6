"""Presses of the pointer on a page, counted by the browser: how many clicks a task costs."""

SCRIPT = "addEventListener('pointerdown', (event) => event.isTrusted && window.notePress(), true)"


class Clicks:
    """The presses on `page` since it was made; keys and choices in lists are none."""

    def __init__(self, page):
        self.number = 0
        page.expose_function("notePress", self._note)
        page.add_init_script(SCRIPT)

    def _note(self):
        self.number += 1
