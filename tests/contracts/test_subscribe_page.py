"""docs/subscribe.md beside the code: its forms, sent as a browser sends them, sign somebody up."""

import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from ecrm.contracts.subscriptions import SubscribeBody, SubscribedBody
from ecrm.domain.api_keys import KeyKind
from messages_api.handler import handler
from tests.architecture.pages import code, table
from tests.architecture.sources import ROOT
from tests.builders import a_request
from tests.cloud import Cloud
from tests.functions.api import open_shop

PAGE = (ROOT / "docs" / "subscribe.md").read_text(encoding="utf-8")
FORMS = re.findall(r"```html\n(.*?)```", PAGE, re.DOTALL)


class Form(HTMLParser):
    """What a browser sends of a form in which nothing was changed but the address, and what it shows no people."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.action = self.method = ""
        self.hidden: set[str] = set()
        self._is_hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self.action, self.method = said["action"] or "", said["method"] or ""
        if tag == "p":
            self._is_hidden = "hidden" in said
        if tag == "input":
            name = said["name"] or ""
            self.hidden |= {name} if self._is_hidden else set()
            self.sent.append((name, "lena@example.com" if name == "email" else said.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        self._is_hidden = self._is_hidden and tag != "p"


@pytest.mark.parametrize(
    ("number", "language", "words"), [(0, "en", "Look into your mailbox"), (1, "fa", "صندوق ایمیل خود را ببینید")]
)
def test_a_form_of_the_page_signs_somebody_up(cloud: Cloud, number: int, language: str, words: str) -> None:
    shop = open_shop(cloud)
    form = Form(FORMS[number])
    assert ("https://api.example.com/public/subscribe", "post", {"website"}) == (form.action, form.method, form.hidden)
    own = {"writeKey": cloud.key(KeyKind.WRITE)}
    body = urlencode([(name, own.get(name, value)) for name, value in form.sent])
    answer = handler(a_request("POST", "/public/subscribe", body=body, headers={"content-type": FORM_TYPE}), None)
    assert (202, True) == (answer["statusCode"], words in answer["body"])
    (asked,) = (item for item in shop.cloud.items("EVENT#") if item["type"]["S"] == "message.requested")
    assert language == asked["data"]["M"]["language"]["S"]


FORM_TYPE = "application/x-www-form-urlencoded"


def test_the_page_tells_every_field() -> None:
    fields = {field.alias or name for name, field in SubscribeBody.model_fields.items()}
    assert fields == {code(name) for name, _ in table(PAGE, "field", "")}


def test_the_answer_is_the_pages() -> None:
    assert SubscribedBody().detail in PAGE
