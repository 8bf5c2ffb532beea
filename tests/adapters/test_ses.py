"""S6: SES is asked once for each claim, whatever becomes of the answer; and no word of anybody leaves its header field."""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.parser import Parser
from email.policy import SMTP
from email.utils import parseaddr
from functools import cache
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from ecrm.application.mail_ports import Mail
from ecrm.domain.messages import Accepted, Ambiguous, NotSent, Policy, Refused, Reply
from ecrm.messaging.ses import IDLE_SECONDS, ONE_ATTEMPT, SesMailer

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

MAIL = Mail(
    from_name="Blue Note",
    from_address="shop@example.com",
    to="sara@example.com",
    reply_to="help@example.com",
    subject="Your order",
    html="<p>Thank you</p>",
    text="Thank you",
    policy=Policy.TRANSACTIONAL,
    headers={"Auto-Submitted": "auto-generated"},
    tags={"send_id": "a1", "attempt": "1"},
)

type Fate = Callable[[socket.socket], None]


def answer(status: int, body: str = "{}", error: str | None = None) -> Fate:
    head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    said = head + (f"x-amzn-errortype: {error}\r\n" if error else "") + "\r\n" + body
    return lambda connection: connection.sendall(said.encode())


def drop(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang(connection: socket.socket) -> None:
    del connection


@dataclass
class Provider:
    """A fake of SES that reads whole requests and lets a fate answer each. It counts what came over the wire."""

    listener: socket.socket
    fate: Fate
    requests: list[dict[str, Any]] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        seen = b""
        while True:
            try:
                part = connection.recv(65_536)
            except OSError:
                return
            if not part:
                return
            seen += part
            while (end := seen.find(b"\r\n\r\n")) >= 0:
                length = int(re.search(rb"content-length: (\d+)", seen[:end], re.IGNORECASE)[1])  # type: ignore[index]
                if len(seen) < end + 4 + length:
                    break
                body, seen = seen[end + 4 : end + 4 + length], seen[end + 4 + length :]
                self.requests.append(json.loads(body))
                self.fate(connection)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Provider(listener, answer(200, '{"MessageId": "m-1"}'))
        threading.Thread(target=made.serve, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
        for connection in made.connections:
            connection.close()


@cache
def a_session() -> Any:
    return botocore.session.get_session()


def a_mailer(url: str, monotonic: Callable[[], float] = lambda: 0.0) -> SesMailer:
    client = a_session().create_client(
        "sesv2",
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=ONE_ATTEMPT.merge(Config(read_timeout=0.5)),
    )
    return SesMailer(client, {Policy.TRANSACTIONAL: "transactional", Policy.MARKETING: "marketing"}, monotonic)


FATES: dict[str, tuple[Fate, Reply]] = {
    "drop": (drop, Ambiguous("ConnectionClosedError")),
    "hang": (hang, Ambiguous("ReadTimeoutError")),
    "500": (answer(500, error="InternalFailure"), Ambiguous("InternalFailure")),
    "503": (answer(503, error="ServiceUnavailable"), Ambiguous("ServiceUnavailable")),
    "504": (answer(504, "<html>"), Ambiguous("504")),
    "429": (answer(429, error="TooManyRequestsException"), NotSent("TooManyRequestsException")),
}
ANSWERS: dict[str, tuple[Fate, Reply]] = {
    "accepted": (answer(200, '{"MessageId": "m-1"}'), Accepted("m-1")),
    "accepted without an id": (answer(200), Ambiguous("NoMessageId")),
    "accepted in half a word": (answer(200, '{"MessageId": "m'), Ambiguous("NoMessageId")),
    "refused": (answer(400, error="MessageRejected"), Refused("MessageRejected")),
    "malformed": (answer(400, error="BadRequestException"), Refused("BadRequestException")),
    "unverified": (answer(400, error="MailFromDomainNotVerifiedException"), Refused("MailFromDomainNotVerifiedException")),
    "too large": (answer(413, error="RequestEntityTooLargeException"), Refused("RequestEntityTooLargeException")),
    "account suspended": (answer(400, error="AccountSuspendedException"), NotSent("AccountSuspendedException")),
    "account paused": (answer(400, error="SendingPausedException"), NotSent("SendingPausedException")),
    "quota of the day": (answer(400, error="LimitExceededException"), NotSent("LimitExceededException")),
    "throttled": (answer(400, error="ThrottlingException"), NotSent("ThrottlingException")),
    "no such configuration set": (answer(404, error="NotFoundException"), NotSent("NotFoundException")),
    "not granted": (answer(403, error="AccessDeniedException"), NotSent("AccessDeniedException")),
    "token expired": (answer(403, error="ExpiredTokenException"), NotSent("ExpiredTokenException")),
    "answer not waited for": (answer(400, error="RequestAbortedException"), Ambiguous("RequestAbortedException")),
    "moved": (answer(307), Ambiguous("307")),
}


@pytest.mark.parametrize("fate", FATES | ANSWERS)
def test_a_mail_is_one_request_whatever_becomes_of_its_answer(provider: Provider, fate: str) -> None:
    provider.fate, expected = (FATES | ANSWERS)[fate]
    mailer = a_mailer(provider.url)
    replies = [mailer.send(replace(MAIL, tags={"attempt": str(attempt)})) for attempt in (1, 2)]
    assert [expected, expected] == replies
    assert [["1"], ["2"]] == [[tag["Value"] for tag in request["EmailTags"]] for request in provider.requests]


def test_a_mail_that_finds_nobody_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert NotSent("EndpointConnectionError") == a_mailer(url).send(MAIL)


def test_a_connection_that_was_idle_is_not_used_again(provider: Provider) -> None:
    now = [0.0]
    mailer = a_mailer(provider.url, lambda: now[0])
    for at in (1, 2, 2 + IDLE_SECONDS, 3 + IDLE_SECONDS):
        now[0] = at
        assert Accepted("m-1") == mailer.send(MAIL)
    assert (2, 4) == (len(provider.connections), len(provider.requests))


def test_a_mail_is_sent_as_simple_content_to_one_recipient(provider: Provider) -> None:
    a_mailer(provider.url).send(MAIL)
    marketing = replace(MAIL, policy=Policy.MARKETING, reply_to=None, headers={"List-Unsubscribe": "<https://x.example/u>"})
    a_mailer(provider.url).send(marketing)
    body = {
        "Html": {"Data": "<p>Thank you</p>", "Charset": "UTF-8"},
        "Text": {"Data": "Thank you", "Charset": "UTF-8"},
    }
    subject = {"Data": "Your order", "Charset": "UTF-8"}
    first = {
        "FromEmailAddress": '"Blue Note" <shop@example.com>',
        "Destination": {"ToAddresses": ["sara@example.com"]},
        "ReplyToAddresses": ["help@example.com"],
        "Content": {
            "Simple": {"Subject": subject, "Body": body, "Headers": [{"Name": "Auto-Submitted", "Value": "auto-generated"}]}
        },
        "EmailTags": [{"Name": "send_id", "Value": "a1"}, {"Name": "attempt", "Value": "1"}],
        "ConfigurationSetName": "transactional",
    }
    second = {name: said for name, said in first.items() if name != "ReplyToAddresses"} | {
        "Content": {
            "Simple": {
                "Subject": subject,
                "Body": body,
                "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://x.example/u>"}],
            }
        },
        "ConfigurationSetName": "marketing",
    }
    assert [first, second] == provider.requests


