"""The mailbox: every mail that would have gone out, and buttons for what can become of it.

Pages of plain HTML without a script. A mail's own HTML is shown in a frame that may run nothing and belongs to nobody.
"""

import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from html import escape, unescape
from typing import Any

from local.ses import REPORTS, Mail

ROOT = "/_local/mailbox"
NEWEST = 200
"""Mails on a page of the list."""
WIDTHS = (600, 390)
"""A mail on a desk and on a phone, in CSS pixels."""
SECURITY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_OF_A_MAIL = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src https: http: data:; "
    "style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'"
)
LINK = re.compile(r"""<a\b[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
API_HOST = re.compile(r"^https?://([a-z0-9]+)\.execute-api\.[^/]*")
STYLE = """
:root { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff }
body { max-width: 70rem; margin: 0 auto; padding: 1rem }
a { color: #0b4f9c } a:focus-visible, button:focus-visible { outline: 3px solid #0b4f9c; outline-offset: 2px }
h1 { font-size: 1.4rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-block: 1.5rem .5rem }
table { border-collapse: collapse; width: 100% } caption { text-align: start; padding-block: .5rem; color: #555 }
th, td { text-align: start; vertical-align: top; padding: .35rem .6rem; border-block-end: 1px solid #ddd }
td { overflow-wrap: anywhere } table.facts { table-layout: fixed } table.facts th { width: 12rem }
table.mails td { overflow-wrap: break-word }
.at { white-space: nowrap } a[aria-current] { color: #1a1a1a; font-weight: 600; text-decoration: none }
th { font-weight: 600 } thead th { border-block-end: 2px solid #888; white-space: nowrap }
form { display: inline-block; margin: 0 .4rem .4rem 0 }
button { font: inherit; padding: .35rem .8rem; border: 1px solid #777; border-radius: .3rem; cursor: pointer }
button { background: #f3f3f3; color: #1a1a1a }
button:hover { background: #e4e4e4 } .bad { border-color: #a11; color: #a11 }
iframe { display: block; border: 1px solid #888; height: 60rem; max-width: 100%; background: #fff }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f7f7f7; padding: 1rem; border: 1px solid #ddd }
nav a { margin-inline-end: 1rem }
@media (max-width: 40rem) {
  table.mails thead { display: none } table.mails tr { display: block; border-block-end: 2px solid #888; padding-block: .4rem }
  table.mails td { display: block; border: 0; padding: .1rem .3rem }
}
"""


def links(mail: Mail) -> list[str]:
    """The addresses that a mail links to, each once, in its order."""
    found = [unescape(double or single) for double, single in LINK.findall(mail["BodyHtml"] or "")]
    return list(dict.fromkeys(link for link in found if link.startswith(("http:", "https:"))))


def reachable(link: str, endpoint: str) -> str:
    """Give a link to this stack's API at an address that every browser finds: not all know hosts below `localhost`."""
    return API_HOST.sub(rf"{endpoint}/_aws/execute-api/\1", link)


def list_page(mails: list[Mail], before: int) -> str:
    """Write the list, the newest first; `before` is the number below which it begins, for a look at older ones."""
    shown = list(range(min(before - 1, len(mails)), 0, -1))[:NEWEST]
    rows = "".join(_row(number, mails[number - 1]) for number in shown)
    older = f'<nav><a href="{ROOT}?before={shown[-1]}">older mails</a></nav>' if shown and shown[-1] > 1 else ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("number", "sent (UTC)", "to", "subject", "what became of it"))
    table = f'<table class="mails"><caption>{len(mails)} mails, the newest first</caption><thead><tr>{heads}</tr></thead>'
    nothing = "<p>No mail has been sent. Switch an order mail on and place an order, or POST /v1/messages.</p>"
    return _page(
        "Mailbox", f"<h1>Mailbox</h1>{table}<tbody>{rows}</tbody></table>{older}" if mails else f"<h1>Mailbox</h1>{nothing}"
    )


def _row(number: int, mail: Mail) -> str:
    subject = escape(mail["Subject"]) or "(no subject)"
    cells = (
        str(number),
        f'<span class="at">{_time(mail["Timestamp"])}</span>',
        escape(", ".join(mail["To"])),
        f'<a href="{ROOT}/{number}" dir="auto">{subject}</a>',
        ", ".join(REPORTS[report["word"]][1] for report in mail["Reported"]) or "accepted",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def mail_page(mails: list[Mail], number: int, width: int, endpoint: str) -> str:
    """Write one mail's page: what it is, buttons, its parts, its links, its headers and its tags."""
    mail, at = mails[number - 1], f"{ROOT}/{number}"
    around = [(number + 1, "newer"), (number - 1, "older")]
    ways = "".join(f'<a href="{ROOT}/{to}">{word}</a>' for to, word in around if 1 <= to <= len(mails))
    buttons = "".join(_button(at, word, told) for word, (_, told) in REPORTS.items() if word != "click")
    sides = "".join(
        f'<a href="{at}?width={each}"{" aria-current=true" if each == width else ""}>{each} pixels</a>' for each in WIDTHS
    )
    frame = (
        f'<iframe src="{at}/html" width="{width}" title="The mail as HTML" sandbox="allow-popups allow-popups-to-escape-sandbox">'
    )
    reported = [(_time(report["at"]), escape(f"{REPORTS[report['word']][1]} {report['link']}")) for report in mail["Reported"]]
    return _page(
        mail["Subject"],
        f'<nav><a href="{ROOT}">all mails</a>{ways}</nav><h1 dir="auto">{escape(mail["Subject"])}</h1>{_facts(_envelope(mail))}'
        f"<h2>Report it as</h2>{buttons}{_facts(reported)}"
        f'<h2>HTML</h2><nav aria-label="Width">{sides}<a href="{at}/html">alone</a></nav>{frame}</iframe>'
        f"<h2>Links</h2>{_links(at, links(mail), endpoint)}"
        f'<h2>Text</h2><pre dir="auto">{escape(mail["BodyText"] or "")}</pre>'
        f"<h2>Headers</h2>{_facts([(escape(h['Name']), escape(h['Value'])) for h in mail['Headers']])}"
        f"<h2>Tags</h2>{_facts([(escape(t['Name']), escape(t['Value'])) for t in mail['EmailTags']])}",
    )


def html_part(mail: Mail) -> str:
    """Give a mail's HTML as it was sent, with links that leave its frame."""
    html, base = mail["BodyHtml"] or "<p>This mail has no HTML.</p>", '<base target="_blank">'
    with_base, found = re.subn(r"<head\b[^>]*>", lambda head: head[0] + base, html, count=1, flags=re.IGNORECASE)
    return with_base if found else base + html


def notice_page(title: str, said: str) -> str:
    """Say one thing."""
    return _page(title, f'<nav><a href="{ROOT}">all mails</a></nav><h1>{escape(title)}</h1><p>{escape(said)}</p>')


def _envelope(mail: Mail) -> list[tuple[str, str]]:
    return [
        ("From", escape(str(make_header(decode_header(mail["Source"]))))),
        ("Reply-To", escape(str(make_header(decode_header(", ".join(mail["ReplyToAddresses"])))))),
        ("To", escape(", ".join(mail["To"]))),
        ("Sent", f"{_time(mail['Timestamp'])} UTC"),
        ("Configuration set", escape(mail["ConfigurationSetName"] or "")),
        ("Message id", escape(mail["MessageId"])),
    ]


def _button(at: str, word: str, told: str, link: str = "") -> str:
    bad = ' class="bad"' if word in {"bounce", "soft", "complain", "reject"} else ""
    named = f'<input type="hidden" name="link" value="{escape(link)}">' if link else ""
    return f'<form method="post" action="{at}/{word}">{named}<button{bad}>{told}</button></form>'


def _links(at: str, found: list[str], endpoint: str) -> str:
    rows = [
        (
            _button(at, "click", f"{REPORTS['click'][1]} {number}", link),
            f'<a href="{escape(reachable(link, endpoint))}">{escape(link)}</a>',
        )
        for number, link in enumerate(found, start=1)
    ]
    return _facts(rows)


def _facts(rows: list[tuple[str, str]]) -> str:
    """Write a table of names and values, both HTML already."""
    if not rows:
        return "<p>None.</p>"
    return (
        "<table>"
        + "".join(f'<tr><th scope="row">{name}</th><td dir="auto">{value}</td></tr>' for name, value in rows)
        + "</table>"
    )


def _time(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S}"


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )


def answer(path: str, query: dict[str, Any], mails: list[Mail], endpoint: str) -> tuple[int, str, str]:
    """Answer a GET below `ROOT`: status, HTML and what the page may do (Content-Security-Policy)."""
    number, _, part = path.removeprefix(ROOT).strip("/").partition("/")
    if not number:
        return 200, list_page(mails, int(query.get("before", len(mails) + 1))), SECURITY
    if not number.isdecimal() or not 1 <= int(number) <= len(mails) or part not in {"", "html"}:
        return 404, notice_page("No such mail", f"There are {len(mails)} mails."), SECURITY
    if part == "html":
        return 200, html_part(mails[int(number) - 1]), SECURITY_OF_A_MAIL
    return 200, mail_page(mails, int(number), int(query.get("width", WIDTHS[0])), endpoint), SECURITY
