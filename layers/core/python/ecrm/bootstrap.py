"""The wiring: the only place that knows the environment and every adapter. Each collaborator is made once per container."""

import os
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, partial
from itertools import batched
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable
from ecrm.store.table import Table, time_heals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient

    from ecrm.analytics.campaign_reports import CampaignReport
    from ecrm.analytics.reports import Report
    from ecrm.application.behaviour import Result, Said
    from ecrm.application.campaign_reports import CampaignReportRoom
    from ecrm.application.consent import ChangeConsents, Changed, ConsentsView
    from ecrm.application.contacts import ContactRecorded, RecordContact
    from ecrm.application.data_requests import DataRoom
    from ecrm.application.decisions import Decisions
    from ecrm.application.delivery import Outcome as Noted
    from ecrm.application.facts import FactsOf
    from ecrm.application.identity import Authority
    from ecrm.application.import_ports import RowsOf
    from ecrm.application.imports import Requested as ImportRequested
    from ecrm.application.imports import RequestImport
    from ecrm.application.jobs import Requested
    from ecrm.application.mails import Composer
    from ecrm.application.messages import Confirmed, FindOrder, MessageRequested, OrderEvent, RequestMessage
    from ecrm.application.night_ports import Group, NightSettings, Place
    from ecrm.application.nights import Planned, Worked
    from ecrm.application.occurrences import Round
    from ecrm.application.opt_ins import OptInRoom
    from ecrm.application.orders import PlaceOrder, Recorded, RecordOrderEvent
    from ecrm.application.particulars import Particulars
    from ecrm.application.planning import PagePlanned
    from ecrm.application.ports import Request, Unreadable
    from ecrm.application.preferences import PreferenceRoom
    from ecrm.application.profiles import ApplyTraits, Joining, Kept, Profile, PutCustomer, UpdateCustomer
    from ecrm.application.report_links import MadeLink
    from ecrm.application.runs import RunRoom
    from ecrm.application.segment_ports import Night
    from ecrm.application.segments import Explained, LastNight, Members, Preview
    from ecrm.application.sending import Sender
    from ecrm.application.settling import Settled
    from ecrm.application.simulations import Simulation
    from ecrm.application.statistics import TimeZones, Touched
    from ecrm.application.subscriptions import Confirmations
    from ecrm.application.suppressions import LiftSuppression, SuppressAddress, Suppressed
    from ecrm.application.templates import Preview as TemplatePreview
    from ecrm.application.templates import Rendered, TestSent, TryOut
    from ecrm.application.traits import CopiedTraits
    from ecrm.application.unsubscribes import UnsubscribeRoom
    from ecrm.domain.campaigns import Campaign
    from ecrm.domain.customers import Customer, Identifier
    from ecrm.domain.delivery import Notice
    from ecrm.domain.imports import Drop, Import, RowOutcome, Tally
    from ecrm.domain.jobs import FileFormat, Job, JobKind
    from ecrm.domain.links import Language
    from ecrm.domain.messages import Send
    from ecrm.domain.runs import Run
    from ecrm.domain.segments import Rule, Segment
    from ecrm.domain.statistics import CustomerStatistics
    from ecrm.domain.templates import Template
    from ecrm.entry.campaigns import CampaignRoom
    from ecrm.entry.http import HttpApi
    from ecrm.entry.public import Posted, PublicPages, Shown, Visit
    from ecrm.entry.templates import Workshop
    from ecrm.files.exports import S3ExportFiles
    from ecrm.files.imports import S3ImportFiles
    from ecrm.files.nights import S3NightFiles
    from ecrm.files.reports import S3Reports
    from ecrm.messaging.campaign_reports import CampaignReportPages
    from ecrm.messaging.failures import SqsFailureQueue
    from ecrm.messaging.imports import SqsChunkQueue, SqsImportQueue
    from ecrm.messaging.jobs import SqsJobQueue
    from ecrm.messaging.machines import Executions, StepFunctionsCampaignMachine
    from ecrm.messaging.mails import Mails
    from ecrm.messaging.messages import SqsMessageQueue
    from ecrm.messaging.person_pages import PersonPages
    from ecrm.messaging.rendering import Pages
    from ecrm.messaging.ses import SesMailer
    from ecrm.store.api_keys import DynamoKeys
    from ecrm.store.behaviour import DynamoBehaviour
    from ecrm.store.campaigns import DynamoCampaigns, DynamoRuns
    from ecrm.store.consent import DynamoConsents
    from ecrm.store.contact_rows import DynamoContactRows
    from ecrm.store.contacts import DynamoContacts
    from ecrm.store.customers import DynamoCustomers
    from ecrm.store.events import DynamoTimeline
    from ecrm.store.import_rows import DynamoRowChanges
    from ecrm.store.imports import DynamoImports
    from ecrm.store.jobs import DynamoJobs
    from ecrm.store.limits import DynamoLimits
    from ecrm.store.links import SecretLinkKeys
    from ecrm.store.memberships import DynamoMemberships
    from ecrm.store.messages import DynamoSends
    from ecrm.store.nights import DynamoMoveEvents, DynamoNights
    from ecrm.store.orders import DynamoOrders
    from ecrm.store.preferences import DynamoPreferences
    from ecrm.store.products import DynamoProducts
    from ecrm.store.profiles import DynamoProfiles
    from ecrm.store.replays import DynamoRequests
    from ecrm.store.rosters import DynamoRosters
    from ecrm.store.segments import DynamoSegments
    from ecrm.store.sending import DynamoSendingControl
    from ecrm.store.sites import DynamoSites
    from ecrm.store.statistics import DynamoStatistics, DynamoStatisticsRows
    from ecrm.store.suppressions import DynamoSuppressions
    from ecrm.store.templates import DynamoTemplates
    from ecrm.store.topics import DynamoTopics
    from ecrm.store.traits import DynamoTraits

_PATIENCE = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=1, read_timeout=5, tcp_keepalive=True)
"""Three tries within the 29 s that API Gateway waits; every write survives being sent twice."""

