"""Two people who sign up at a shop's form, in Persian and in English, and confirm it as their mailboxes ask them to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from local.api import Api
from local.mailbox import links, reachable
from local.ses import Mail
from local.stack import give_up

TOPIC = "news"
NEWS: dict[str, Any] = {
    "names": {"en": "News and offers", "fa": "خبرها و پیشنهادها", "zh": "新闻和优惠"},
    "descriptions": {"en": "Once a month.", "fa": "ماهی یک بار.", "zh": "每月一次。"},
    "double_opt_in": True,
    "channels": ["email"],
}
WELCOME = {"consent.confirmed": "welcome"}
"""The mail that goes to who has confirmed."""
FORM = "application/x-www-form-urlencoded"
TAKEN = (200, 202)
HEADLINE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody at a form, and the headline of the page that they saw when they had sent it."""

    language: str
    email: str
    saw: str


def let_sign_up(staff: Api, site: str, mails: dict[str, str]) -> None:
    """Offer a topic, and let a site welcome who has confirmed, at any hour."""
    staff.put(f"/v1/topics/{TOPIC}", NEWS, 200, 201)
    known = staff.get(f"/v1/sites/{site}")
    staff.put(f"/v1/sites/{site}", known | {"mails": mails | WELCOME, "quiet_hours": None})


def sign_up(api_url: str, write_key: str) -> Iterator[Subscriber]:
    """Send the form as a browser does that runs no script."""
    now = datetime.now(UTC)
    for language in ("fa", "en"):
        email = f"reader-{language}-{now:%Y%m%d-%H%M%S}@example.org"
        said = {"email": email, "topics": TOPIC, "language": language, "text_version": "footer/1", "writeKey": write_key}
        yield Subscriber(language, email, post(f"{api_url}/public/subscribe", said))


def page_of(mail: Mail, purpose: str, endpoint: str) -> str:
    """Give the link of a mail to one of its reader's pages, such as `confirm`, at an address that every browser finds."""
    (link,) = [link for link in links(mail) if f"/public/{purpose}/" in link]
    return reachable(link, endpoint)


def post(url: str, said: dict[str, str]) -> str:
    """Send a form; return the headline of the page that answers it. Ends the program where it is not taken."""
    at = urlsplit(url)
    connection = HTTPConnection(at.hostname or "", at.port, timeout=60)
    try:
        connection.request("POST", at.path, urlencode(said), {"Content-Type": FORM})
        answer = connection.getresponse()
        page = answer.read().decode()
    finally:
        connection.close()
    if answer.status not in TAKEN:
        give_up(f"the form is answered with {answer.status}: {page}")
    return unescape(HEADLINE.findall(page)[0])
