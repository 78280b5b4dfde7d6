"""What one check of the doctor found. A check is a function without parameters, in a module beside this one."""

from django.core import checks

TAG = "doctor"


class Finding(checks.CheckMessage):
    """The outcome of one check, as a message of Django's system checks. `advice` is empty when all is well."""

    def __init__(self, check: str, says: str, advice: str = "") -> None:
        level = checks.ERROR if advice else checks.INFO
        super().__init__(level, says, hint=advice, id=f"{TAG}.{check.replace(' ', '_')}")
        self.check, self.says, self.advice = check, says, advice

    @property
    def is_well(self) -> bool:
        return not self.advice