_COUNTED_SECONDS = 5
"""For how long a run is counted for a page that somebody waits for; what was counted before is shown of the rest."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomIds:
    def customer_id(self, now: datetime) -> str:
        """48 bits of milliseconds, then 80 random bits, in hex."""
        return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"

    def key_secret(self) -> str:
        return secrets.token_hex(20)

    def job_id(self, now: datetime) -> str:
        return self.customer_id(now)

    def message_id(self, now: datetime) -> str:
        return self.customer_id(now)

    def event_id(self) -> str:
        return secrets.token_hex(16)


def _pause(most_seconds: float) -> None:
    """Sleep for a random part of the time (full jitter): who was refused together does not come back together."""
    time.sleep(secrets.SystemRandom().uniform(0, most_seconds))


clock = SystemClock()
ids = RandomIds()


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def _dynamodb() -> "DynamoDBClient":
    return cast("DynamoDBClient", _session().create_client("dynamodb", config=_PATIENCE))


@cache
def _sqs() -> "SQSClient":
    return cast("SQSClient", _session().create_client("sqs", config=_PATIENCE))


@cache
def table() -> Table:
    return Table(_dynamodb(), os.environ["TABLE_NAME"], _pause)


def _secret(secret_id: str) -> str:
    client = cast("SecretsManagerClient", _session().create_client("secretsmanager", config=_PATIENCE))
    try:
        return client.get_secret_value(SecretId=secret_id)["SecretString"]
    except BotoCoreError as error:
        raise Unavailable("a secret cannot be reached") from error
    except ClientError as error:
        raise (Unavailable("a secret cannot be read") if time_heals(error) else error) from error


@cache
def _identity_secret() -> bytes:
    return _secret(os.environ["IDENTITY_SECRET_ID"]).encode()


@cache
def customers() -> "DynamoCustomers":
    from ecrm.store.customers import DynamoCustomers  # noqa: PLC0415 (each function imports its own)

    shared = os.environ.get("SHARED_USER_IDS", "no") == "yes"
    return DynamoCustomers(table(), _identity_secret, shared_user_ids=shared)


@cache
def profiles() -> "DynamoProfiles":
    from ecrm.store.profiles import DynamoProfiles  # noqa: PLC0415 (each function imports its own)

    return DynamoProfiles(table(), customers())


@cache
def orders() -> "DynamoOrders":
    from ecrm.store.orders import DynamoOrders  # noqa: PLC0415 (each function imports its own)

    return DynamoOrders(table(), customers())


@cache
def requests() -> "DynamoRequests":
    from ecrm.store.replays import DynamoRequests  # noqa: PLC0415 (each function imports its own)

    return DynamoRequests(table())


@cache
def timeline() -> "DynamoTimeline":
    from ecrm.store.events import DynamoTimeline  # noqa: PLC0415 (each function imports its own)

    return DynamoTimeline(table())


@cache
def behaviour() -> "DynamoBehaviour":
    from ecrm.store.behaviour import DynamoBehaviour  # noqa: PLC0415 (each function imports its own)

    return DynamoBehaviour(table(), customers())


@cache
def statistics() -> "DynamoStatistics":
    from ecrm.store.statistics import DynamoStatistics  # noqa: PLC0415 (each function imports its own)

    return DynamoStatistics(table())


@cache
def api_keys() -> "DynamoKeys":
    from ecrm.store.api_keys import DynamoKeys  # noqa: PLC0415 (each function imports its own)

    return DynamoKeys(table())


@cache
def sites() -> "DynamoSites":
    from ecrm.store.sites import DynamoSites  # noqa: PLC0415 (each function imports its own)

    return DynamoSites(table())


@cache
def time_zones() -> "TimeZones":
    from ecrm.application.statistics import TimeZones  # noqa: PLC0415 (only who counts orders by day)

    return TimeZones(sites(), clock)


@cache
def copied_traits() -> "CopiedTraits":
    from ecrm.application.traits import CopiedTraits  # noqa: PLC0415 (only who counts customers)

    return CopiedTraits(traits=traits(), customers=customers(), profiles=profiles(), consents=consents(), clock=clock)


@cache
def traits() -> "DynamoTraits":
    from ecrm.store.traits import DynamoTraits  # noqa: PLC0415 (each function imports its own)

    return DynamoTraits(table())


@cache
def consents() -> "DynamoConsents":
    from ecrm.store.consent import DynamoConsents  # noqa: PLC0415 (each function imports its own)

    return DynamoConsents(table(), _identity_secret)


@cache
def suppressions() -> "DynamoSuppressions":
    from ecrm.store.suppressions import DynamoSuppressions  # noqa: PLC0415 (each function imports its own)

    return DynamoSuppressions(table(), _identity_secret)


@cache
def topics() -> "DynamoTopics":
    from ecrm.store.topics import DynamoTopics  # noqa: PLC0415 (each function imports its own)

    return DynamoTopics(table())


@cache
def templates() -> "DynamoTemplates":
    from ecrm.store.templates import DynamoTemplates  # noqa: PLC0415 (each function imports its own)

    return DynamoTemplates(table())


@cache
def mails() -> "Mails":
    from ecrm.messaging.mails import Mails  # noqa: PLC0415 (only what makes mails carries the renderer)

    return Mails()


@cache
def ready_made() -> "Mapping[str, Template]":
    from ecrm.messaging.ready_made import ready_made  # noqa: PLC0415 (the same)

    return ready_made()


@cache
def contacts() -> "DynamoContacts":
    from ecrm.store.contacts import DynamoContacts  # noqa: PLC0415 (each function imports its own)

    return DynamoContacts(table())


@cache
def products() -> "DynamoProducts":
    from ecrm.store.products import DynamoProducts  # noqa: PLC0415 (each function imports its own)

    return DynamoProducts(table())


@cache
def link_keys() -> "SecretLinkKeys":
    from ecrm.store.links import SecretLinkKeys  # noqa: PLC0415 (each function imports its own)

    return SecretLinkKeys(lambda: _secret(os.environ["LINK_SECRET_ID"]), clock)


@cache
def failure_queue() -> "SqsFailureQueue":
    from ecrm.messaging.failures import SqsFailureQueue  # noqa: PLC0415 (only stream consumers carry SQS)

    return SqsFailureQueue(_sqs(), os.environ["FAILURE_QUEUE_URL"])


@cache
def jobs() -> "DynamoJobs":
    from ecrm.store.jobs import DynamoJobs  # noqa: PLC0415 (each function imports its own)

    return DynamoJobs(table(), customers(), suppressions())


@cache
def job_queue() -> "SqsJobQueue":
    from ecrm.messaging.jobs import SqsJobQueue  # noqa: PLC0415 (only those who queue jobs carry SQS)

    return SqsJobQueue(_sqs(), os.environ["JOB_QUEUE_URL"])


@cache
def sends() -> "DynamoSends":
    from ecrm.store.messages import DynamoSends  # noqa: PLC0415 (each function imports its own)

    return DynamoSends(table(), customers(), _identity_secret)


@cache
def sending_control() -> "DynamoSendingControl":
    from ecrm.store.sending import DynamoSendingControl, table_id  # noqa: PLC0415 (each function imports its own)

    return DynamoSendingControl(table(), partial(table_id, _dynamodb(), os.environ["TABLE_NAME"]))


@cache
def message_queue() -> "SqsMessageQueue":
    from ecrm.messaging.messages import SqsMessageQueue  # noqa: PLC0415 (only those who queue messages carry SQS)

    return SqsMessageQueue(_sqs(), os.environ["MESSAGE_QUEUE_URL"])


@cache
def limits() -> "DynamoLimits":
    from ecrm.store.limits import DynamoLimits  # noqa: PLC0415 (only who answers strangers limits them)

    return DynamoLimits(table(), _identity_secret)


@cache
def composer() -> "Composer":
    from ecrm.application.mails import Composer  # noqa: PLC0415 (only who sends mails, or shows them again, makes them)

    return Composer(
        timeline=timeline(),
        profiles=profiles(),
        orders=orders(),
        sites=sites(),
        templates=templates(),
        ready_made=ready_made,
        renderer=mails(),
        consents=consents(),
        particulars=particulars(),
        link_keys=link_keys(),
        find_run=lambda run_id: sending_control().run(run_id),
        clock=clock,
        public_url=public_url(),
    )


def _ses(config: Config) -> "SESV2Client":
    return cast("SESV2Client", _session().create_client("sesv2", config=config))


@cache
def test_mailer() -> "SesMailer":
    from ecrm.domain.messages import Policy  # noqa: PLC0415 (only who sends a test needs any of it)
    from ecrm.messaging.ses import ONE_ATTEMPT, SesMailer  # noqa: PLC0415

    configuration_sets = {Policy.TRANSACTIONAL: os.environ["TRANSACTIONAL_CONFIGURATION_SET"]}
    return SesMailer(_ses(ONE_ATTEMPT), configuration_sets, time.monotonic)


@cache
def templates_workshop() -> "Workshop":
    from ecrm.application.orders import read_order  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.entry.templates import Workshop  # noqa: PLC0415

    return Workshop(
        templates=templates(),
        ready_made=ready_made,
        sites=sites(),
        topics=topics(),
        renderer=mails(),
        profile=read_profile,
        order=partial(read_order, orders=orders()),
        particulars=particulars(),
        send_test=send_test,
    )


def send_test(wanted: "TryOut", to: "Sequence[str]") -> "tuple[TemplatePreview, Sequence[TestSent]]":
    from ecrm.application import test_sends  # noqa: PLC0415 (the same)

    return test_sends.send_test(
        wanted,
        to,
        renderer=mails(),
        suppressions=suppressions(),
        control=sending_control(),
        limits=limits(),
        mailer=test_mailer(),
        clock=clock,
    )


@cache
def sender() -> "Sender":
    """One worker a container: it keeps what it was allowed for a second, and the slots that it has leased."""
    from ecrm.application.sending import Sender  # noqa: PLC0415 (only send_messages sends)
    from ecrm.domain.messages import Policy  # noqa: PLC0415
    from ecrm.messaging.quota import SesQuota  # noqa: PLC0415
    from ecrm.messaging.ses import ONE_ATTEMPT, SesMailer  # noqa: PLC0415

    configuration_sets = {
        Policy.TRANSACTIONAL: os.environ["TRANSACTIONAL_CONFIGURATION_SET"],
        Policy.MARKETING: os.environ["MARKETING_CONFIGURATION_SET"],
    }
    return Sender(
        sends=sends(),
        control=sending_control(),
        quota=SesQuota(_ses(_PATIENCE)),
        mailer=SesMailer(_ses(ONE_ATTEMPT), configuration_sets, time.monotonic),
        queue=message_queue(),
        customers=customers(),
        compose=composer().compose,
        clock=clock,
        wait=time.sleep,
    )


@cache
def _s3() -> "S3Client":
    # Links name the bucket's own region: S3's global host redirects those of a new bucket, and a signature does not survive that.
    at_its_region = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    return cast("S3Client", _session().create_client("s3", config=_PATIENCE.merge(at_its_region)))


@cache
def export_files() -> "S3ExportFiles":
    from ecrm.files.exports import S3ExportFiles  # noqa: PLC0415 (only those who read or write exports carry S3)

    return S3ExportFiles(_s3(), os.environ["EXPORTS_BUCKET"])


def imports_bucket() -> str:
    return os.environ["IMPORTS_BUCKET"]


@cache
def import_files() -> "S3ImportFiles":
    from ecrm.files.imports import S3ImportFiles  # noqa: PLC0415 (the same for contact files)

    return S3ImportFiles(_s3(), imports_bucket(), clock)


@cache
def imports() -> "DynamoImports":
    from ecrm.store.imports import DynamoImports  # noqa: PLC0415 (each function imports its own)

    return DynamoImports(table())


@cache
def import_queue() -> "SqsImportQueue":
    from ecrm.messaging.imports import SqsImportQueue  # noqa: PLC0415 (only those who queue imports carry SQS)

    return SqsImportQueue(_sqs(), os.environ["IMPORT_QUEUE_URL"])


@cache
def chunk_queue() -> "SqsChunkQueue":
    from ecrm.messaging.imports import SqsChunkQueue  # noqa: PLC0415 (the same)

    return SqsChunkQueue(_sqs(), os.environ["CHUNK_QUEUE_URL"])


@cache
def contact_rows() -> "DynamoContactRows":
    from ecrm.store.contact_rows import DynamoContactRows  # noqa: PLC0415 (each function imports its own)

    return DynamoContactRows(table(), customers(), profiles(), _identity_secret)


@cache
def row_changes() -> "DynamoRowChanges":
    from ecrm.store.import_rows import DynamoRowChanges  # noqa: PLC0415 (the same)

    return DynamoRowChanges(table())


@cache
def import_rows() -> "RowsOf":
    """How the rows of each kind are read and worked on."""
    from ecrm.application import contact_rows as use_rows_of_contacts  # noqa: PLC0415 (only who reads contact files needs all this)
    from ecrm.application import import_rows as use_rows  # noqa: PLC0415
    from ecrm.application.import_ports import Rows  # noqa: PLC0415
    from ecrm.contracts import imports as files  # noqa: PLC0415
    from ecrm.domain.imports import Kind  # noqa: PLC0415

    changes = row_changes()
    contacts_only = partial(
        use_rows_of_contacts.apply_contacts,
        store=contact_rows(),
        customers=customers(),
        profiles=profiles(),
        consents=consents(),
        topics=topics(),
        clock=clock,
        ids=ids,
    )
    facts: dict[str, Any] = {"orders": orders(), "requests": requests(), "clock": clock}
    apply: dict[Kind, Callable[[Import, Sequence[Any]], Sequence[RowOutcome]]] = {
        Kind.CONTACTS: partial(
            use_rows.apply_contacts, apply=contacts_only, suppressions=suppressions(), changes=changes, clock=clock
        ),
        Kind.SUPPRESSIONS: partial(use_rows.apply_suppressions, suppressions=suppressions(), changes=changes, clock=clock),
        Kind.ORDERS: partial(use_rows.apply_orders, customers=customers(), ids=ids, **facts),
        Kind.SHIPMENTS: partial(use_rows.apply_shipments, **facts),
        Kind.PRODUCTS: partial(use_rows.apply_products, products=products(), changes=changes, clock=clock),
    }
    plan = partial(files.plan, sites=sites(), topics=topics())
    return {kind: Rows(plan=plan, group=files.group, reads=files.reads, apply=each) for kind, each in apply.items()}


def request_import(command: "RequestImport", request: "Request | None") -> "ImportRequested":
    from ecrm.application import imports as use_imports  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.contracts.sidecars import interpret  # noqa: PLC0415

    return use_imports.request_import(
        command, request, imports=imports(), files=import_files(), interpret=interpret, clock=clock, ids=ids
    )


def cancel_import(import_id: str) -> "Import":
    from ecrm.application import imports as use_imports  # noqa: PLC0415 (the same)

    return use_imports.cancel_import(import_id, imports=imports(), clock=clock)


def begin_import(drop: "Drop") -> str | None:
    from ecrm.application import imports as use_imports  # noqa: PLC0415 (the same)

    return use_imports.begin(drop, imports=imports(), files=import_files())


def go_on_with_import(import_id: str, *, is_late: "Callable[[], bool]") -> None:
    from ecrm.application.imports import Reader  # noqa: PLC0415 (the same)
    from ecrm.contracts.sidecars import interpret  # noqa: PLC0415

    reader = Reader(
        imports=imports(),
        files=import_files(),
        queue=import_queue(),
        chunks=chunk_queue(),
        rows=import_rows(),
        interpret=interpret,
        sites=sites(),
        clock=clock,
    )
    reader.work(import_id, is_late)


def work_on_chunk(import_id: str, chunk: int) -> "Tally | None":
    from ecrm.application import imports as use_imports  # noqa: PLC0415 (the same)

    return use_imports.work_chunk(
        import_id, chunk, imports=imports(), files=import_files(), queue=import_queue(), rows=import_rows()
    )


def settle_due(is_late: "Callable[[], bool]") -> "Settled":
    from ecrm.application import settling  # noqa: PLC0415 (each function imports its own use cases)

    room = settling.SettlingRoom(
        sends=sends(), control=sending_control(), queue=message_queue(), customers=customers(), clock=clock
    )
    return settling.settle_due(room=room, is_late=is_late)


def request_message(command: "RequestMessage", request: "Request | None") -> "MessageRequested":
    from ecrm.application import messages  # noqa: PLC0415 (the same)

    return messages.request_message(
        command,
        request,
        sends=sends(),
        customers=customers(),
        sites=sites(),
        templates=templates(),
        ready_made=ready_made,
        topics=topics(),
        suppressions=suppressions(),
        orders=orders(),
        clock=clock,
        ids=ids,
    )


def send_order_link(asked: "FindOrder") -> "Send | None":
    from ecrm.application import messages  # noqa: PLC0415 (the same)

    return messages.send_order_link(
        asked, limits=limits(), orders=orders(), sends=sends(), customers=customers(), sites=sites(), clock=clock, ids=ids
    )


@cache
def confirmations() -> "Confirmations":
    from ecrm.application.subscriptions import Confirmations  # noqa: PLC0415 (each function imports its own use cases)

    return Confirmations(
        limits=limits(),
        customers=customers(),
        consents=consents(),
        suppressions=suppressions(),
        topics=topics(),
        requests=requests(),
        sites=sites(),
        sends=sends(),
        clock=clock,
        ids=ids,
        refused=_sign_up_refused,
    )


def _sign_up_refused() -> None:
    from ecrm.entry import observability  # noqa: PLC0415 (Powertools, for the day on which somebody floods a form)

    observability.count("SignUpsRefused")


def plan_order_mail(happened: "OrderEvent") -> "Send | None":
    from ecrm.application import messages  # noqa: PLC0415 (the same)

    return messages.plan_order_mail(happened, sends=sends(), customers=customers(), sites=sites(), clock=clock)


def plan_welcome(confirmed: "Confirmed") -> "Send | None":
    from ecrm.application import welcomes  # noqa: PLC0415 (the same)

    return welcomes.plan_welcome(
        confirmed,
        sends=sends(),
        customers=customers(),
        sites=sites(),
        templates=templates(),
        timeline=timeline(),
        clock=clock,
    )


def request_export(kind: "JobKind", file_format: "FileFormat", request: "Request | None", source: str) -> "Requested":
    from ecrm.application import jobs as use_jobs  # noqa: PLC0415 (each function imports its own use cases)

    return use_jobs.request_export(kind, file_format, request, source=source, jobs=jobs(), clock=clock, ids=ids)


def request_customers_export(customer_id: str, request: "Request | None", source: str) -> "Requested":
    from ecrm.application import jobs as use_jobs  # noqa: PLC0415 (the same)

    return use_jobs.request_customers_export(
        customer_id, request, source=source, jobs=jobs(), customers=customers(), clock=clock, ids=ids
    )


def request_erasure(customer_id: str, request: "Request | None", source: str) -> "Requested":
    from ecrm.application import jobs as use_jobs  # noqa: PLC0415 (the same)

    return use_jobs.request_erasure(customer_id, request, source=source, jobs=jobs(), customers=customers(), clock=clock, ids=ids)


def request_undo(import_id: str, request: "Request | None", source: str) -> "Requested":
    from ecrm.application import undo  # noqa: PLC0415 (the same)

    return undo.request_undo(import_id, request, source=source, imports=imports(), jobs=jobs(), clock=clock, ids=ids)


def work_on(job_id: str, *, is_late: "Callable[[], bool]", name: "Callable[[Iterable[Unreadable]], None]") -> None:
    """Go on with a job; `name` is given whatever it has to leave out, because it cannot be read."""
    from ecrm.application import erasure, exports, unconfirmed, undo, undo_rows  # noqa: PLC0415 (the same)
    from ecrm.application import jobs as use_jobs  # noqa: PLC0415
    from ecrm.contracts import exports as rows  # noqa: PLC0415
    from ecrm.domain.imports import Kind  # noqa: PLC0415
    from ecrm.domain.jobs import JobKind  # noqa: PLC0415
    from ecrm.store.erasure import DynamoErasure  # noqa: PLC0415
    from ecrm.store.exports import DynamoExports  # noqa: PLC0415

    def customer_rows(customer_id: str) -> "tuple[list[exports.Row], Sequence[Unreadable]]":
        record = exports.read_record(
            customer_id, customers=customers(), profiles=profiles(), statistics=statistics(), consents=read_consents
        )
        return [rows.customer_row(record)], ()

    walk: dict[str, Any] = {"exports": DynamoExports(table()), "files": export_files()}
    bulk = partial(exports.export_all, shape=rows.shapes, name=name, **walk)

    def export_segment(job: "Job", is_late: "Callable[[], bool]") -> "Iterator[Job]":
        from ecrm.application.segments import SegmentWalk  # noqa: PLC0415 (only for that kind)
        from ecrm.store.keys import SHARDS  # noqa: PLC0415

        members = SegmentWalk(job.segment or "", job.generation or 0, nights(), memberships(), SHARDS)
        return exports.export_all(
            job, is_late, rows_of=customer_rows, name=name, shape=rows.shapes, exports=members, files=export_files()
        )

    def export_recipients(job: "Job", is_late: "Callable[[], bool]") -> "Iterator[Job]":
        from ecrm.application.campaign_runs import roster  # noqa: PLC0415 (only for that kind)

        return exports.export_recipients(
            job,
            is_late,
            roster=partial(roster, runs=runs(), sends=sends()),
            row_of=rows.recipient_row,
            shape=rows.shapes,
            files=export_files(),
        )

    order_rows = partial(exports.read_orders, row_of=rows.order_row, customers=customers(), orders=orders())
    undo_contacts = partial(
        undo.undo_contacts, store=contact_rows(), customers=customers(), profiles=profiles(), consents=consents(), clock=clock
    )
    taken_back: dict[Kind, undo.UndoRows] = {
        Kind.CONTACTS: partial(undo_rows.undo_contacts, undo=undo_contacts, changes=row_changes()),
        Kind.PRODUCTS: partial(undo_rows.undo_products, products=products(), changes=row_changes()),
        Kind.SUPPRESSIONS: partial(undo_rows.undo_suppressions, suppressions=suppressions(), changes=row_changes(), clock=clock),
    }
    steps: dict[JobKind, use_jobs.Steps] = {
        JobKind.EXPORT_CUSTOMERS: partial(bulk, rows_of=customer_rows),
        JobKind.EXPORT_ORDERS: partial(bulk, rows_of=order_rows),
        JobKind.EXPORT_SEGMENT: export_segment,
        JobKind.EXPORT_RECIPIENTS: export_recipients,
        JobKind.EXPORT_CUSTOMER: partial(exports.export_person, customers=customers(), shapes=rows.PERSON, **walk),
        JobKind.ERASE_CUSTOMER: partial(
            erasure.erase,
            erasure=DynamoErasure(table(), suppressions()),
            orders=orders(),
            statistics=statistics(),
            files=export_files(),
        ),
        JobKind.REMOVE_UNCONFIRMED: partial(
            unconfirmed.remove_unconfirmed,
            waiting=customers(),
            store=contact_rows(),
            entries=DynamoErasure(table(), suppressions()),
            customers=customers(),
            consents=consents(),
            clock=clock,
        ),
        JobKind.UNDO_IMPORT: partial(
            undo.undo_import, imports=imports(), files=import_files(), exports=export_files(), rows=taken_back
        ),
    }
    kept = timedelta(days=int(os.environ["LOG_RETENTION_DAYS"]))
    receipts = {JobKind.ERASE_CUSTOMER: partial(erasure.receipt, logs_kept=kept)}
    use_jobs.work(job_id, steps=steps, receipts=receipts, is_late=is_late, jobs=jobs(), queue=job_queue(), clock=clock)


def place_order(command: "PlaceOrder", request: "Request | None") -> "Recorded":
    from ecrm.application import orders as use  # noqa: PLC0415 (each function imports its own use cases)

    return use.place_order(command, request, orders=orders(), requests=requests(), customers=customers(), clock=clock, ids=ids)


def record_order_event(command: "RecordOrderEvent", request: "Request | None") -> "Recorded":
    from ecrm.application import orders as use  # noqa: PLC0415 (the same)

    return use.record_order_event(command, request, orders=orders(), requests=requests(), clock=clock)


def take(
    calls: "Sequence[Said | PlaceOrder | RecordOrderEvent]", *, site: str, source: str, authority: "Authority", now: datetime
) -> "Sequence[Result]":
    from ecrm.application.behaviour import Taking  # noqa: PLC0415 (each function imports its own use cases)

    def apply(command: "ApplyTraits") -> None:
        from ecrm.application import profiles as profiles_use  # noqa: PLC0415 (only what says something of the customer)

        profiles_use.apply_traits(command, customers=customers(), profiles=profiles(), clock=clock)

    def keep_order(command: "PlaceOrder | RecordOrderEvent") -> "Recorded":
        from ecrm.application.orders import PlaceOrder  # noqa: PLC0415 (only what says something of an order)

        return place_order(command, None) if isinstance(command, PlaceOrder) else record_order_event(command, None)

    return Taking(
        site=site,
        source=source,
        authority=authority,
        now=now,
        behaviour=behaviour(),
        customers=customers(),
        ids=ids,
        apply_traits=apply,
        keep_order=keep_order,
    ).take(calls)


def recount(customer_id: str, what: "Touched | None" = None, *, dry_run: bool = False) -> bool:
    from ecrm.application import statistics as counting  # noqa: PLC0415 (the same)

    return counting.recount(
        customer_id,
        what or counting.EVERYTHING,
        customers=customers(),
        orders=orders(),
        behaviour=behaviour(),
        statistics=statistics(),
        zone_of=time_zones(),
        traits_of=copied_traits(),
        dry_run=dry_run,
    )


def company_zone() -> tzinfo:
    """Where the company's days begin and end."""
    from ecrm.domain.instants import time_zone  # noqa: PLC0415 (only who judges rules)

    return time_zone(os.environ.get("TIME_ZONE", "UTC"))


