"""schemathesis against the whole document, in process: all of its checks, on valid and on broken input."""

import json
from contextlib import suppress

import pytest
import schemathesis
from django.contrib.auth import get_user_model
from django.core import signals
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.wsgi import application
from people.fields import editing as field_editing
from tests.factories import approved_type, draft_type, make_person, new_activity, record_rows
from tests.hypothesis_profiles import examples

EXAMPLES = examples(2, 50, "SCHEMATHESIS_EXAMPLES")
SEQUENCES = examples(4, 100, "SCHEMATHESIS_SEQUENCES")
CONFIG = SchemathesisConfig.from_dict(
    {
        # PostgreSQL's text has no NUL: refused everywhere, which the document cannot express
        "generation": {"allow-x00": False},
        "checks": {
            # described values can still name people, types or states that are not there, and be too long
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "304", "401", "403", "404", "409", "412", "414", "422"]
            },
            "negative_data_rejection": {
                "expected-statuses": [
                    "400",
                    "401",
                    "403",
                    "404",
                    "405",
                    "406",
                    "409",
                    "412",
                    "413",
                    "414",
                    "415",
                    "422",
                ]
            },
        },
    }
)


@pytest.fixture
def _in_one_transaction():
    """Let requests leave the test's connection open, as Django's own test client does."""
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def schema(db, _in_one_transaction):
    owner = get_user_model().objects.create_superuser("olga", password="x")
    client = client_editing.create_client("schemathesis", owner, None, client_editing.grantable_rights()).client
    headers = {"Authorization": f"Bearer {tokens.issue_token(client).text}"}
    approved_type()
    draft_type("Attend Webinar", "attendWebinar")
    field_editing.create_person_field("Plan", "string", None)
    ann = make_person(email="ann@example.com", plan="Gold")
    record_rows(new_activity(ann.pk, amount=7), new_activity(ann.pk, "depositCheck", branch="Sol"))
    found = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application, config=CONFIG, headers=headers)
    return found, headers


@schemathesis.serializer("text/csv", "application/gzip", "application/octet-stream")
def file(_context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


def _is_by_row(operation):
    """One bad row never costs the others: these answer 200 and name the fault beside its row. Any bytes are a file."""
    return operation.path.endswith(("/batch", "}/delete", "/stream", "/validate", "/imports"))


def _excluded(operation):
    """Checks that do not hold, as no description covers them: API names in parameters of figures are of what exists, and
    an order by time wants a person or a type."""
    if operation.path.endswith("/reports/figures") or operation.label.endswith("GET /api/v1/activities"):
        return [positive_data_acceptance]
    return [negative_data_rejection] if _is_by_row(operation) else None


def _check(operation, headers, mode):
    excluded = _excluded(operation)

    @seed(0)
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        before = transaction.savepoint()
        try:
            case.call_and_validate(headers=headers, excluded_checks=excluded)
        finally:
            transaction.savepoint_rollback(before)

    with suppress(Unsatisfiable):  # without parameters and body there is nothing that could be broken
        check()


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_no_operation_breaks_its_description(schema, mode):
    document, headers = schema
    faults = []
    for result in document.get_all_operations():
        try:
            _check(result.ok(), headers, mode)
        except (Exception, FailureGroup) as error:
            faults.append(f"{result.ok().label}: {error}")
    assert not faults, "\n\n".join(faults)


@pytest.mark.slow
def test_no_sequence_of_calls_breaks_the_description(schema):
    """Values of one answer (ids, API names) are parameters of the next calls, by the document's links."""
    document, headers = schema

    class Calls(document.as_state_machine()):
        def setup(self):
            self.before = transaction.savepoint()

        def teardown(self):
            transaction.savepoint_rollback(self.before)

        def get_call_kwargs(self, case):
            return {"headers": headers}

        def validate_response(self, response, case, **options):
            excluded = _excluded(case.operation)
            recorder = getattr(self, "recorder", None)
            case.validate_response(
                response, excluded_checks=excluded, headers=headers, transport_kwargs=options, recorder=recorder
            )

    Calls.run(
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=8,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
        )
    )
