"""Jobs at the door."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from ecrm.application.jobs import Requested, list_jobs, read_job
from ecrm.application.ports import LINK_SECONDS, ExportFiles, Jobs, Request
from ecrm.contracts.jobs import FILES_KEPT, JOB_ID, JobBody, JobsPage, RequestExportBody
from ecrm.domain.api_keys import Scope
from ecrm.domain.jobs import FileFormat, Job, JobKind

from .cursors import seal, unseal
from .http import Call, HttpApi, Reply

type RequestExport = Callable[[JobKind, FileFormat, Request | None, str], Requested]
type RequestSegmentExport = Callable[[str, FileFormat, Request | None, str], Requested]
type RequestAbout = Callable[[str, Request | None, str], Requested]


def with_orders_job(api: HttpApi, export: RequestExport) -> HttpApi:
    """Declare the job that is about all orders."""

    @api.route(
        "POST",
        "/v1/orders/export-jobs",
        scope=Scope.EXPORTS_WRITE,
        body=RequestExportBody,
        answer=JobBody,
        creates="JobsRequested",
    )
    def export_orders(call: Call) -> Reply:
        """Export all orders, with their lines, state and refunds. A job, whose files are there for seven days."""
        return requested(export(JobKind.EXPORT_ORDERS, call.body.to_format(), call.request, call.source))

    return api


def with_customers_jobs(api: HttpApi, export: RequestExport, export_one: RequestAbout, erase: RequestAbout) -> HttpApi:
    """Declare the jobs that are about all customers, and about one."""

    @api.route(
        "POST",
        "/v1/customers/export-jobs",
        scope=Scope.EXPORTS_WRITE,
        body=RequestExportBody,
        answer=JobBody,
        creates="JobsRequested",
    )
    def export_customers(call: Call) -> Reply:
        """Export all customers: profile, consents and statistics. A job, whose files are there for seven days."""
        return requested(export(JobKind.EXPORT_CUSTOMERS, call.body.to_format(), call.request, call.source))

    about = "/v1/customers/{customer_id}"

    @api.route("POST", f"{about}/export-jobs", scope=Scope.PRIVACY_WRITE, answer=JobBody, creates="JobsRequested")
    def export_customer(call: Call) -> Reply:
        """Export everything that is stored of a customer, as JSON and as CSV. A job, whose files are there for seven days."""
        return requested(export_one(call.path["customer_id"], call.request, call.source))

    @api.route("POST", f"{about}/erasure-jobs", scope=Scope.PRIVACY_WRITE, answer=JobBody, creates="JobsRequested")
    def erase_customer(call: Call) -> Reply:
        """Erase a customer, for good. In force when answered: nobody reads or writes them any more. A job deletes the rest."""
        return requested(erase(call.path["customer_id"], call.request, call.source))

    return api


def with_segments_job(api: HttpApi, export: RequestSegmentExport) -> HttpApi:
    """Declare the job that is about a segment."""

    @api.route(
        "POST",
        "/v1/segments/{segment}/export-jobs",
        scope=Scope.EXPORTS_WRITE,
        body=RequestExportBody,
        answer=JobBody,
        creates="JobsRequested",
    )
    def export_segment(call: Call) -> Reply:
        """Export a segment's customers, as the last night found them. A job, whose files are there for seven days."""
        return requested(export(call.path["segment"], call.body.to_format(), call.request, call.source))

    return api


def requested(asked: Requested) -> Reply:
    replayed = {"idempotent-replayed": "true"} if asked.replayed else {}
    job = asked.job
    return Reply(202, JobBody.of(job), {"location": f"/v1/jobs/{job.job_id}", **replayed}, counted=int(not asked.replayed))


def shown(call: Call, *, jobs: Jobs, files: ExportFiles) -> Reply:
    job = read_job(call.path["job_id"], jobs=jobs)
    return Reply(200, JobBody.of(job, lambda name: _link(job, name, call.now, files)))


def _link(job: Job, name: str, now: datetime, files: ExportFiles) -> tuple[str, datetime] | None:
    if now - (job.finished_at or now) >= FILES_KEPT:
        return None
    return files.link(name), now + timedelta(seconds=LINK_SECONDS)


def listed(call: Call, *, jobs: Jobs) -> Reply:
    """A page without links: each is made when its job is read."""
    after = unseal(call.query.cursor, lambda text: re.fullmatch(JOB_ID, text) is not None, "jobs")
    page = list_jobs(after=after, limit=call.query.limit, jobs=jobs)
    return Reply(200, JobsPage(data=[JobBody.of(job) for job in page.items], next_cursor=seal(page.last, "jobs")))