@cache
def segments() -> "DynamoSegments":
    from ecrm.store.segments import DynamoSegments  # noqa: PLC0415 (each function imports its own)

    return DynamoSegments(table())


@cache
def campaigns() -> "DynamoCampaigns":
    from ecrm.store.campaigns import DynamoCampaigns  # noqa: PLC0415 (each function imports its own)

    return DynamoCampaigns(table())


def coming_campaigns(segment: str) -> tuple[str, ...]:
    from ecrm.application import campaigns as use  # noqa: PLC0415 (only what archives a segment asks)

    return use.coming_campaigns(segment, campaigns=campaigns())


@cache
def runs() -> "DynamoRuns":
    from ecrm.store.campaigns import DynamoRuns  # noqa: PLC0415 (the same)

    return DynamoRuns(table())


@cache
def campaign_room() -> "CampaignRoom":
    from ecrm.application.campaign_runs import retry_failed  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.application.campaigns import read_named  # noqa: PLC0415
    from ecrm.entry.campaigns import CampaignRoom  # noqa: PLC0415
    from ecrm.messaging.identities import SesIdentities  # noqa: PLC0415

    return CampaignRoom(
        campaigns=campaigns(),
        runs=runs(),
        named=lambda: read_named(
            sites=sites(), topics=topics(), templates=templates(), ready_made=ready_made, segments=segments()
        ),
        is_empty=is_audience_empty,
        identities=SesIdentities(_ses(_PATIENCE)),
        retry=partial(
            retry_failed, campaigns=campaigns(), runs=runs(), templates=templates(), ready_made=ready_made, clock=clock
        ),
        export=request_recipients,
        clock=clock,
    )


