"""The result of one check of the doctor. A check is a function without parameters, in a module of this package."""

from django.core import checks

TAG = "doctor"


class Finding(checks.CheckMessage):
    """The result of one check, as a message of Django's system checks. `advice` is empty if all is well."""

    def __init__(self, check: str, state: str, advice: str = "") -> None:
        level = checks.ERROR if advice else checks.INFO
        super().__init__(level, state, hint=advice, id=f"{TAG}.{check.replace(' ', '_')}")
        self.check, self.state, self.advice = check, state, advice

    @property
    def is_well(self) -> bool:
        return not self.advice
