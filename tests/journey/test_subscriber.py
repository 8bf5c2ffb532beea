"""One reader's story, in a browser that runs no script: a form, a mailbox, and pages that decide what comes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, override
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from boto3.dynamodb.conditions import Key

from ecrm.domain.links import Language
from ecrm.messaging.person_words import WORDS
from ecrm.messaging.words import LABELS
from ecrm.store import keys
from local.api import Api
from local.demo.subscribers import TOPIC, let_sign_up
from local.mailbox import links
from local.ses import Mail
from local.stack import ROOT, Stack
from local.up import make_key, put_site
from tests.journey.chromium import Chromium, chromium
from tests.journey.test_mail import sent
from tests.journey.test_segment import browser, served

SALON = "salon"
"""A site with a form."""
ACTION = "https://api.example.com/public/subscribe"
WRITE_KEY = "ecrm_write_0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def staff(facts: dict[str, Any]) -> Iterator[Api]:
    with Api(facts["api_url"], facts["staff_key"]) as connection:
        yield connection


@pytest.fixture(scope="module")
def forms(stack: Stack, facts: dict[str, Any], staff: Api, tmp_path_factory: pytest.TempPathFactory) -> dict[Language, Path]:
    """The forms of docs/subscribe.md, as pages of a site that has put in its own address and key."""
    put_site(stack, SALON)
    let_sign_up(staff, SALON, {})
    own = {ACTION: f"{facts['api_url']}/public/subscribe", WRITE_KEY: make_key(stack, SALON, "write")}
    found: dict[Language, Path] = {}
    texts = re.findall(r"```html\n(.*?)```", (ROOT / "docs" / "subscribe.md").read_text(encoding="utf-8"), re.DOTALL)
    for language, text in zip((Language.ENGLISH, Language.PERSIAN), texts, strict=True):
        found[language] = tmp_path_factory.mktemp(language) / "form.html"
        found[language].write_text(with_own(text, own), encoding="utf-8")
    return found


def with_own(text: str, own: dict[str, str]) -> str:
    """Put a site's own words where the page has examples."""
    for example, word in own.items():
        assert example in text
        text = text.replace(example, word)
    return f'<!doctype html><meta charset="utf-8">{text}'


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a mailbox and a browser, and what the company knows of them."""

    language: Language
    email: str
    tab: Chromium
    staff: Api
    mails: Callable[[], list[Mail]]

    def says(self, name: str) -> str:
        return WORDS[self.language][name]

    def link(self, mail: Mail, purpose: str) -> str:
        (found,) = [link for link in links(mail) if f"/public/{purpose}/" in link]
        return found

    def customer_id(self) -> str:
        (found,) = self.staff.post("/v1/customers/lookup", {"email": self.email}, 200)["data"]
        return str(found["customer_id"])

    def consent(self) -> dict[str, Any]:
        (held,) = self.staff.get(f"/v1/customers/{self.customer_id()}/consents")["consents"]
        return {name: held[name] for name in ("channel", "topic", "effective", "method", "text_version")}


def sign_up(reader: Reader, form: Path) -> None:
    reader.tab.open(form.as_uri())
    reader.tab.type("input[name=email]", reader.email)
    assert LABELS[reader.language]["asked_to_confirm_detail"] in reader.tab.click("form button")
    version = {"en": "footer/1", "fa": "footer-fa/1"}[reader.language]
    pending = {"channel": "email", "topic": TOPIC, "effective": "pending", "method": "form", "text_version": version}
    assert reader.consent() == pending


def confirm(reader: Reader) -> Mail:
    """Confirm, and give the welcome."""
    (asked,) = reader.mails()
    assert "List-Unsubscribe" not in {header["Name"] for header in asked["Headers"]}
    assert reader.says("confirm_topics") in reader.tab.open(reader.link(asked, "confirm"))
    assert reader.consent()["effective"] == "pending"
    assert reader.says("confirmed_topics") in reader.tab.click("form button")
    assert (reader.consent()["effective"], reader.consent()["method"]) == ("granted", "double_opt_in")
    _, welcome = reader.mails()
    headers = {header["Name"]: header["Value"] for header in welcome["Headers"]}
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"] == f"<{reader.link(welcome, 'u')}>"
    return welcome


def choose(reader: Reader, welcome: Mail) -> None:
    assert reader.says("how_often") in reader.tab.open(reader.link(welcome, "preferences"))
    reader.tab.tick("input[value=monthly]")
    reader.tab.tick(f"input[name=topic][value={TOPIC}]")
    assert reader.says("saved") in reader.tab.click("button[value=save]")
    assert (reader.consent()["effective"], reader.consent()["method"]) == ("denied", "preference_centre")
    reader.tab.tick(f"input[name=topic][value={TOPIC}]")
    reader.tab.click("button[value=save]")
    assert reader.consent()["effective"] == "granted"
    changed = reader.staff.get(f"/v1/customers/{reader.customer_id()}/timeline?type=preferences.changed")["data"]
    assert changed[0]["data"]["frequency"] == "monthly"


def be_lured(reader: Reader, welcome: Mail, stack: Stack, table: Any) -> None:
    """Click on a page of another origin, which posts to the reader's own one that nothing more may come."""

    def known() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        partition = Key("PK").eq(keys.customer_partition(reader.customer_id()))
        return reader.consent(), table.query(KeyConditionExpression=partition, ConsistentRead=True)["Items"]

    choices, before = reader.link(welcome, "preferences"), known()
    number = (stack.status(after=0) or {})["requests"][-1]["number"]
    with served(luring_to(choices)) as elsewhere:
        reader.tab.open(elsewhere)
        said = reader.tab.click("form button")  # in the browser's own language: whose page it is, is not looked at
        assert LABELS[Language.ENGLISH]["from_elsewhere_detail"] in said
    (asked,) = [each for each in (stack.status(after=number) or {})["requests"] if each["path"] == urlsplit(choices).path]
    assert (asked["method"], asked["status"]) == ("POST", 403)
    assert known() == before


