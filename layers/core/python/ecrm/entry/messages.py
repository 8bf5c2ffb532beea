"""Messages at the door."""

from collections.abc import Callable, Mapping
from typing import Protocol

from ecrm.application.kill_switch import pause, read_sending, resume
from ecrm.application.mail_ports import SendingControl, Sends
from ecrm.application.messages import FindOrder, MessageRequested, RequestMessage, read_message
from ecrm.application.ports import Clock, Request
from ecrm.contracts.fields import Answer
from ecrm.contracts.messages import FindOrderBody, MessageBody, PutSendingBody, RequestMessageBody, SendingBody, SoughtBody
from ecrm.domain.links import Language

from .http import FORM, Call, Reply
from .public import accepted_languages


class Page(Protocol):
    """What is shown to somebody who has no script."""

    @property
    def style_source(self) -> str: ...

    def notice(self, name: str, language: Language) -> str: ...


def requested(call: Call, use: Callable[[RequestMessage, Request | None], MessageRequested]) -> Reply:
    body: RequestMessageBody = call.body
    asked = use(body.to_command(call.site(body.site), call.source), call.request)
    headers = {"location": f"/v1/messages/{asked.send.run_id}"}
    headers |= {"idempotent-replayed": "true"} if asked.replayed else {}
    return Reply(202, MessageBody.of(asked.send), headers, counted=int(not asked.replayed))


def shown(call: Call, *, sends: Sends) -> Reply:
    send = read_message(call.path["message_id"], sends=sends)
    call.site(send.site)
    return Reply(200, MessageBody.of(send))


def sending(*, control: SendingControl) -> Reply:
    found, is_armed = read_sending(control=control)
    return Reply(200, SendingBody.of(found, is_armed=is_armed))


def put_sending(call: Call, *, control: SendingControl, clock: Clock) -> Reply:
    body: PutSendingBody = call.body
    for policy, asked in body.changes().items():
        if asked.paused:
            pause(policy, reason=asked.reason or "", by=call.source, control=control, clock=clock)
        else:
            resume(policy, control=control)
    return sending(control=control)


def sought(call: Call, use: Callable[[FindOrder], object], page: Callable[[], Page]) -> Reply:
    """Answer the same whatever was found; to a form, with a page in the reader's language."""
    body: FindOrderBody = call.body
    use(body.to_command(call.ip))
    return answered(call, SoughtBody(), "sought", page)


def answered(call: Call, said: Answer, notice: str, page: Callable[[], Page], own: tuple[Language, ...] = ()) -> Reply:
    """Say what is the same for everybody: to a form as a page, in its own language where it has one."""
    if not call.headers.get("content-type", "").lower().startswith(FORM):
        return Reply(202, said)
    wanted = (*own, *accepted_languages(call.headers.get("accept-language", "")))
    return Reply(202, page().notice(notice, next(iter(wanted), Language.ENGLISH)), _shown_as_a_page(page()))


def _shown_as_a_page(page: Page) -> Mapping[str, str]:
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src {page.style_source}"
    return {"content-type": "text/html; charset=utf-8", "content-security-policy": policy, "referrer-policy": "no-referrer"}