def simulate_campaign(campaign: "Campaign", is_late: "Callable[[], bool]") -> "Simulation":
    from ecrm.application import campaigns as of_campaigns  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.application.simulations import SimulationRoom, simulate  # noqa: PLC0415
    from ecrm.store.keys import SHARDS  # noqa: PLC0415
    from ecrm.store.tallies import DynamoLastOrders  # noqa: PLC0415

    room = SimulationRoom(
        customers=customers(),
        consents=consents(),
        suppressions=suppressions(),
        clock=clock,
        named=campaign_room().named,
        frozen=partial(of_campaigns.frozen, templates=templates(), ready_made=ready_made),
        segments=segments(),
        nights=nights(),
        rows=statistics_rows(),
        facts_of=facts_of(),
        last_orders=DynamoLastOrders(table(), customers()),
        render=_rendered_without_links,
        zone=company_zone(),
        shards=SHARDS,
    )
    return simulate(campaign, room=room, is_late=is_late)


def _rendered_without_links(run: "Run", send: "Send", customer: "Customer") -> "Rendered":
    """Make the mail of a run that is not there; its links open nothing."""
    from ecrm.messaging.samples import NobodysLinkKeys  # noqa: PLC0415 (each function imports its own)

    sample = replace(composer(), link_keys=NobodysLinkKeys(), find_run=lambda _: run, _runs={}, public_url="https://example.com")
    return sample.again(send, customer)