def luring_to(url: str) -> type[BaseHTTPRequestHandler]:
    """A site of somebody else, whose only button posts a form to an address."""
    form = f'<form method="post" action="{escape(url)}"><button name="do" value="stop">A prize</button></form>'
    page = f'<!doctype html><meta charset="utf-8">{form}'.encode()

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Elsewhere


def ask_for_their_data(reader: Reader, welcome: Mail) -> None:
    reader.tab.open(reader.link(welcome, "preferences"))
    assert reader.says("copy_about") in reader.tab.click('a[href*="/public/my-data/"]')
    assert reader.says("data_asked") in reader.tab.click("button[value=export]")
    *_, asked = reader.mails()
    assert reader.says("copy_sure") in reader.tab.open(reader.link(asked, "data-requests"))
    assert reader.says("copy_done") in reader.tab.click("button[value=confirm]")
    reader.mails()  # once nothing is under way, the files are there
    assert reader.says("files_there") in reader.tab.click('a[href*="/public/data/"]')
    files = reader.tab.targets('section a[href^="http"]')
    assert any(reader.email in fetched(file) for file in files)


def fetched(url: str) -> str:
    with urlopen(url, timeout=60) as answer:  # noqa: S310 (a link that we have made)
        text: str = answer.read().decode()
    return text


def leave(reader: Reader, welcome: Mail) -> None:
    page = reader.tab.open(reader.link(welcome, "u"))
    assert reader.says("unsubscribe_title") in page
    assert reader.consent()["effective"] == "granted"
    assert reader.says("no_more_of") in reader.tab.click("button[value=topic]")
    assert (reader.consent()["effective"], reader.consent()["method"]) == ("denied", "unsubscribe")


@pytest.mark.parametrize("language", [Language.ENGLISH, Language.PERSIAN])
def test_a_reader_subscribes_confirms_chooses_asks_for_their_data_and_leaves(
    stack: Stack, table: Any, staff: Api, forms: dict[Language, Path], language: Language
) -> None:
    email = f"reader-{language}-{datetime.now(UTC):%H%M%S}@example.org"
    with chromium(browser()) as tab:
        reader = Reader(language, email, tab, staff, lambda: sent(stack, email))
        sign_up(reader, forms[language])
        welcome = confirm(reader)
        choose(reader, welcome)
        be_lured(reader, welcome, stack, table)
        ask_for_their_data(reader, welcome)
        leave(reader, welcome)
        assert [mail["To"] for mail in reader.mails()] == [[email]] * 3
