"""The runs of a campaign: read, sent anew to those whom one failed, and who was on them."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from ecrm.domain.campaigns import Life, LifeState
from ecrm.domain.errors import Conflict, NotFound
from ecrm.domain.jobs import FileFormat, Job, JobKind
from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import Run, RunState, retry_id

from .campaign_ports import Campaigns, Runs
from .campaigns import frozen, read_campaign
from .jobs import Requested, add_job
from .mail_ports import Sends
from .ports import Clock, Contended, JobIds, Jobs, Page, Request
from .templates import ReadyMade, Templates

ATTEMPTS = 5


def read_run(name: str, run_id: str, *, runs: Runs) -> Run:
    """Raises NotFound, also where it is another campaign's."""
    found = runs.find(run_id)
    if found is None or found.campaign != name:
        raise NotFound("no such run of this campaign", code="run_not_found")
    return found


def list_runs(name: str, *, after: str | None, limit: int, runs: Runs) -> Page[Run]:
    """Give a campaign's runs, newest first."""
    return runs.of_campaign(name, after=after, limit=limit)


def newest_run(name: str, *, runs: Runs) -> Run:
    """Raises NotFound where it has none yet."""
    newest = runs.of_campaign(name, after=None, limit=1).items
    if not newest:
        raise NotFound("it has no run yet", code="run_not_found")
    return newest[0]


def retry_failed(
    name: str,
    run_id: str | None,
    *,
    campaigns: Campaigns,
    runs: Runs,
    templates: Templates,
    ready_made: ReadyMade,
    clock: Clock,
) -> tuple[Run, bool]:
    """Begin a run over those whom a run failed, its campaign's newest where none is named; says whether it is new.

    They get the same message and treatment, of the templates' newest versions. A run has one such run and no more: asking again
    gives it, and while it is the newest and goes on, so does asking for the newest. Raises NotFound; Conflict where its books are
    not closed yet, or nobody failed, and where the campaign is paused or cancelled.
    """
    run = read_run(name, run_id, runs=runs) if run_id else newest_run(name, runs=runs)
    for _ in range(ATTEMPTS):
        head = read_campaign(name, campaigns=campaigns)
        if run_id is None and run.retry_of is not None and not run.is_over:
            return run, False
        if run.retried_by is not None:
            return read_run(name, run.retried_by, runs=runs), False
        if not run.is_over:
            raise Conflict("the books of the run are not closed yet", code="run_not_settled")
        if not (run.books or {}).get(Status.FAILED):
            raise Conflict("nobody failed in this run", code="nothing_failed")
        _refuse_held(head.life)
        now = clock.now()
        new = replace(
            run,
            run_id=retry_id(run.run_id),
            messages=frozen(run.messages, templates=templates, ready_made=ready_made),
            scheduled_at=now,
            started_at=now,
            expires_at=now + run.expires_after,
            wall=None,
            state=RunState.PLANNING,
            reason=None,
            control_percent=Decimal(0),
            pilot=None,
            decide_at=None,
            verdicts={},
            retries=(*run.retries, run.run_id),
            planned_at=None,
            woken_at=None,
            settled_at=None,
            audience=None,
            books=None,
            due_at=now,
            version=1,
        )
        if runs.retry(new, replace(run, retried_by=new.run_id, version=run.version + 1), head):
            return new, True
        run = read_run(name, run.run_id, runs=runs)
    raise Contended("the run is changed by many at once")


def _refuse_held(life: Life) -> None:
    """Let nothing begin in the name of a campaign that was stopped."""
    if life.state is LifeState.CANCELLED:
        raise Conflict("it is cancelled", code="campaign_cancelled")
    if life.state is LifeState.PAUSED:
        raise Conflict("it is paused; resume it first", code="campaign_paused")


def request_recipients(
    run: Run, file_format: FileFormat, request: Request | None, *, source: str, jobs: Jobs, clock: Clock, ids: JobIds
) -> Requested:
    """Ask for a run's roster as a file, as it is when it is written."""
    now = clock.now()
    job = Job(
        job_id=ids.job_id(now),
        kind=JobKind.EXPORT_RECIPIENTS,
        requested_at=now,
        source=source,
        format=file_format,
        run_id=run.run_id,
    )
    return add_job(job, request, now, jobs)


def roster(run_id: str, after: str | None, *, runs: Runs, sends: Sends) -> Iterator[tuple[str, Send]]:
    """Give the entries of a run beyond a position, each with its own. Raises NotFound."""
    run = runs.find(run_id)
    if run is None:
        raise NotFound("no such run", code="run_not_found")
    begun, _, customer_id = (after or "0#").partition("#")
    for page in range(int(begun), run.pages):
        for send in sends.page(run_id, page, after=customer_id or None):
            yield f"{page}#{send.customer_id}", send
        customer_id = ""
