"""What a start costs, counted in modules: nobody waits for a library that the function can do without."""

import os
import subprocess
import sys

import pytest

from tests.architecture.sources import CORE, FUNCTIONS, folders

# A person with a link waits for public_api's start, so it is held to the most.
HEAVY = {
    "public_api": {
        *("aws_lambda_powertools", "pydantic", "pydantic_core", "email_validator", "typing_extensions", "asyncio"),
        *("ecrm.contracts", "ecrm.entry.http", "ecrm.entry.observability", "ecrm.messaging.failures"),
    }
}
RENDERING = {"public_api", "templates_api", "send_messages", "report_night"}
"""Functions that make pages or mails: no other one carries a renderer."""
SENDING = {"messages_api", "send_messages", "settle_sends", "publish_events"}
CAMPAIGNS = {"campaigns_api", "start_campaigns", "plan_audience"}
"""A campaign is made of rules, templates and messages."""
NIGHT = {
    *("plan_night", "snapshot_customers", "summarise_night", "score_customers", "publish_night", "tell_night", "report_night")
}
JUDGING = {*NIGHT, "segments_api"}
"""Rules are about orders and consents, and nobody waits for a step of the night."""
SHAPES = {
    "ecrm.application.mail_ports": {*SENDING, *CAMPAIGNS, "record_delivery"},
    "ecrm.domain.messages": {*SENDING, *CAMPAIGNS, "record_delivery"},
    "ecrm.domain.templates": {*SENDING, *CAMPAIGNS, "templates_api"},
    "ecrm.domain.consent": {
        *SENDING,
        *CAMPAIGNS,
        *JUDGING,
        "record_delivery",
        "reports_api",
        "consent_api",
        "customers_api",
        "imports_api",
        "project_events",
    },
    "ecrm.domain.suppressions": {
        *SENDING,
        "plan_audience",
        "start_campaigns",
        "record_delivery",
        "consent_api",
        "customers_api",
        "imports_api",
        "segments_api",
    },
    "ecrm.domain.orders": {
        *(*SENDING, *CAMPAIGNS, *JUDGING, "orders_api", "customers_api", "public_api", "templates_api", "project_events"),
        "reports_api",
    },
}
"""The shapes of a capability, and who may load them with the start: a data class takes half a millisecond to make."""
READING_FILES = {"python_calamine", "phonenumbers", "charset_normalizer", "multiprocessing", "csv"}
"""What only a contact file needs, and then only one that has such things in it: not even its functions start with it."""
EVERYWHERE = READING_FILES | {
    "boto3",
    "s3transfer",
    "email_validator",
    "moto",
    "aws_lambda_powertools.event_handler",
    "aws_xray_sdk",
}
PRINT_ALL = """
import sys
import {folder}.handler
from ecrm import bootstrap
from ecrm.domain.links import Language
if "{folder}" == "public_api":
    bootstrap.pages().notice("not_found", Language.ENGLISH)
print(*sys.modules)
"""


@pytest.mark.parametrize("folder", folders())
def test_a_start_loads_nothing_that_its_function_can_do_without(folder: str) -> None:
    settings = {"PYTHONPATH": f"{CORE}:{FUNCTIONS}", "AWS_DEFAULT_REGION": "eu-central-1", "POWERTOOLS_SERVICE_NAME": folder}
    started = subprocess.run(
        [sys.executable, "-c", PRINT_ALL.format(folder=folder)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **settings, "TABLE_NAME": "table"},
    )
    loaded = set(started.stdout.split())
    assert "ecrm.bootstrap" in loaded
    renderer = set() if folder in RENDERING else {"minijinja", "ecrm.messaging.rendering", "ecrm.messaging.mails"}
    shapes = {module for module, mine in SHAPES.items() if folder not in mine}
    assert set() == loaded & (EVERYWHERE | renderer | shapes | HEAVY.get(folder, set()))
