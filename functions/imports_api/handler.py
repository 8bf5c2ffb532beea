"""Woken by any request under /v1/imports; leaves behind imports that wait for their file, and what was said of others."""

from ecrm import bootstrap as wired
from ecrm.contracts import uploads as wire
from ecrm.contracts.fields import PageQuery
from ecrm.contracts.jobs import JobBody
from ecrm.domain.api_keys import Scope
from ecrm.entry import imports as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()


@handler.route(
    "POST",
    "/v1/imports",
    scope=Scope.IMPORTS_WRITE,
    body=wire.RequestImportBody,
    answer=wire.ImportBody,
    creates="ImportsRequested",
)
def request_import(call: Call) -> Reply:
    """Ask for the upload of a contact file. Answers with a form (presigned POST) for a file of this size and type alone."""
    return door.asked(call, wired.request_import, files=wired.import_files)


@handler.route("GET", "/v1/imports", scope=Scope.IMPORTS_READ, query=PageQuery, answer=wire.ImportsPage)
def list_imports(call: Call) -> Reply:
    """List contact files, the last one first. Progress and links are there when a file is read by itself."""
    return door.listed(call, imports=wired.imports())


@handler.route("GET", "/v1/imports/{import_id}", scope=Scope.IMPORTS_READ, answer=wire.ImportBody)
def read_import(call: Call) -> Reply:
    """Read how far a contact file is, what became of its rows, its first errors, and links to its result and rejected rows."""
    return door.shown(call, imports=wired.imports(), files=wired.import_files)


@handler.route("POST", "/v1/imports/{import_id}/cancel", scope=Scope.IMPORTS_WRITE, answer=wire.ImportBody)
def cancel_import(call: Call) -> Reply:
    """Cancel a contact file. What is written stays; rows that nobody works on yet are skipped, and the result says so."""
    return door.cancelled(call, wired.cancel_import, imports=wired.imports())


@handler.route("POST", "/v1/imports/{import_id}/undo", scope=Scope.IMPORTS_WRITE, answer=JobBody, creates="JobsRequested")
def undo_import(call: Call) -> Reply:
    """Undo what a contact file changed, where nothing has changed it since. A job, which says what it left and why."""
    return door.undone(call, wired.request_undo, imports=wired.imports())