@cache
def campaign_report_room() -> "CampaignReportRoom":
    from ecrm.application.campaign_reports import CampaignReportRoom  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.store.tallies import DynamoTallies  # noqa: PLC0415

    return CampaignReportRoom(
        runs=runs(),
        campaigns=campaigns(),
        sites=sites(),
        rosters=run_rosters(),
        sends=sends(),
        tallies=DynamoTallies(table()),
        clock=clock,
    )


def report_run(run: "Run", is_late: "Callable[[], bool]") -> "CampaignReport":
    from ecrm.application import campaign_reports as use  # noqa: PLC0415 (the same)

    return use.report_run(run, is_late, room=campaign_report_room())


def make_campaign_report_link(run: "Run", language: "Language | None") -> "tuple[MadeLink, str]":
    from ecrm.application import campaign_reports as use  # noqa: PLC0415 (the same)

    made = use.make_campaign_report_link(run, language, keys=link_keys(), clock=clock)
    return made, f"{public_url()}/public/campaign-reports/{made.token}"


def show_campaign_report(visit: "Visit") -> "Shown":
    from ecrm.application.campaign_reports import read_public_campaign_report  # noqa: PLC0415 (an order's page does without)
    from ecrm.entry.public import Shown  # noqa: PLC0415
    from ecrm.messaging.rendering import style_of  # noqa: PLC0415

    until = time.monotonic() + _COUNTED_SECONDS
    report, language = read_public_campaign_report(
        visit.token, lambda: time.monotonic() > until, keys=link_keys(), room=campaign_report_room()
    )
    page = campaign_report_pages().report(report, visit.chosen(language))
    return Shown(page, style_of(page))


@cache
def campaign_report_pages() -> "CampaignReportPages":
    from ecrm.messaging.campaign_reports import CampaignReportPages  # noqa: PLC0415 (only who is shown one)

    return CampaignReportPages()


def is_audience_empty(campaign: "Campaign", is_late: "Callable[[], bool]") -> bool:
    from ecrm.application.segments import is_anybody_in  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.store.keys import SHARDS  # noqa: PLC0415

    return not is_anybody_in(
        campaign.rule,
        segments=segments(),
        nights=nights(),
        rows=statistics_rows(),
        facts_of=facts_of(),
        zone=company_zone(),
        clock=clock,
        is_late=is_late,
        shards=SHARDS,
    )


def request_recipients(run: "Run", file_format: "FileFormat", request: "Request | None", source: str) -> "Requested":
    from ecrm.application import campaign_runs as use  # noqa: PLC0415 (each function imports its own use cases)

    return use.request_recipients(run, file_format, request, source=source, jobs=jobs(), clock=clock, ids=ids)


def start_campaigns(is_late: "Callable[[], bool]") -> "Round":
    from ecrm.application import campaigns as definitions  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.application import occurrences as use  # noqa: PLC0415
    from ecrm.application import runs as looking  # noqa: PLC0415
    from ecrm.store.keys import SHARDS  # noqa: PLC0415

    room = use.OccurrenceRoom(
        campaigns=campaigns(),
        runs=runs(),
        rosters=run_rosters(),
        sends=sends(),
        machine=campaign_machine(),
        queue=message_queue(),
        control=sending_control(),
        sites=sites(),
        templates=templates(),
        ready_made=ready_made,
        named=lambda: definitions.read_named(
            sites=sites(), topics=topics(), templates=templates(), ready_made=ready_made, segments=segments()
        ),
        nights=nights(),
        rows=statistics_rows(),
        look_after=partial(looking.look_after, room=run_room()),
        clock=clock,
        shards=SHARDS,
    )
    return use.start_due(room=room, is_late=is_late)


