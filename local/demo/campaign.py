"""A campaign that wins customers back: two mails tried on some of them, one of which goes to the others, and some held out.

Who opens, clicks and buys is made up: of the mail with a code more do. What the stack makes of it is not.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from local.api import Api
from local.mail import report
from local.mailbox import links
from local.ses import Mail
from local.stack import Stack
from local.up import wait_until

SEGMENT, TOPIC, TEMPLATE, CODE = "at-risk", "offers", "we-miss-you", "BACK10"
SHOP = "https://shop.example.com"
OFFERS: dict[str, Any] = {
    "names": {"en": "Offers", "fa": "پیشنهادها", "zh": "优惠"},
    "double_opt_in": False,
    "channels": ["email"],
}
MOST = 150
"""So many of those at risk left the shop their address."""
LANES = 4
CONTROL_PERCENT, PILOT_PERCENT, PILOT_MINUTES = 20, 60, 1
OPENS, CLICKS = {"plain": 3, "code": 2}, {"plain": 12, "code": 2}
"""One of so many who got that mail does it."""
TAKEN_FOR_A_PROGRAM_SECONDS = 6


def let_offer(staff: Api) -> None:
    """Define the topic."""
    staff.put(f"/v1/topics/{TOPIC}", OFFERS, 200, 201)


def at_risk(staff: Api, users: Mapping[str, str]) -> list[str]:
    """Some of the shop's own whom the last night found at risk."""
    found: list[str] = []
    path = f"/v1/segments/{SEGMENT}/members?limit=100"
    cursor: str | None = ""
    while cursor is not None and len(found) < MOST:
        page = staff.get(path + (f"&cursor={cursor}" if cursor else ""))
        found += [member["customer_id"] for member in page["data"] if member["customer_id"] in users]
        cursor = page["next_cursor"]
    return sorted(found)[:MOST]


def contacts(customer_ids: Iterable[str], users: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What the shop's own list says of them: one in ten did not want offers, and half of them read Persian."""
    granted = {"channel": "email", "topic": TOPIC, "state": "granted", "at": "2026-01-15T10:00:00Z", "method": "checkout"}
    for customer_id in customer_ids:
        user = users[customer_id]
        mark = crc32(user.encode())
        yield {
            "user_id": user,
            "email": f"buyer-{user}@example.org",
            "language": "fa" if mark % 2 else "en",
            "traits": {"first_name": "نیلوفر" if mark % 2 else "Ruth"},
            "consents": [granted] if mark % 10 else [],
        }


def definition() -> dict[str, Any]:
    """Win back: the plain mail and the one with a code, tried on most of those who are treated."""
    return {
        "name": "Win back",
        "topic": TOPIC,
        "audience": {"include": {"segment": {"id": SEGMENT}}},
        "messages": [
            {
                "name": "we-miss-you",
                "treatments": [
                    {"name": "plain", "template": TEMPLATE},
                    {"name": "code", "template": TEMPLATE, "data": {"coupon": CODE}},
                ],
            }
        ],
        "control_percent": CONTROL_PERCENT,
        "pilot": {"percent": PILOT_PERCENT, "wait_minutes": PILOT_MINUTES, "metric": "clicks", "minimum": 20},
        "costs": {"currency": "USD", "fixed": "20.00", "per_message": "0.0005"},
    }


def name() -> str:
    return f"win-back-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def forecast(found: Mapping[str, Any]) -> Iterator[str]:
    """Say in lines what the simulation expects."""
    audience, effect = found["audience"], found["effect"]
    yield f"{'expected':<14}{audience['people']} in the audience, from {found['looked_at']} looked at: " + ", ".join(
        f"{each['people']} {' '.join(filter(None, (each['name'], each['reason']))).replace('_', ' ')}" for each in found["ends"]
    )
    yield f"{'costs':<14}{found['cost']['amount']} {found['cost']['currency']}"
    if effect and effect["smallest"] is not None:
        now, more = f"{100 * effect['baseline']:.1f}", f"{100 * effect['smallest']:.1f} of 100"
        yield f"{'effect':<14}to be seen, {more} more have to order than the {now} who do now"


def verdict(run: Mapping[str, Any]) -> Iterator[str]:
    """Say what the pilot came to."""
    for message, found in run["verdicts"].items():
        yield f"{'verdict':<14}{message}: {found['winner'] or 'no winner'} ({found['why'].replace('_', ' ')})"


def one_of_each(mails: Mapping[int, Mail]) -> dict[int, Mail]:
    """One mail of each treatment and language."""
    found = {(treatment_of(mail), mail["Subject"].isascii()): number for number, mail in mails.items()}
    return {number: mails[number] for number in sorted(found.values())}


def mails_of(run_id: str, mails: Iterable[Mail]) -> dict[int, Mail]:
    """The mails of a run by their numbers."""
    numbered = enumerate(mails, start=1)
    return {number: mail for number, mail in numbered if {"Name": "run", "Value": run_id} in mail["EmailTags"]}


def treatment_of(mail: Mail) -> str:
    return "code" if CODE in mail["BodyHtml"] else "plain"


def play(stack: Stack, mails: Mapping[int, Mail]) -> None:
    """Let SES report that mails arrive, and what their readers do. Who does it at once is taken for a program."""
    newest = max(mail["Timestamp"] for mail in mails.values())
    wait_until(lambda: time.time() > newest + TAKEN_FOR_A_PROGRAM_SECONDS, "time stands still")

    def read(numbered: tuple[int, tuple[int, Mail]]) -> None:
        turn, (number, mail) = numbered
        treatment = treatment_of(mail)
        (shop,) = [link for link in links(mail) if link.startswith(SHOP)][:1]
        report(stack, number, "deliver")
        if turn % OPENS[treatment] == 0:
            report(stack, number, "open")
        if turn % CLICKS[treatment] == 0:
            report(stack, number, "click", shop)

    by_treatment = [[each for each in mails.items() if treatment_of(each[1]) == treatment] for treatment in CLICKS]
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(read, (turn for some in by_treatment for turn in enumerate(some))))


def account_of(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what became of a run in lines."""
    books, mails, arms = found["books"], found["mails"], found["arms"]
    ends = ", ".join(f"{word.replace('_', ' ')} {books[word]}" for word in ENDS if books[word])
    yield f"{'books':<14}{books['audience']} in the audience: {ends}; {'balanced' if books['is_balanced'] else 'not balanced'}"
    yield f"{'arms':<14}{arms['treated']} treated, {arms['control']} held out, {arms['ineligible']} could not get it"
    for each in [mails, *found["treatments"]]:
        of = each.get("treatment", "all") or "undecided"
        yield f"{of:<14}{each['accepted']:>4} accepted, {', '.join(f'{_share(each, word)} {word}' for word in FOLLOWED)}"
    if spent := found["costs"]:
        yield f"{'costs':<14}{spent['total']} {spent['currency']}"


ENDS = ("accepted", "held_out", "suppressed", "no_consent", "capped", "expired", "cancelled", "failed", "unknown", "open")
FOLLOWED = ("delivered", "opened", "clicked")


def _share(mailed: Mapping[str, Any], word: str) -> str:
    part = mailed[word]
    if part["share"] is None:
        return "0"
    return f"{part['people']} ({part['share']:.0%}, between {part['low']:.0%} and {part['high']:.0%})"
