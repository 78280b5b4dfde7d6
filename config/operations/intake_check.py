"""The doctor's check that programs' requests are processed soon after they were acknowledged."""

from activities.intake.state import intake_state
from config.operations.findings import Finding


def check_intake() -> Finding:
    """Return the number of requests that wait, and for how long; one that is stuck needs an operator."""
    now = intake_state()
    state = f"{now.requests:,} requests wait, {now.size / 1e6:,.1f} MB, the oldest for {now.oldest_seconds:,.0f} s"
    if now.stuck:
        advice = "the log has their errors (request … of the intake); then: python manage.py intake --retry"
        return Finding("intake", f"{state}; {now.stuck:,} could not be processed", advice)
    if now.is_late or now.is_full:
        advice = "see whether the collector runs, which starts the process of the intake, and what that logs"
        return Finding("intake", state, advice)
    return Finding("intake", state)