OURS = "https://crm.example.com/public/preferences/AbC-1_x"
SPELT = {
    f'<a href="{OURS}">x</a>': f'<a ses:no-track href="{OURS}">x</a>',
    f"<a class=x href='{OURS}'>x</a>": f"<a class=x ses:no-track href='{OURS}'>x</a>",
    f'<A\nHREF = " {OURS} ">x</A>': f'<A\nses:no-track HREF = " {OURS} ">x</A>',
    f"<a href={OURS}>x</a>": f"<a ses:no-track href={OURS}>x</a>",
    f'<a href="{OURS}?lang=fa&amp;x=1#top">x</a>': f'<a ses:no-track href="{OURS}?lang=fa&amp;x=1#top">x</a>',
    f'<a data-href="{OURS}" href="https://example.com/?to={OURS}">{OURS}</a>': None,
}
"""How a link of ours may be written, and how it goes out; None as it is."""


@pytest.mark.parametrize("html", SPELT)
def test_a_link_of_ours_is_not_counted_however_an_author_writes_it(provider: Provider, html: str) -> None:
    mail = replace(MAIL, html=html, untracked=frozenset({OURS, f"{OURS}y", "https://crm.example.com/public/u/z"}))
    _, request = sent_from(provider, mail)
    assert (SPELT[html] or html) == request["Content"]["Simple"]["Body"]["Html"]["Data"]


