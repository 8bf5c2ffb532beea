"""Test sends: a template as a mail to colleagues before a customer gets it; in no ledger, and to nobody but those of the site."""

from collections.abc import Sequence

from ecrm.domain.consent import Channel
from ecrm.domain.errors import Conflict, Flaw, Invalid, RuleBroken
from ecrm.domain.messages import Accepted, Ambiguous, NotSent, Policy, Refused, Reply
from ecrm.domain.sites import Site
from ecrm.domain.suppressions import Address
from ecrm.domain.templates import Purpose

from .mail_ports import Limits, Mail, Mailer, SendingControl
from .mails import TRANSACTIONAL_HEADERS
from .ports import Clock, Suppressions
from .templates import Preview, Renderer, TestSent, TryOut, preview, subject_of_test

DAY = 86_400
MOST_A_DAY = 100
"""Test mails of a site: enough for a day's work on a template, and nothing for who has stolen a key."""


def send_test(
    wanted: TryOut,
    to: Sequence[str],
    *,
    renderer: Renderer,
    suppressions: Suppressions,
    control: SendingControl,
    limits: Limits,
    mailer: Mailer,
    clock: Clock,
) -> tuple[Preview, Sequence[TestSent]]:
    """Send a template to test recipients of its site, marked as a test, each in one attempt.

    Raises Invalid for another address, a partial, or a site without a sender or, for marketing, a postal address; Conflict where
    nothing is sent at all, or not to an address; RuleBroken above MOST_A_DAY.
    """
    site = wanted.site
    sender = _refuse(wanted, to)
    _refuse_held(control, Policy(wanted.template.purpose.value))
    now = clock.now()
    if any(suppressions.find(Address(Channel.EMAIL, each))[0].is_active(now) for each in to):
        raise Conflict("nothing is sent to one of these addresses: it is suppressed", code="address_suppressed")
    made = preview(wanted, renderer=renderer)
    if not all(limits.allow("test-send", site.site, MOST_A_DAY, DAY, now) for _ in to):
        raise RuleBroken(f"a site sends at most {MOST_A_DAY} test mails a day", code="too_many_test_sends")
    return made, [_told(each, mailer.send(_mail(made, site, sender, each))) for each in to]


def _refuse(wanted: TryOut, to: Sequence[str]) -> str:
    if wanted.template.purpose is Purpose.PARTIAL:
        raise Invalid("a partial is a piece of mails, and none itself", code="template_is_partial")
    if wanted.site.sender is None:
        raise Invalid.at("/site", "no_sender", "the site has no sender")
    if wanted.template.purpose is Purpose.MARKETING and not wanted.site.has_postal_address:
        raise Invalid.at("/site", "no_postal_address", "marketing says where it comes from: the site has no postal address")
    known = {each.casefold() for each in wanted.site.test_recipients}
    flaws = tuple(
        Flaw(f"/to/{at}", "not_a_test_recipient", "test mails go to the test recipients of the site alone")
        for at, each in enumerate(to)
        if each.casefold() not in known
    )
    if flaws:
        raise Invalid(flaws[0].detail, flaws=flaws)
    return wanted.site.sender


def _refuse_held(control: SendingControl, policy: Policy) -> None:
    """What stops all mail stops this, too."""
    sending = control.sending()
    if sending.armed_for != control.table_id():
        raise Conflict("this table is not the one that may send", code="sending_not_armed")
    if policy in sending.paused:
        raise Conflict(f"{policy.value} mail is paused", code="sending_paused")


def _mail(made: Preview, site: Site, sender: str, to: str) -> Mail:
    return Mail(
        from_name=site.brand,
        from_address=sender,
        to=to,
        reply_to=site.reply_to,
        subject=subject_of_test(made),
        html=made.mail.html,
        text=made.mail.text,
        policy=Policy.TRANSACTIONAL,
        headers=TRANSACTIONAL_HEADERS,
    )


def _told(to: str, reply: Reply) -> TestSent:
    match reply:
        case Accepted():
            return TestSent(to, "accepted")
        case Refused(code):
            return TestSent(to, "refused", code)
        case NotSent(why):
            return TestSent(to, "not_sent", why)
        case Ambiguous(why):
            return TestSent(to, "unknown", why)
