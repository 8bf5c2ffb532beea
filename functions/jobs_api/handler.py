"""Woken by any request under /v1/jobs; reads jobs, makes links to their files, and leaves nothing behind."""

from ecrm import bootstrap as wired
from ecrm.contracts import jobs as wire
from ecrm.contracts.fields import PageQuery
from ecrm.domain.api_keys import Scope
from ecrm.entry import jobs as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()


@handler.route("GET", "/v1/jobs", scope=Scope.JOBS_READ, query=PageQuery, answer=wire.JobsPage)
def list_jobs(call: Call) -> Reply:
    """List jobs, the one asked for last first. Links to files are made when a job is read by itself."""
    return door.listed(call, jobs=wired.jobs())


@handler.route("GET", "/v1/jobs/{job_id}", scope=Scope.JOBS_READ, answer=wire.JobBody)
def read_job(call: Call) -> Reply:
    """Read how far a job is, what it counted, and links to its files that are good for a quarter of an hour."""
    return door.shown(call, jobs=wired.jobs(), files=wired.export_files())