# ── header injection ─────────────────────────────────────────────────────────────────────────────────────────────────

EVIL = {
    "a line feed": "Hello\nBcc: eve@example.com",
    "a carriage return": "Hello\rBcc: eve@example.com",
    "both": "Hello\r\nBcc: eve@example.com\r\n\r\nbody",
    "a folded line": "Hello\r\n Bcc: eve@example.com",
    "an end of line of Unicode": "Hello\u2028Bcc: eve@example.com\u0085X-Evil: 1",
    "a NUL": "Hello\x00Bcc: eve@example.com",
    "an encoded line's end": "=?utf-8?q?Hello=0D=0ABcc:_eve=40example.com?=",
    "an encoded word in another": "=?utf-8?q?=3D=3Futf-8=3Fq=3F=0ABcc=3F=3D?=",
    "a split beginning of an encoded word": "=\r\n?utf-8?q?=0ABcc:?= ==?utf-8?q?=0ABcc:?=",
    "2,000 letters": "a" * 2_000,
    "2,000 Persian letters": "س" * 2_000,
    "half of a pair": "Hello\ud800Bcc",
    "a way out of the quotes": 'Hello" <eve@example.com>, "x',
    "a backslash at the end": "Hello\\",
    "a second address": "Hello, eve@example.com",
    "a group": "eve: eve@example.com;",
}
TURNED = {
    "an override": ("Sara \u202eevil", "Sara  evil"),
    "embeddings": ("\u202aa\u202bb\u202cc\u202d", "a b c"),
    "an isolate that nothing ends": ("\u2067Sara, hello", "Sara, hello"),
    "an end of none": ("Sara\u2069, hello", "Sara , hello"),
    "a name that leaves its isolate": ("\u2068x\u2069\u2067y\u2069, hello", "\u2068x\u2069\u2067y\u2069, hello"),
    "one too many": ("\u2068Sara\u2069\u2069, hello", "\u2068Sara\u2069 , hello"),
    "an isolate in an encoded word's beginning": ("=\u2068?utf-8?q?=0A?=", "= ?utf-8?q?=0A?="),
    "an isolate that is cut": ("\u2068" + "س" * 300 + "\u2069", "س" * 248 + "…"),
    "a mark": ("\u200fSara، سلام", "\u200fSara، سلام"),
}
NAMES = {
    "Persian": "فروشگاهِ آبی\u200cنوت",
    "Chinese": "蓝调唱片行" * 15,
    "German": "Müller & Söhne",
    "a quoted word": 'The "Blue" Note \\ Berlin',
    "a comma": "Note, Blue",
}


def sent_from(provider: Provider, mail: Mail) -> tuple[Reply, dict[str, Any]]:
    reply = a_mailer(provider.url).send(mail)
    return reply, provider.requests[-1] if provider.requests else {}


def senders(field_value: str) -> tuple[Address, ...]:
    """Read a From as a mail program does that was sent this field."""
    parsed = Parser(policy=SMTP).parsestr(f"From: {field_value}\r\n\r\n")
    assert [] == parsed.defects
    assert ["From"] == parsed.keys()
    assert () == parsed["from"].defects
    return tuple(parsed["from"].addresses)


