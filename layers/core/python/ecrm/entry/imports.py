"""Imports at the door: asking for an upload, how far a file is, cancelling it and undoing what it did."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from ecrm.application.import_ports import ImportFiles, Imports
from ecrm.application.imports import Requested, RequestImport, list_imports, read_import
from ecrm.application.jobs import Requested as JobRequested
from ecrm.application.ports import LINK_SECONDS, Request
from ecrm.contracts.drops import IMPORT_ID
from ecrm.contracts.jobs import JobBody
from ecrm.contracts.uploads import FILES_KEPT, ImportBody, ImportsPage, RequestImportBody
from ecrm.domain.errors import Forbidden
from ecrm.domain.imports import Import, ImportState

from .cursors import seal, unseal
from .http import Call, Reply


def asked(call: Call, use: Callable[[RequestImport, Request | None], Requested], *, files: Callable[[], ImportFiles]) -> Reply:
    """Answer with a form for the upload, a new one where the Idempotency-Key was met before and the file has not come yet."""
    body: RequestImportBody = call.body
    requested = use(body.to_command(call.site(body.named_site), call.source), call.request)
    import_ = requested.import_
    waits = import_.state is ImportState.AWAITING_UPLOAD
    upload = files().upload(import_.name, body.size, body.content_type) if waits else None
    replayed = {"idempotent-replayed": "true"} if requested.replayed else {}
    headers = {"location": f"/v1/imports/{import_.import_id}", **replayed}
    return Reply(201, ImportBody.of(import_, upload=upload), headers, counted=int(not requested.replayed))


def shown(call: Call, *, imports: Imports, files: Callable[[], ImportFiles]) -> Reply:
    import_, progress = read_import(call.path["import_id"], imports=imports)
    _reached(call, import_)
    return Reply(200, ImportBody.of(import_, progress, link=lambda name: _link(import_, name, call.now, files)))


def listed(call: Call, *, imports: Imports) -> Reply:
    """A page without progress and links: both are for who reads an import by itself.

    It leaves out those that the key does not reach, so that it may be shorter while more follow.
    """
    after = unseal(call.query.cursor, lambda text: re.fullmatch(IMPORT_ID, text) is not None, "imports")
    page = list_imports(after=after, limit=call.query.limit, imports=imports)
    data = [ImportBody.of(import_) for import_ in page.items if _is_reached(call, import_)]
    return Reply(200, ImportsPage(data=data, next_cursor=seal(page.last, "imports")))


def cancelled(call: Call, cancel: Callable[[str], Import], *, imports: Imports) -> Reply:
    _reached(call, read_import(call.path["import_id"], imports=imports)[0])
    return Reply(200, ImportBody.of(cancel(call.path["import_id"])))


def undone(call: Call, undo: Callable[[str, Request | None, str], JobRequested], *, imports: Imports) -> Reply:
    _reached(call, read_import(call.path["import_id"], imports=imports)[0])
    requested = undo(call.path["import_id"], call.request, call.source)
    replayed = {"idempotent-replayed": "true"} if requested.replayed else {}
    headers = {"location": f"/v1/jobs/{requested.job.job_id}", **replayed}
    return Reply(202, JobBody.of(requested.job), headers, counted=int(not requested.replayed))


def _reached(call: Call, import_: Import) -> None:
    """Raises Forbidden where the key does not reach the import's site. One that was dropped without a site is everybody's."""
    if import_.site is not None:
        call.site(import_.site)


def _is_reached(call: Call, import_: Import) -> bool:
    try:
        _reached(call, import_)
    except Forbidden:
        return False
    return True


def _link(import_: Import, name: str, now: datetime, files: Callable[[], ImportFiles]) -> tuple[str, datetime] | None:
    if now - (import_.finished_at or now) >= FILES_KEPT:
        return None
    return files().link(name), now + timedelta(seconds=LINK_SECONDS)