def is_behind() -> bool:
    """Say whether nobody comes back to campaigns."""
    from ecrm.application import occurrences as use  # noqa: PLC0415 (the same)

    return use.is_behind(runs=runs(), control=sending_control(), clock=clock)


def plan_audience(run_id: str, page: int, is_late: "Callable[[], bool]") -> "PagePlanned":
    from ecrm.application import planning as use  # noqa: PLC0415 (the same)
    from ecrm.files.audiences import S3AudienceFiles  # noqa: PLC0415
    from ecrm.store.keys import SHARDS  # noqa: PLC0415

    room = use.PlanningRoom(
        campaigns=campaigns(),
        runs=runs(),
        files=S3AudienceFiles(_s3(), os.environ["NIGHTS_BUCKET"]),
        rosters=run_rosters(),
        sends=sends(),
        segments=segments(),
        nights=nights(),
        night_files=night_files(),
        rows=statistics_rows(),
        facts_of=facts_of(),
        customers=customers(),
        consents=consents(),
        suppressions=suppressions(),
        clock=clock,
        zone=company_zone(),
        shards=SHARDS,
    )
    return use.plan_audience(run_id, page, room=room, is_late=is_late)


@cache
def run_rosters() -> "DynamoRosters":
    from ecrm.store.rosters import DynamoRosters  # noqa: PLC0415 (each function imports its own)

    return DynamoRosters(table())


@cache
def run_room() -> "RunRoom":
    from ecrm.application.runs import RunRoom  # noqa: PLC0415 (each function imports its own)
    from ecrm.store.tallies import DynamoLastOrders, DynamoTallies  # noqa: PLC0415

    return RunRoom(
        runs=runs(),
        rosters=run_rosters(),
        sends=sends(),
        tallies=DynamoTallies(table()),
        last_orders=DynamoLastOrders(table(), customers()),
        clock=clock,
    )


@cache
def campaign_machine() -> "StepFunctionsCampaignMachine":
    from ecrm.messaging.machines import StepFunctionsCampaignMachine  # noqa: PLC0415 (only start_campaigns starts any)

    client = cast("Executions", _session().create_client("stepfunctions", config=_PATIENCE))
    return StepFunctionsCampaignMachine(client, os.environ["CAMPAIGN_MACHINE_ARN"])


@cache
def memberships() -> "DynamoMemberships":
    from ecrm.store.memberships import DynamoMemberships  # noqa: PLC0415 (each function imports its own)

    return DynamoMemberships(table(), at_once=8)


@cache
def nights() -> "DynamoNights":
    from ecrm.store.nights import DynamoNights  # noqa: PLC0415 (each function imports its own)

    return DynamoNights(table())


@cache
def particulars() -> "Particulars":
    from ecrm.application.particulars import Particulars  # noqa: PLC0415 (only who makes marketing mails needs them)

    return Particulars(timeline=timeline(), products=products(), nights=nights(), memberships=memberships())


def move_events() -> "DynamoMoveEvents":
    from ecrm.store.nights import DynamoMoveEvents  # noqa: PLC0415 (only who tells of a night)

    return DynamoMoveEvents(table())


@cache
def facts_of() -> "FactsOf":
    from ecrm.application.facts import FactsOf  # noqa: PLC0415 (only who judges rules)

    return FactsOf(
        customers=customers(),
        statistics=statistics(),
        profiles=profiles(),
        consents=consents(),
        orders=orders(),
        behaviour=behaviour(),
        zone_of=time_zones(),
    )


@cache
def night_files() -> "S3NightFiles":
    from ecrm.files.nights import S3NightFiles  # noqa: PLC0415 (only who reads or writes files of nights carries S3)

    return S3NightFiles(_s3(), os.environ["NIGHTS_BUCKET"])


@cache
def statistics_rows() -> "DynamoStatisticsRows":
    from ecrm.store.statistics import DynamoStatisticsRows  # noqa: PLC0415 (each function imports its own)

    return DynamoStatisticsRows(table())


def _night_settings() -> "NightSettings":
    from ecrm.analytics.forecasts import Horizon  # noqa: PLC0415 (only who plans a night)
    from ecrm.analytics.rfm import BEST, GroupTable  # noqa: PLC0415 (the same)
    from ecrm.application.night_ports import NightSettings  # noqa: PLC0415
    from ecrm.domain.lifecycle import Thresholds  # noqa: PLC0415

    at_risk, lost, loyal, won_back = map(int, os.environ["LIFECYCLE_DAYS"].split(","))
    names = os.environ["RFM_GROUPS"].split(",")
    groups = GroupTable(tuple(batched(names, BEST, strict=True))) if any(names) else GroupTable()
    lifecycle = Thresholds(at_risk_days=at_risk, lost_days=lost, loyal_days=loyal, won_back_days=won_back)
    days, percent = os.environ["LIFETIME_VALUE"].split(",")
    horizon = Horizon(days=int(days), discount_percent=float(percent))
    return NightSettings(time_zone=os.environ.get("TIME_ZONE", "UTC"), lifecycle=lifecycle, groups=groups, horizon=horizon)


def plan_night(scheduled_at: datetime) -> "Planned":
    """Open a night; whoever it finds unconfirmed is removed by a job beside it, not by the night."""
    from ecrm.application import nights as steps  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.application.unconfirmed import request_removal  # noqa: PLC0415
    from ecrm.store.keys import SHARDS  # noqa: PLC0415

    request_removal(scheduled_at.date(), source=steps.SOURCE, waiting=customers(), jobs=jobs(), clock=clock, ids=ids)
    return steps.plan_night(
        scheduled_at,
        settings=_night_settings(),
        nights=nights(),
        segments=segments(),
        rows=statistics_rows(),
        shards=SHARDS,
        files=night_files(),
        clock=clock,
    )


def snapshot_customers(place: "Place", group: "Group", is_late: "Callable[[], bool]") -> None:
    from ecrm.application import nights as steps  # noqa: PLC0415 (the same)

    steps.snapshot_customers(place, group, rows=statistics_rows(), files=night_files(), is_late=is_late)


def summarise_night(place: "Place") -> "Mapping[str, str]":
    from ecrm.application import nights as steps  # noqa: PLC0415 (the same)

    return steps.summarise_night(place, files=night_files())


def score_customers(place: "Place", group: "Group", is_late: "Callable[[], bool]") -> "Worked":
    from ecrm.application import nights as steps  # noqa: PLC0415 (the same)

    return steps.score_customers(
        place,
        group,
        rows=statistics_rows(),
        facts_of=facts_of(),
        files=night_files(),
        nights=nights(),
        memberships=memberships(),
        is_late=is_late,
    )


def publish_night(place: "Place") -> "Night":
    from ecrm.application import nights as steps  # noqa: PLC0415 (the same)

    return steps.publish_night(place, nights=nights(), files=night_files(), clock=clock)


def fail_night(place: "Place", error: str) -> None:
    from ecrm.application import nights as steps  # noqa: PLC0415 (the same)

    steps.fail_night(place, error, nights=nights(), clock=clock)


def tell_night(place: "Place", group: "Group") -> int:
    from ecrm.application import nights as steps  # noqa: PLC0415 (the same)

    return steps.tell_night(place, group, nights=nights(), files=night_files(), events=move_events(), clock=clock)