@pytest.mark.parametrize("evil", EVIL)
def test_a_subject_stays_a_subject(provider: Provider, evil: str) -> None:
    reply, request = sent_from(provider, replace(MAIL, subject=EVIL[evil]))
    data = request["Content"]["Simple"]["Subject"]["Data"]
    assert Accepted("m-1") == reply
    assert 0 < len(data) <= 250
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|=\?", data)


@pytest.mark.parametrize("what", TURNED)
def test_nothing_in_a_subject_turns_round_the_words_behind_it(provider: Provider, what: str) -> None:
    written, expected = TURNED[what]
    _, request = sent_from(provider, replace(MAIL, subject=written, from_name=written[:50]))
    assert expected == request["Content"]["Simple"]["Subject"]["Data"]
    (sender,) = senders(request["FromEmailAddress"])
    shown = re.sub("[^\u2066-\u2069]", "", sender.display_name)
    assert "" == re.sub("(?:[\u2066-\u2068]\u2069)*", "", shown)
    assert not re.search("[\u202a-\u202e]", sender.display_name)


@pytest.mark.parametrize("evil", EVIL)
def test_a_senders_name_names_one_sender(provider: Provider, evil: str) -> None:
    reply, request = sent_from(provider, replace(MAIL, from_name=EVIL[evil]))
    field_value = request["FromEmailAddress"]
    (sender,) = senders(field_value)
    assert Accepted("m-1") == reply
    assert "shop@example.com" == sender.addr_spec
    assert re.fullmatch(r"[ -~]{1,995}", field_value)
    assert all(len(word) <= 75 for word in re.findall(r"=\?\S*\?=", field_value))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|=\?", sender.display_name)


@pytest.mark.parametrize("name", NAMES)
def test_a_senders_name_arrives_as_it_was_written(provider: Provider, name: str) -> None:
    _, request = sent_from(provider, replace(MAIL, from_name=NAMES[name]))
    shown, address = parseaddr(request["FromEmailAddress"])
    assert (NAMES[name], "shop@example.com") == (str(make_header(decode_header(shown))), address)


def test_a_sender_without_a_name_is_an_address(provider: Provider) -> None:
    assert "shop@example.com" == sent_from(provider, replace(MAIL, from_name=" \r\n"))[1]["FromEmailAddress"]


ADDRESSES = {what: f"{text}@example.com" for what, text in EVIL.items()} | {
    "two addresses": "sara@example.com,eve@example.com",
    "an address and a name": "Eve <eve@example.com>",
    "a header behind it": "sara@example.com\r\nBcc: eve@example.com",
    "an IDN": "sara@bücher.example",
    "a blank": " ",
}


@pytest.mark.parametrize("place", ["from_address", "to", "reply_to"])
@pytest.mark.parametrize("evil", ADDRESSES)
def test_what_is_no_single_address_is_never_sent_to(provider: Provider, evil: str, place: str) -> None:
    changes: dict[str, Any] = {place: ADDRESSES[evil]}
    assert (Refused("address_unfit"), {}) == sent_from(provider, replace(MAIL, **changes))


@pytest.mark.parametrize("evil", EVIL)
def test_a_headers_value_is_one_line_of_ascii_or_not_sent(provider: Provider, evil: str) -> None:
    reply, request = sent_from(provider, replace(MAIL, headers={"X-Order": EVIL[evil]}))
    if not request:
        assert Refused("header_unfit") == reply
        assert len(EVIL[evil]) > 995
        return
    (header,) = request["Content"]["Simple"]["Headers"]
    assert "X-Order" == header["Name"]
    assert re.fullmatch(r"[ -~]{1,995}", header["Value"])
    assert "=?" not in header["Value"]


def test_a_link_to_unsubscribe_is_never_cut(provider: Provider) -> None:
    links = {length: f"<https://x.example/{'t' * (length - 20)}>" for length in (995, 996)}
    replies = {len(link): sent_from(provider, replace(MAIL, headers={"List-Unsubscribe": link}))[0] for link in links.values()}
    assert {995: Accepted("m-1"), 996: Refused("header_unfit")} == replies
    assert [links[995]] == [request["Content"]["Simple"]["Headers"][0]["Value"] for request in provider.requests]
