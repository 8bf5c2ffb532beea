"""The public pages and the mails under axe-core in Chromium: every language on a phone and on a desk, WCAG 2.2 level A and AA.

`make a11y` brings axe-core from npm and runs this; it needs `chromium` and `npm`. Each page is served with the headers that
`public_api` sends, in a frame as wide as a screen (a headless window is never narrower than 500 pixels), with axe
let in; a mail as the page that shows it once more, without the pictures of others. Screenshots go to `--shots`. Any
violation, sideways scrolling, or style that the page's own policy refuses exits with 1.
"""

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

from ecrm.application.links import PublicOrder
from ecrm.application.orders import OrderView
from ecrm.contracts import orders as wire
from ecrm.domain import orders as domain
from ecrm.domain.links import Language
from ecrm.domain.sites import Site
from ecrm.entry.public import PublicPages, Shown
from ecrm.messaging.campaign_reports import CampaignReportPages
from ecrm.messaging.person_pages import PersonPages
from ecrm.messaging.rendering import Pages, style_of
from ecrm.messaging.reports import ReportPages
from tools.sample_campaign_report import campaign_report
from tools.sample_mails import sample_mails
from tools.sample_person_pages import person_pages
from tools.sample_report import report

WIDTHS = (390, 1200)
THEMES = {"light": (), "dark": ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")}
"""What makes Chromium ask for it. A report is for paper, too: it stays light."""
GROUNDS = {"light": "rgb(243, 246, 244)", "dark": "rgb(16, 21, 19)"}
GROUNDS_OF_MAILS = GROUNDS | {"light": "rgb(241, 245, 243)"}
"""The ground that the style gives a page."""
HEIGHT = 2400
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
RULES_OF_PAGES = (*RULES, "best-practice")
"""These ask for landmarks, too, of which a mail must not bring any of its own into the page of the program that shows it."""
RESULT = re.compile(r'<pre id="axe">(.*?)</pre>', re.DOTALL)
RUN = """
addEventListener('load', () => axe.run(document, {runOnly: rules})
  .then(found => {
    const told = {
      violations: found.violations.map(each => each.id + ': ' + each.nodes.map(node => node.target).join(' ')),
      passes: found.passes.map(each => each.id),
      unsure: found.incomplete.map(each => each.id),
      sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      width: innerWidth,
      ground: getComputedStyle(document.body).backgroundColor,
    };
    parent.postMessage(JSON.stringify(told));
  }))
"""
FRAMES = """<!doctype html><title>frames</title><body style="margin: 0"><script>
const look = page => new Promise(done => {{
  const frame = document.createElement('iframe');
  frame.style.cssText = 'width: {width}px; height: {height}px; border: 0';
  frame.src = '/' + page + '?axe';
  addEventListener('message', said => {{ frame.remove(); done(JSON.parse(said.data)); }}, {{ once: true }});
  document.body.append(frame);
}});
(async () => {{
  const told = {{}};
  for (const page of {pages}) told[page] = await look(page);
  const place = document.createElement('pre');
  place.id = 'axe';
  place.textContent = JSON.stringify(told);
  document.body.append(place);
}})()
</script>"""
FRAME = """<!doctype html><title>frame</title><body style="margin: 0">
<iframe src="/{page}?axe" style="width: {width}px; height: {height}px; border: 0"></iframe>"""
_BRANDS = {Language.ENGLISH: "Blue Note", Language.PERSIAN: "کتاب‌فروشی آبی", Language.CHINESE: "蓝调唱片"}
_GOODS = {
    Language.ENGLISH: ("Blue (remastered, with a booklet of forty-eight pages)", "Hejira"),
    Language.PERSIAN: ("دیوان حافظ، چاپ نفیس با جعبه (Collector's Edition)", "Hejira"),
    Language.CHINESE: ("蓝色 (重制版 · 附四十八页手册)", "Hejira"),
}
_CURRENCIES = {Language.ENGLISH: "EUR", Language.PERSIAN: "IRR", Language.CHINESE: "CNY"}
_PLACED: dict[str, Any] = {
    "order_id": "A-1001",
    "placed_at": "2026-11-20T18:03:11Z",
    "customer": {"user_id": "u-77"},
    "shipping": "490.00",
    "tax": "43.70",
    "discount": "150.00",
    "total": "6083.70",
}
_HAPPENED: tuple[tuple[type[wire.OrderEventBase], dict[str, Any]], ...] = (
    (wire.PaidBody, {"type": "paid", "occurred_at": "2026-11-20T18:04:00Z"}),
    (wire.PackedBody, {"type": "packed", "occurred_at": "2026-11-20T20:30:00Z"}),
    (
        wire.ShippedBody,
        {
            "type": "shipped",
            "occurred_at": "2026-11-21T08:00:00Z",
            "shipment_id": "p1",
            "carrier": "DHL",
            "tracking_number": "00340434161094027318",
            "tracking_url": "https://tracking.example.com/00340434161094027318?language=auto&detail=full",
            "lines": [{"line_id": "1", "quantity": 1}],
        },
    ),
    (wire.DeliveredBody, {"type": "delivered", "occurred_at": "2026-11-22T10:15:00Z", "shipment_id": "p1"}),
    (
        wire.ShippedBody,
        {
            "type": "shipped",
            "occurred_at": "2026-11-22T08:00:00Z",
            "shipment_id": "p2",
            "carrier": "Iran Post",
            "estimated_on": "2026-11-26",
            "lines": [{"line_id": "2", "quantity": 1}],
        },
    ),
    (
        wire.CancelledBody,
        {"type": "cancelled", "occurred_at": "2026-11-21T12:00:00Z", "lines": [{"line_id": "2", "quantity": 1}]},
    ),
    (wire.RefundedBody, {"type": "refunded", "occurred_at": "2026-11-22T12:00:00Z", "amount": "1200.00"}),
    (
        wire.ReturnedBody,
        {"type": "returned", "occurred_at": "2026-11-23T09:00:00Z", "lines": [{"line_id": "1", "quantity": 1}]},
    ),
)


def sample(language: Language, *, happened: int = len(_HAPPENED)) -> PublicOrder:
    """Make an order with something in every place of the page, or with only the first of what happened to it."""
    first, second = _GOODS[language]
    lines = [
        {"line_id": "1", "sku": "B-1", "name": first, "quantity": 2, "unit_price": "1700.00", "discount": "100.00"},
        {"line_id": "2", "sku": "H-2", "name": second, "quantity": 2, "unit_price": "1200.00"},
    ]
    body = wire.PlaceOrderBody.model_validate(_PLACED | {"currency": _CURRENCIES[language], "lines": lines})
    command = body.to_command("de", digest="", source="")
    order = domain.Order(
        site=command.site,
        order_id=command.order_id,
        customer_id="0" * 32,
        currency=command.currency,
        placed_at=command.placed_at,
        terms=command.terms,
    )
    for shape, said in _HAPPENED[:happened]:
        event = shape.model_validate(said).to_command("de", order.order_id, digest="", source="")
        order = replace(order, facts=(*order.facts, event.draft(order.currency).fact))
    site = Site(
        site="de",
        brand=_BRANDS[language],
        languages=("en", "fa", "zh"),
        time_zone="Asia/Tehran" if language is Language.PERSIAN else "Europe/Berlin",
        currency=order.currency,
        updated_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    return PublicOrder(OrderView(order, domain.fold(order), command.lines), site, None)


def every_page() -> dict[str, str]:
    """Render what is looked at, by name."""
    pages = Pages()
    made = {f"order-{language}": pages.order(sample(language), language) for language in Language}
    made |= {f"placed-{language}": pages.order(sample(language, happened=0), language) for language in Language}
    made |= {f"not-found-{language}": pages.notice("not_found", language) for language in Language}
    return made | person_pages(PersonPages(pages))


def report_pages() -> dict[str, str]:
    """Render a night's report of CDNOW's customers and that of a run in every language; counting them takes some seconds."""
    pages, told = ReportPages(), report()
    runs, run = CampaignReportPages(), campaign_report()
    made = {f"report-{language}": pages.report(told, language) for language in Language}
    return made | {f"report-of-run-{language}": runs.report(run, language) for language in Language}


def _headers(name: str, page: str) -> Mapping[str, str]:
    """Give the headers with which public_api shows a page."""
    shown = PublicPages(Pages)
    style = "'unsafe-inline'" if _is_mail(name) else style_of(page)
    shown.page("/{token}")(lambda _: Shown(page, style))
    asked = {"rawPath": "/a", "requestContext": {"http": {"method": "GET"}, "requestId": "a11y"}}
    headers: dict[str, str] = shown(asked, None)["headers"]
    return headers


def _is_mail(name: str) -> bool:
    return name.startswith("mail-")


class _Server(BaseHTTPRequestHandler):
    """`/name?390` is a frame of that width with the page in it, `/name?axe` the page as customers get it, but for axe.

    `/a,b?390` looks at one page after the other in such frames, and says what axe has told of each.
    """

    def __init__(self, *args: Any, pages: Mapping[str, str], axe: str) -> None:
        self._pages = pages
        self._axe = axe
        super().__init__(*args)

    def do_GET(self) -> None:
        name, _, how = self.path.strip("/").partition("?")
        page = self._pages.get(name, "")
        headers = {"content-type": "text/html; charset=utf-8"}
        if how.isdecimal() and "," in name:
            page = FRAMES.format(pages=json.dumps(name.split(",")[:-1]), width=how, height=HEIGHT)
        elif how.isdecimal():
            page = FRAME.format(page=name, width=how, height=HEIGHT)
        elif page:
            headers = dict(_headers(name, page))
            policy = headers["content-security-policy"].replace("frame-ancestors 'none'", "frame-ancestors 'self'")
            headers |= {"content-security-policy": f"{policy}; script-src 'unsafe-inline'", "x-frame-options": "SAMEORIGIN"}
            rules = json.dumps(RULES if _is_mail(name) else RULES_OF_PAGES)
            page = page.replace("</head>", f"<script>{self._axe}</script><script>const rules = {rules};{RUN}</script></head>")
        self.send_response(200 if page else 404)
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(pages: Mapping[str, str], axe: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, pages=pages, axe=axe))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _browse(chromium: str, url: str, width: int, *more: str) -> str:
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        command += [f"--window-size={max(width, 500)},{HEIGHT}", "--virtual-time-budget=600000", *more, url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout


def _flaws(told: Mapping[str, Any], width: int, ground: str) -> list[str]:
    flaws = list(told["violations"])
    if told["width"] != width:
        flaws.append(f"was looked at {told['width']} px wide")
    if told["sideways"] > 0:
        flaws.append(f"scrolls sideways by {told['sideways']} px")
    if told["ground"] != ground:
        flaws.append("the policy refuses the style")
    return flaws


def _browser() -> str:
    found = subprocess.run([Path(__file__).parents[1] / "local" / "find-browser"], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        sys.exit(found.returncode)  # it has said what is missing
    return found.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="a11y", description=__doc__)
    parser.add_argument("axe", type=Path, help="axe.min.js")
    parser.add_argument("--shots", type=Path, help="a folder for screenshots")
    asked = parser.parse_args()
    chromium = _browser()
    pages = every_page() | sample_mails() | report_pages()
    failed = 0
    with served(pages, asked.axe.read_text(encoding="utf-8")) as url:
        for width, theme in product(WIDTHS, THEMES):
            names = list(pages)
            asking = THEMES[theme]
            found = RESULT.search(_browse(chromium, f"{url}/{','.join(names)},?{width}", width, *asking, "--dump-dom"))
            if found is None:
                sys.exit("a11y: axe did not answer")
            for name, told in json.loads(html.unescape(found[1])).items():
                grounds = GROUNDS_OF_MAILS if _is_mail(name) else GROUNDS
                flaws = _flaws(told, width, grounds["light" if name.startswith("report") else theme])
                failed += bool(flaws)
                print(
                    f"{name:<26} {width:>5} px  {theme:<5}  {len(told['passes'])} rules hold, unsure of {told['unsure']}",
                    *flaws,
                    sep="\n  ! ",
                )
            for name in names if asked.shots else ():
                asked.shots.mkdir(parents=True, exist_ok=True)
                shot = asked.shots / f"{name}-{width}-{theme}.png"
                _browse(chromium, f"{url}/{name}?{width}", width, *asking, f"--screenshot={shot}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