def report_night(place: "Place") -> "Report":
    from ecrm.application import reporting  # noqa: PLC0415 (the same)
    from ecrm.messaging.reports import ReportPages  # noqa: PLC0415

    return reporting.report_night(place, nights=nights(), files=night_files(), reports=reports(), renderer=ReportPages)


@cache
def reports() -> "S3Reports":
    from ecrm.files.reports import S3Reports  # noqa: PLC0415 (only who writes or shows reports)

    return S3Reports(_s3(), os.environ["NIGHTS_BUCKET"])


def make_report_link(night: "date", language: "Language | None") -> "tuple[MadeLink, str]":
    from ecrm.application import reports as use_reports  # noqa: PLC0415 (each function imports its own use cases)

    made = use_reports.make_report_link(night, language, keys=link_keys(), reports=reports(), clock=clock)
    return made, f"{public_url()}/public/reports/{made.token}"


def show_report(visit: "Visit") -> "Shown":
    from ecrm.application.reports import read_public_report  # noqa: PLC0415 (only public_api shows one, and not each time)
    from ecrm.entry.public import Shown  # noqa: PLC0415
    from ecrm.messaging.rendering import style_of  # noqa: PLC0415

    page = read_public_report(visit.token, visit.chosen, keys=link_keys(), reports=reports(), clock=clock)
    return Shown(page, style_of(page))


def ready_made_segments(site: str) -> "Mapping[str, Segment]":
    """What is about money is about that in the currency of a site."""
    from ecrm.application.sites import read_site  # noqa: PLC0415 (each function imports its own use cases)
    from ecrm.domain.ready_made_segments import ready_made  # noqa: PLC0415

    return ready_made(read_site(site, sites=sites()).currency)


def explain_customer(customer_id: str) -> "Explained":
    from ecrm.application import segments as use_segments  # noqa: PLC0415 (each function imports its own use cases)

    return use_segments.explain(
        customer_id, segments=segments(), nights=nights(), facts_of=facts_of(), zone=company_zone(), clock=clock
    )


def read_statistics(customer_id: str, name: str | None) -> "tuple[str, CustomerStatistics]":
    from ecrm.application.statistics import read_statistics  # noqa: PLC0415 (the same)

    return read_statistics(customer_id, name, customers=customers(), behaviour=behaviour(), statistics=statistics())


def read_last_night(customer_id: str, row: "CustomerStatistics") -> "LastNight":
    from ecrm.application import segments as use_segments  # noqa: PLC0415 (the same)

    return use_segments.read_last_night(
        customer_id, row, nights=nights(), memberships=memberships(), zone=company_zone(), clock=clock
    )


def preview_segment(rule: "Rule", as_of: "date | None", is_late: "Callable[[], bool]") -> "Preview":
    """Only who asks for an earlier night needs S3."""
    from ecrm.application import segments as use_segments  # noqa: PLC0415 (the same)
    from ecrm.store.keys import SHARDS  # noqa: PLC0415

    if as_of is not None:
        return use_segments.preview_as_of(
            rule,
            as_of,
            nights=nights(),
            files=night_files(),
            rows=statistics_rows(),
            customers=customers(),
            is_late=is_late,
            shards=SHARDS,
        )
    return use_segments.preview(
        rule,
        segments=segments(),
        nights=nights(),
        rows=statistics_rows(),
        facts_of=facts_of(),
        zone=company_zone(),
        clock=clock,
        is_late=is_late,
        shards=SHARDS,
    )


def list_members(name: str, *, after: str | None, limit: int) -> "Members":
    from ecrm.application import segments as use_segments  # noqa: PLC0415 (the same)
    from ecrm.store.keys import SHARDS  # noqa: PLC0415

    return use_segments.list_members(
        name, after=after, limit=limit, segments=segments(), nights=nights(), memberships=memberships(), shards=SHARDS
    )


def request_segment_export(name: str, file_format: "FileFormat", request: "Request | None", source: str) -> "Requested":
    from ecrm.application import segments as use_segments  # noqa: PLC0415 (the same)

    return use_segments.request_segment_export(
        name, file_format, request, source=source, segments=segments(), nights=nights(), jobs=jobs(), clock=clock, ids=ids
    )


def public_url() -> str:
    return os.environ["PUBLIC_URL"].rstrip("/")


def record_contact(command: "RecordContact", request: "Request | None") -> "ContactRecorded":
    from ecrm.application.contacts import record_contact  # noqa: PLC0415 (only customers_api records contacts)

    return record_contact(command, request, contacts=contacts(), customers=customers(), requests=requests(), clock=clock)


def change_consents(command: "ChangeConsents", request: "Request | None") -> "Changed":
    from ecrm.application import consent as consent_use  # noqa: PLC0415 (each function imports its own)

    return consent_use.change_consents(
        command, request, consents=consents(), customers=customers(), topics=topics(), requests=requests(), clock=clock
    )


def read_consents(customer_id: str) -> "ConsentsView":
    from ecrm.application import consent as consent_use  # noqa: PLC0415 (each function imports its own)

    return consent_use.read_consents(
        customer_id, consents=consents(), customers=customers(), suppressions=suppressions(), clock=clock
    )


def read_decisions(customer_id: str, after: str | None, limit: int) -> "Decisions":
    from ecrm.application import decisions, rosters  # noqa: PLC0415 (the same)

    return decisions.read_decisions(
        customer_id,
        after=after,
        limit=limit,
        customers=customers(),
        timeline=timeline(),
        control=sending_control(),
        planned_without=partial(rosters.planned_without, campaigns=campaigns(), runs=runs(), rosters=run_rosters()),
        now=clock.now(),
    )


def read_profile(customer_id: str) -> "Profile":
    from ecrm.application import profiles as profiles_use  # noqa: PLC0415 (each function imports its own)

    return profiles_use.read_profile(customer_id, customers=customers(), profiles=profiles())


def find_profiles(identifiers: "tuple[Identifier, ...]") -> "tuple[Profile, ...]":
    from ecrm.application import profiles as profiles_use  # noqa: PLC0415 (each function imports its own)

    return profiles_use.find_profiles(identifiers, customers=customers(), profiles=profiles())


def put_customer(command: "PutCustomer") -> "Kept":
    from ecrm.application import profiles as profiles_use  # noqa: PLC0415 (each function imports its own)

    return profiles_use.put_customer(command, customers=customers(), profiles=profiles(), clock=clock, ids=ids)


def update_customer(command: "UpdateCustomer", request: "Request | None") -> "Kept":
    from ecrm.application import profiles as profiles_use  # noqa: PLC0415 (each function imports its own)

    return profiles_use.update_customer(
        command, request, customers=customers(), profiles=profiles(), requests=requests(), clock=clock, ids=ids
    )


def merge_customers(command: "Joining", request: "Request | None") -> "Kept":
    from ecrm.application import profiles as profiles_use  # noqa: PLC0415 (each function imports its own)

    return profiles_use.merge_customers(
        command, request, customers=customers(), profiles=profiles(), requests=requests(), clock=clock
    )


def unmerge_customers(command: "Joining", request: "Request | None") -> "Kept":
    from ecrm.application import profiles as profiles_use  # noqa: PLC0415 (each function imports its own)

    return profiles_use.unmerge_customers(
        command, request, customers=customers(), profiles=profiles(), requests=requests(), clock=clock
    )


def suppress_address(command: "SuppressAddress", request: "Request | None") -> "Suppressed":
    from ecrm.application import suppressions as suppressions_use  # noqa: PLC0415 (each function imports its own)

    return suppressions_use.suppress_address(command, request, suppressions=suppressions(), requests=requests(), clock=clock)


def lift_suppression(command: "LiftSuppression", request: "Request | None") -> "Suppressed":
    from ecrm.application import suppressions as suppressions_use  # noqa: PLC0415 (each function imports its own)

    return suppressions_use.lift_suppression(command, request, suppressions=suppressions(), requests=requests(), clock=clock)


