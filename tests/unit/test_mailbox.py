"""The laptop's mailbox shows every mail, a hostile one too, and its SES refuses what SES refuses."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from local.mailbox import NEWEST, ROOT, answer, links, reachable
from local.ses import REPORTS, Mail, as_message, notice, refusal

ENDPOINT = "http://127.0.0.1:4566"
NOW = datetime(2026, 11, 20, 18, 3, 11, 500_000, UTC)


def a_mail(**changes: Any) -> Mail:
    return {
        "MessageId": "0100-1",
        "Source": "=?utf-8?b?2YHYsdmI2LTar9in2Yc=?= <shop@example.com>",
        "To": ["nilu@example.org"],
        "Subject": "سفارش شما ثبت شد",
        "BodyText": "سلام",
        "BodyHtml": '<html dir="rtl"><head></head><body>سلام</body></html>',
        "Timestamp": NOW.timestamp(),
        "ConfigurationSetName": "transactional",
        "EmailTags": [{"Name": "send_id", "Value": "abc"}],
        "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}],
        "ReplyToAddresses": ["help@example.com"],
        "Reported": [],
    } | changes


def a_request(**changes: Any) -> dict[str, Any]:
    return {
        "FromEmailAddress": "=?utf-8?q?Caf=C3=A9?= <shop@example.com>",
        "Destination": {"ToAddresses": ["nilu@example.org"]},
        "ReplyToAddresses": ["help@example.com"],
        "ConfigurationSetName": "transactional",
        "EmailTags": [{"Name": "send_id", "Value": "abc-1_2"}],
        "Content": {"Simple": {"Subject": {"Data": "سفارش"}, "Body": {"Text": {"Data": "سلام"}}, "Headers": []}},
    } | changes


def with_headers(*headers: tuple[str, str]) -> dict[str, Any]:
    simple: dict[str, Any] = a_request()["Content"]["Simple"]
    return {"Content": {"Simple": simple | {"Headers": [{"Name": name, "Value": value} for name, value in headers]}}}


def shown(path: str, *mails: Mail, **query: str) -> str:
    status, page, _ = answer(f"{ROOT}{path}", query, list(mails), ENDPOINT)
    assert status == 200
    return page


def test_the_list_shows_the_newest_mail_first_and_leads_to_older_ones() -> None:
    mails = [a_mail(Subject=f"mail-{number}.") for number in range(1, NEWEST + 3)]
    first = shown("", *mails)
    second = shown("", *mails, before="3")
    assert first.index(f"mail-{NEWEST + 2}.") < first.index("mail-3.")
    assert ("mail-2." in first, f"{ROOT}?before=3" in first) == (False, True)
    assert (second.index("mail-2.") < second.index("mail-1."), "before=" in second) == (True, False)


def test_a_mails_page_shows_its_parts_its_headers_its_tags_and_its_links() -> None:
    page = shown(
        "/1", a_mail(BodyHtml='<a href="http://abc1.execute-api.localhost:4566/public/orders/t?a=1&amp;b=2">x</a>'), width="390"
    )
    for part in (
        "فروشگاه &lt;shop@example.com&gt;",
        "nilu@example.org",
        'width="390"',
        "سلام",
        "Auto-Submitted",
        "send_id",
        f'href="{ENDPOINT}/_aws/execute-api/abc1/public/orders/t?a=1&amp;b=2"',
    ):
        assert part in page


def test_what_is_not_there_is_said_to_be_so() -> None:
    paths = ("/0", "/2", "/x", "/1/pdf")
    assert [answer(ROOT + path, {}, [a_mail()], ENDPOINT)[0] for path in paths] == [404] * len(paths)


def test_a_hostile_mail_is_shown_as_text_everywhere_but_in_its_own_frame() -> None:
    hostile = "</title><script>alert(1)</script>\"'>"
    mail = a_mail(
        Subject=hostile,
        BodyText=hostile,
        To=[hostile],
        BodyHtml=f'<a href="https://x.example/?{hostile[:8]}">x</a>',
        EmailTags=[{"Name": "a", "Value": hostile}],
        Headers=[{"Name": hostile, "Value": hostile}],
        Reported=[{"word": "click", "at": 0.0, "link": hostile}],
    )
    assert "<script" not in shown("", mail) + shown("/1", mail)


def test_a_mails_html_may_run_nothing_and_its_links_leave_the_frame() -> None:
    mail = a_mail(BodyHtml="<html><HEAD lang=fa><title>x</title></head><body><script>alert(1)</script></body></html>")
    _, html, allowed = answer(f"{ROOT}/1/html", {}, [mail], ENDPOINT)
    assert '<HEAD lang=fa><base target="_blank"><title>' in html
    rules = [rule.strip() for rule in allowed.split(";")]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in rules
    assert "default-src 'none'" in rules
    assert not [rule for rule in rules if rule.startswith("script-src")]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown("/1", mail)


def test_links_are_listed_once_in_their_order_and_only_those_of_the_web() -> None:
    html = """<a href="https://b.example/?x=1&amp;y=2">b</a> <A class=x href='https://a.example/'>a</A>
    <a href="https://b.example/?x=1&amp;y=2">again</a> <a href="mailto:a@example.com">m</a> <a name="x">n</a>"""
    assert links(a_mail(BodyHtml=html)) == ["https://b.example/?x=1&y=2", "https://a.example/"]
    assert reachable("https://a.example/", ENDPOINT) == "https://a.example/"


def test_ses_takes_a_mail_as_we_send_it() -> None:
    assert (
        refusal(
            a_request(**with_headers(("Auto-Submitted", "auto-generated"), ("List-Unsubscribe", "<https://x>"))),
            {"transactional"},
        )
        is None
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"EmailTags": [{"Name": "send id", "Value": "a"}]}, id="a blank in a tag's name"),
        pytest.param({"EmailTags": [{"Name": "a", "Value": "سفارش"}]}, id="a tag's value beyond ASCII"),
        pytest.param({"EmailTags": [{"Name": "a", "Value": ""}]}, id="a tag without a value"),
        pytest.param({"EmailTags": [{"Name": "a", "Value": "x" * 257}]}, id="a tag that is too long"),
        pytest.param({"EmailTags": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]}, id="a tag twice"),
        pytest.param({"FromEmailAddress": "Café <shop@example.com>"}, id="a name that is not encoded"),
        pytest.param({"FromEmailAddress": "shop@example.com\r\nBcc: x@example.com"}, id="a line break in the sender"),
        pytest.param({"ReplyToAddresses": ["help"]}, id="a reply-to that is no address"),
        pytest.param({"Destination": {"ToAddresses": []}}, id="nobody"),
        pytest.param({"Destination": {"ToAddresses": ["a@example.com"] * 51}}, id="too many"),
        pytest.param({"Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {}}}}, id="no body"),
        pytest.param(with_headers(("Subject", "x")), id="a header of SES's own"),
        pytest.param(with_headers(("reply-to", "x@example.com")), id="another one, in small letters"),
        pytest.param(with_headers(("X-A", "1"), ("x-a", "2")), id="a header twice"),
        pytest.param(with_headers(("X A", "1")), id="a blank in a header's name"),
        pytest.param(with_headers(("X-A", "a\r\nBcc: x@example.com")), id="a line break in a header"),
        pytest.param(with_headers(("X-A", "سفارش")), id="a header beyond ASCII"),
        pytest.param(with_headers(("X-A", "")), id="an empty header"),
        pytest.param(with_headers(("X-A", "x" * 996)), id="a header that is too long"),
        pytest.param(with_headers(*((f"X-{number}", "x") for number in range(16))), id="sixteen headers"),
    ],
)
def test_ses_refuses(changes: dict[str, Any]) -> None:
    refused = refusal(a_request(**changes), {"transactional"})
    assert refused is not None
    assert refused[0] == "BadRequestException"


def test_ses_does_not_know_a_configuration_set_that_is_not_there() -> None:
    assert refusal(a_request(), {"marketing"}) == ("NotFoundException", "Configuration set <transactional> does not exist.")


@pytest.mark.parametrize("word", REPORTS)
def test_a_notice_names_the_mail_its_tags_and_what_happened(word: str) -> None:
    told = json.loads(as_message(notice(a_mail(), word, "https://x.example/", NOW))["Message"])
    kind = REPORTS[word][0]
    assert set(told) == {"eventType", "mail", kind[0].lower() + kind[1:]}
    assert (told["eventType"], told["mail"]["destination"]) == (kind, ["nilu@example.org"])
    assert (told["mail"]["tags"]["send_id"], told["mail"]["tags"]["ses:configuration-set"]) == (["abc"], ["transactional"])
    assert told["mail"]["timestamp"] == "2026-11-20T18:03:11.500Z"