def record_notice(notice: "Notice") -> "Noted":
    from ecrm.application import delivery  # noqa: PLC0415 (each function imports its own)

    return delivery.record_notice(
        notice,
        sends=sends(),
        suppressions=suppressions(),
        consents=consents(),
        customers=customers(),
        topics=topics(),
        timeline=timeline(),
        requests=requests(),
        clock=clock,
    )


def make_order_url(site: str, order_id: str, language: "Language | None") -> str:
    from ecrm.application import links  # noqa: PLC0415 (each function imports its own)

    token = links.make_order_link(site, order_id, language, keys=link_keys(), orders=orders())
    return f"{public_url()}/public/orders/{token}"


@cache
def pages() -> "Pages":
    from ecrm.messaging.rendering import Pages  # noqa: PLC0415 (only public_api carries templates)

    return Pages()


@cache
def person_pages() -> "PersonPages":
    from ecrm.messaging.person_pages import PersonPages  # noqa: PLC0415 (an order's page does without)

    return PersonPages(pages())


@cache
def unsubscribe_room() -> "UnsubscribeRoom":
    from ecrm.application.unsubscribes import UnsubscribeRoom  # noqa: PLC0415 (the same)

    return UnsubscribeRoom(
        keys=link_keys(),
        sites=sites(),
        topics=topics(),
        consents=consents(),
        customers=customers(),
        requests=requests(),
        sends=sends,
        clock=clock,
        public_url=public_url(),
    )


def show_unsubscribing(visit: "Visit") -> str:
    from ecrm.application.unsubscribes import read_unsubscribing  # noqa: PLC0415 (the same)

    page = read_unsubscribing(visit.token, room=unsubscribe_room())
    return person_pages().unsubscribe(page, visit.spoken(page.language, page.site.languages))


def unsubscribe(posted: "Posted") -> str:
    from ecrm.application.unsubscribes import unsubscribe as deny  # noqa: PLC0415 (the same)

    page = deny(posted.token, is_everything=posted.one("scope") == "all", room=unsubscribe_room())
    if page is None:
        return pages().notice("unsubscribed", posted.language())
    return person_pages().unsubscribe(page, posted.spoken(page.language, page.site.languages))


@cache
def preference_books() -> "DynamoPreferences":
    from ecrm.store.preferences import DynamoPreferences  # noqa: PLC0415 (each function imports its own)

    return DynamoPreferences(table())


@cache
def preference_room() -> "PreferenceRoom":
    from ecrm.application.preferences import PreferenceRoom  # noqa: PLC0415 (an order's page does without)

    return PreferenceRoom(
        keys=link_keys(),
        sites=sites(),
        topics=topics(),
        consents=consents(),
        customers=customers(),
        requests=requests(),
        sends=sends,
        clock=clock,
        public_url=public_url(),
        books=preference_books(),
        profiles=profiles(),
        suppressions=suppressions(),
        ids=ids,
        ask=lambda command: confirmations().ask_to_confirm(command),
    )


def show_preferences(visit: "Visit") -> str:
    from ecrm.application.preferences import read_preferences  # noqa: PLC0415 (the same)

    page = read_preferences(visit.token, room=preference_room())
    return person_pages().preferences(page, visit.spoken(page.link_language, page.site.languages))


def choose_preferences(posted: "Posted") -> str:
    from ecrm.application import preferences as use_preferences  # noqa: PLC0415 (the same)
    from ecrm.entry.preferences import chosen  # noqa: PLC0415

    room = preference_room()
    if posted.one("do") == "stop":
        page = use_preferences.stop_everything(posted.token, room=room)
    else:
        page = use_preferences.choose(posted.token, chosen(posted), room=room)
    return person_pages().preferences(page, posted.spoken(page.link_language, page.site.languages))


@cache
def opt_in_room() -> "OptInRoom":
    from ecrm.application.opt_ins import OptInRoom  # noqa: PLC0415 (an order's page does without)

    return OptInRoom(
        keys=link_keys(),
        sites=sites(),
        topics=topics(),
        consents=consents(),
        customers=customers(),
        requests=requests(),
        sends=sends(),
        timeline=timeline(),
        profiles=profiles(),
        clock=clock,
        ids=ids,
    )


def show_opt_in(visit: "Visit") -> str:
    from ecrm.application.opt_ins import read_opt_in  # noqa: PLC0415 (the same)

    page = read_opt_in(visit.token, room=opt_in_room())
    return person_pages().opt_in(page, visit.spoken(page.language, page.site.languages))


def confirm_opt_in(posted: "Posted") -> str:
    from ecrm.application.opt_ins import confirm_opt_in as confirm  # noqa: PLC0415 (the same)

    page = confirm(posted.token, ip=posted.ip, room=opt_in_room())
    return person_pages().opt_in(page, posted.spoken(page.language, page.site.languages))


@cache
def data_room() -> "DataRoom":
    from ecrm.application.data_requests import DataRoom  # noqa: PLC0415 (an order's page does without)

    return DataRoom(
        keys=link_keys(),
        sites=sites(),
        customers=customers(),
        consents=consents(),
        limits=limits(),
        sends=sends(),
        jobs=jobs(),
        files=export_files(),
        clock=clock,
        ids=ids,
        public_url=public_url(),
    )


def show_my_data(visit: "Visit") -> str:
    from ecrm.application.data_requests import read_my_data  # noqa: PLC0415 (the same)

    page = read_my_data(visit.token, room=data_room())
    return person_pages().my_data(page, visit.spoken(page.language, page.site.languages))


def ask_for_data(posted: "Posted") -> str:
    from ecrm.application import data_requests  # noqa: PLC0415 (the same)

    page = data_requests.ask_for_data(posted.token, data_requests.kind_of(posted.one("kind")), room=data_room())
    return person_pages().my_data(page, posted.spoken(page.language, page.site.languages))


def show_data_request(visit: "Visit") -> str:
    from ecrm.application.data_requests import read_data_request  # noqa: PLC0415 (the same)

    page = read_data_request(visit.token, room=data_room())
    return person_pages().data_request(page, visit.spoken(page.language, page.site.languages))


def confirm_data_request(posted: "Posted") -> str:
    from ecrm.application.data_requests import confirm_data_request as confirm  # noqa: PLC0415 (the same)

    page = confirm(posted.token, room=data_room())
    return person_pages().data_request(page, posted.spoken(page.language, page.site.languages))


def show_data_files(visit: "Visit") -> str:
    from ecrm.application.data_requests import read_data_files  # noqa: PLC0415 (the same)

    page = read_data_files(visit.token, room=data_room())
    return person_pages().data_files(page, visit.spoken(page.language, page.site.languages))


def show_mail(visit: "Visit") -> "Shown":
    """A mail has its style in itself, piece by piece, and shows what its author has put on the web."""
    from ecrm.application.mail_views import read_mail_view  # noqa: PLC0415 (an order's page does without)
    from ecrm.entry.public import Shown  # noqa: PLC0415

    mail = read_mail_view(
        visit.token,
        keys=link_keys(),
        customers=customers(),
        consents=consents(),
        sends=sends(),
        again=composer().again,
        clock=clock,
    )
    return Shown(mail.html, style_source="'unsafe-inline'", image_source="https:")


def public_pages() -> "PublicPages":
    from ecrm.entry.public import PublicPages  # noqa: PLC0415 (each function imports its own door)

    return PublicPages(pages)


def http_api() -> "HttpApi":
    from ecrm.entry.http import HttpApi  # noqa: PLC0415 (pydantic and Powertools, which public_api does without)

    return HttpApi(keys=api_keys, sites=sites, clock=clock)
