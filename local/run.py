"""`make run`: the stack, fed with real orders, and an account of what happens. ONCE=1 ends after the demo."""

import contextlib
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from ecrm.domain.imports import Kind
from local import nightly
from local.api import Api
from local.demo import campaign
from local.demo.cdnow import LAST_DAY, Sums, purchases
from local.demo.load import Loaded, load, sum_statistics
from local.demo.mails import MAILS, TEMPLATE, THANKS, Reader, readers
from local.demo.story import tell
from local.demo.subscribers import let_sign_up, page_of, post, sign_up
from local.demo.visitor import Tellers, visit
from local.down import drain
from local.mail import mails, number_of, report, wait_for_mails
from local.ses import Mail
from local.stack import ROOT, Stack, give_up
from local.tick import follow, go_on
from local.up import SITE, put_site, step, up, wait_until
from tools import imports

HTTP_OK, HTTP_ACCEPTED = 200, 202
CONTACTS = ROOT / "local" / "demo" / "contacts.csv"
FEW = 12
"""Requests a second up to which each one gets a line of its own."""
DECISIONS = 3
"""Times that a pilot is asked for its decision: it is put off once, for those who got their mail after the run had begun."""


def main() -> None:
    """Run the demo on the stack of PORT."""
    stack = Stack.of_environment()
    heading("The stack")
    facts = up(stack, fresh=os.environ.get("FRESH") == "1")

    def api() -> Api:
        return Api(facts["api_url"], facts["server_key"])

    segments = adopt_segments(facts)
    loaded = place_orders(api)
    order = walk_one_order(api)
    check_statistics(stack, api, loaded)
    follow_a_visitor(stack, facts)
    send_mails(stack, facts)
    sign_up_readers(stack, facts)
    import_contacts(stack, facts)
    night = count_segments(stack, facts, segments, order["customer_id"])
    run_id = win_back(stack, facts, loaded)
    say_where_to_look(facts, order, run_id)
    say_what_the_customer_sees(api, facts["api_url"], order["order_id"])
    say_what_the_company_reads(facts, night)
    say_what_came_of_it(facts, run_id)
    if os.environ.get("ONCE") != "1":
        with contextlib.suppress(KeyboardInterrupt):
            watch(stack)
        print(f"\nThe stack stays up on port {stack.port}: `make down` stops it and keeps what it holds.")


def adopt_segments(facts: dict[str, Any]) -> dict[str, str]:
    """Make the ready-made segments the company's own, those that are not yet; give what each one says.

    Before there are customers: their rows then have what the segments ask for, and the night need not read all facts.
    """
    with Api(facts["api_url"], facts["staff_key"]) as marketing:
        segments = marketing.get("/v1/segments")["data"]
        for segment in [each["segment"] for each in segments if each["ready_made"]]:
            marketing.put(f"/v1/segments/{segment}", marketing.get(f"/v1/segments/{segment}"), 201)
    return {each["segment"]: each["description"] for each in segments}


def place_orders(api: Callable[[], Api]) -> Loaded:
    """Load the CDNOW sample, as if its last day had been yesterday; a second time finds all of it there."""
    sample = purchases(later(api))
    heading(f"{Sums.of(sample)}: a music shop's first customers, eighteen months of them (local/demo/README.md)")
    started = time.monotonic()
    loaded = load(api, sample, Progress(len(sample), "orders"))
    seconds = time.monotonic() - started
    print(f"{loaded.created:,} new, {loaded.replayed:,} there already: {loaded.orders / seconds:.0f} orders a second")
    return loaded


def later(api: Callable[[], Api]) -> timedelta:
    """Say how much later than in the file the sample happened on this stack; the day on which it was loaded decides."""
    first = purchases()[0]
    with api() as connection:
        there = connection.call("GET", f"/v1/orders/cdnow-{first.number}")
    if there.status == HTTP_OK:
        return date.fromisoformat(there.body["placed_at"][:10]) - date.fromisoformat(first.date)
    return datetime.now(UTC).date() - timedelta(days=1) - LAST_DAY


def walk_one_order(api: Callable[[], Api]) -> dict[str, Any]:
    """Place one order today and move it to its end, step by step."""
    heading("One order, from its placing to a partial refund")
    order: dict[str, Any] = {}
    with api() as connection:
        for told, order in tell(connection):
            print(
                f"{told:<26}{order['order_id']}  {order['status']:<20}version {order['version']}"
                f"  {order['net_revenue']:>6} of {order['total']} {order['currency']} kept"
            )
    return order


def check_statistics(stack: Stack, api: Callable[[], Api], loaded: Loaded) -> None:
    """Compare what the stream made of the orders with sums made from the file."""
    heading("Statistics of every customer, made from the table's stream, against sums made from the file")
    with step("Waited for the stream"):
        left = drain(stack)
    if left:
        give_up(f"the stream does not get on: {left}")
    counted = sum_statistics(api, loaded.customer_ids, Progress(len(loaded.customer_ids), "customers"))
    expected = Sums.of(purchases())
    print(f"the file        {expected}\nthe statistics  {counted}")
    if counted != expected:
        give_up("they differ")
    print("They are equal.")


def follow_a_visitor(stack: Stack, facts: dict[str, Any]) -> None:
    """Let somebody look around, log in, buy and telephone; show that it is one customer with one timeline."""
    heading("A visitor becomes a customer: behaviour, order and a telephone call on one timeline")
    with (
        Api(facts["api_url"], facts["write_key"]) as browser,
        Api(facts["api_url"], facts["server_key"]) as shop,
        Api(facts["api_url"], facts["staff_key"]) as call_centre,
    ):
        *steps, (_, customer_id) = visit(Tellers(browser, shop, call_centre))
        for who, what in steps:
            print(f"{who:<12}{what}")
        if left := drain(stack):
            give_up(f"the stream does not get on: {left}")
        customer = call_centre.get(f"/v1/customers/{customer_id}")
        print(f"one customer  {customer_id}, known by {', '.join(i['kind'] for i in customer['identifiers'])}")
        for event in reversed(call_centre.get(f"/v1/customers/{customer_id}/timeline?limit=100")["data"]):
            print(f"  {event['occurred_at'][11:19]}  {event['type']}")
        counted = call_centre.get(f"/v1/customers/{customer_id}/stats")
        print(f"statistics    {counted['orders']} order, {sum(counted['visits'].values())} visit, {', '.join(counted['events'])}")


def send_mails(stack: Stack, facts: dict[str, Any]) -> None:
    """Let two customers read of their orders in their languages; then a mail to one of them bounces."""
    heading(f"Mails, to be looked at in the mailbox: {facts['mailbox_url']}")
    templates = ",".join(f"{event}={template}" for event, template in MAILS.items())
    put_site(stack, SITE, "--mails", templates, "--url", campaign.SHOP)
    with Api(facts["api_url"], facts["staff_key"]) as marketing:
        let_sign_up(marketing, SITE, MAILS)  # before the first mail: senders keep a site for a minute, with its quiet hours
        marketing.put(f"/v1/templates/{THANKS}", TEMPLATE, 200, 201)
    with Api(facts["api_url"], facts["server_key"]) as shop:
        theirs = list(readers(shop))
        if left := drain(stack):
            give_up(f"the mails do not get on: {left}")
        theirs_by_now = wait_for_mails(stack, *(reader.email for reader in theirs))
        for mail in theirs_by_now:
            print(f"{facts['mailbox_url']}/{number_of(stack, mail)}  {mail['To'][0]:<30}  {mail['Subject']}")
        bounced, delivered = theirs[-1], theirs[0]
        first = {reader: next(mail for mail in theirs_by_now if mail["To"] == [reader.email]) for reader in theirs}
        report(stack, number_of(stack, first[delivered]), "deliver")
        report(stack, number_of(stack, first[bounced]), "bounce")
        if left := drain(stack):
            give_up(f"what SES reports does not get on: {left}")
        heading(f"The mail to {bounced.email} bounces for good, the one to {delivered.email} arrives")
        for reader in theirs:
            tell_of_a_reader(shop, reader, first[reader])
    with Api(facts["api_url"], facts["staff_key"]) as call_centre:
        print(f"the timeline of {bounced.email}:")
        for event in reversed(call_centre.get(f"/v1/customers/{bounced.customer_id}/timeline?limit=100")["data"]):
            print(f"  {event['occurred_at'][11:19]}  {event['type']}")


def sign_up_readers(stack: Stack, facts: dict[str, Any]) -> None:
    """Let two readers sign up at a form, confirm it, and get the welcome; show the pages that its links lead to."""
    heading("Two readers sign up at the shop's form, and confirm it by the link in their mail")
    for reader in list(sign_up(facts["api_url"], facts["write_key"])):
        (asked,) = wait_for_mails(stack, reader.email)
        print(f"{nightly.LANGUAGES[reader.language]}\n  the form's page  {reader.saw}")
        say_where_it_is(stack, facts, asked)
        print(f"  its link's page  {post(page_of(asked, 'confirm', facts['endpoint_url']), {'do': 'confirm'})}")
        if left := drain(stack):
            give_up(f"the welcome does not get on: {left}")
        _, welcome = wait_for_mails(stack, reader.email)
        say_where_it_is(stack, facts, welcome)
        for name, purpose in (("their choices", "preferences"), ("unsubscribing", "u"), ("in the browser", "view")):
            print(f"  {name:<15}  {page_of(welcome, purpose, facts['endpoint_url'])}")


def say_where_it_is(stack: Stack, facts: dict[str, Any], mail: Mail) -> None:
    """Print a mail's page, for whom it is, and its subject."""
    print(f"  the mailbox      {facts['mailbox_url']}/{number_of(stack, mail)}  {mail['To'][0]}  {mail['Subject']}")


def import_contacts(stack: Stack, facts: dict[str, Any]) -> None:
    """Hand in a contact file with names in several scripts and two bad rows; correct those, and hand them in again."""
    heading(f"A contact file, as marketing would drop it: {CONTACTS.relative_to(ROOT)}")
    with Api(facts["api_url"], facts["staff_key"]) as marketing, TemporaryDirectory() as folder:
        file = Path(folder, CONTACTS.name)
        file.write_bytes(CONTACTS.read_bytes())
        found = imports.run(marketing, file, Kind.CONTACTS)
        if found["rejects"]:
            heading("The rejected rows, corrected and handed in")
            rejected = file.with_name(f"{file.name}.rejects.csv")
            rejected.write_text(corrected(rejected.read_text(encoding="utf-8-sig")), encoding="utf-8")
            imports.run(marketing, rejected, Kind.CONTACTS)
        if left := drain(stack):
            give_up(f"what follows from the files does not get on: {left}")
        (customer,) = marketing.post("/v1/customers/lookup", {"email": "shirin.rad@example.com"}, 200)["data"]
        traits = marketing.get(f"/v1/customers/{customer['customer_id']}")["traits"]
        print(f"one of them   {customer['customer_id']}, {', '.join(f'{name}: {value}' for name, value in traits.items())}")


def count_segments(stack: Stack, facts: dict[str, Any], segments: Mapping[str, str], customer_id: str) -> str:
    """Run a night, and ask why a customer is in which segment; return the night."""
    heading("The night: who is in which segment, and why")
    with Api(facts["api_url"], facts["staff_key"]) as marketing:
        for segment, description in segments.items():
            print(f"{segment:<22}{description}")
        planned = nightly.nightly(stack, datetime.now(UTC))
        nightly.show(marketing.get(f"/v1/nights/{planned['night']}"))
        heading(f"Why the customer {customer_id}, who has just ordered, is in which segment now")
        found = marketing.get(f"/v1/customers/{customer_id}/segments")
        for each in found["segments"]:
            print(f"{'in' if each['member'] else '':<4}{each['segment']:<22}{'; '.join(map(why, each['why']))}")
    return str(planned["night"])


def why(reason: dict[str, Any]) -> str:
    """Say what a condition asked for and what it saw."""
    ((kind, said),) = reason["condition"].items()
    about = " ".join(str(said[name]) for name in ("field", "path", "name", "op", "value") if name in said)
    return f"{kind} {about}: saw {reason['seen']}"


def corrected(rejected: str) -> str:
    """Do what somebody would do who reads the reasons."""
    return rejected.replace("not an address", "nobody@example.com").replace(",12,", ",+44 113 496 0000,")


def tell_of_a_reader(shop: Api, reader: Reader, mail: Mail) -> None:
    """Say what became of a mail, of its address, and of the next message to it."""
    tags = {tag["Name"]: tag["Value"] for tag in mail["EmailTags"]}
    message = shop.get(f"/v1/messages/{tags['run']}")
    address = {"channel": "email", "address": reader.email}
    suppression = shop.post("/v1/suppressions/lookup", address, 200)
    asked = {"template": THANKS, "customer": {"customer_id": reader.customer_id}, "data": {"order": reader.order_id}}
    answer = shop.call("POST", "/v1/messages", asked)
    said = "taken" if answer.status == HTTP_ACCEPTED else f"refused: {answer.body['code']}"
    grounds = ", ".join(ground["reason"] for ground in suppression["grounds"]) or "none"
    print(f"{reader.email:<32}{message['status']:<11}grounds against the address: {grounds:<13}the next message is {said}")


def win_back(stack: Stack, facts: dict[str, Any], loaded: Loaded) -> str:
    """Send a campaign to those at risk: to a control group nothing, to a pilot two mails, to the others the better one."""
    heading(f"A campaign to those at risk: two mails are tried on some, {campaign.CONTROL_PERCENT} of 100 get none")
    with Api(facts["api_url"], facts["staff_key"]) as marketing, TemporaryDirectory() as folder:
        campaign.let_offer(marketing)
        file = Path(folder, "addresses.ndjson")
        silent = campaign.at_risk(marketing, loaded.customer_ids)
        file.write_text("\n".join(map(json.dumps, campaign.contacts(silent, loaded.customer_ids))))
        imports.run(marketing, file, Kind.CONTACTS, site=SITE)
        if left := drain(stack):
            give_up(f"what follows from the file does not get on: {left}")
        name = campaign.name()
        marketing.put(f"/v1/campaigns/{name}", campaign.definition(), 201)
        for line in campaign.forecast(marketing.post(f"/v1/campaigns/{name}/simulate", {}, 200)):
            print(line)
        marketing.post(f"/v1/campaigns/{name}/launch", {}, 200)
        with step("Planned it, and sent the pilot"):
            for _ in range(2):
                go_on(stack)
        (run,) = marketing.get(f"/v1/campaigns/{name}/runs")["data"]
        pilot = campaign.mails_of(run["run_id"], mails(stack))
        for number, mail in campaign.one_of_each(pilot).items():
            print(f"{facts['mailbox_url']}/{number}  {campaign.treatment_of(mail):<6}  {mail['Subject']}")
        with step(f"SES told of {len(pilot)} mails what became of them, and the pilot was decided"):
            campaign.play(stack, pilot)
            follow(stack)
            run = decided(stack, marketing, f"/v1/campaigns/{name}/runs/{run['run_id']}")
        for line in campaign.verdict(run):
            print(line)
        with step("Sent the others, and SES told of them, too"):
            go_on(stack)
            sent = campaign.mails_of(run["run_id"], mails(stack))
            campaign.play(stack, {number: mail for number, mail in sent.items() if number not in pilot})
            follow(stack)
        with step("Closed the books"):
            go_on(stack)
        for line in campaign.account_of(marketing.get(f"/v1/campaigns/{name}/report")):
            print(line)
    return f"{name}/runs/{run['run_id']}"


def decided(stack: Stack, marketing: Api, run: str) -> dict[str, Any]:
    """Give a run as it is when its pilot is decided; that is put off when it is due, for those who got their mail late."""
    found: dict[str, Any] = marketing.get(run)
    for _ in range(DECISIONS):
        if found["verdicts"]:
            break
        wait_until(partial(is_past, found["decide_at"]), "time stands still")
        go_on(stack)
        found = marketing.get(run)
    return found


def is_past(instant: str) -> bool:
    return datetime.now(UTC) >= datetime.fromisoformat(instant)


def say_what_came_of_it(facts: dict[str, Any], run: str) -> None:
    """Print the report of the campaign in every language."""
    heading("What everybody in the company reads: the report of the campaign")
    with Api(facts["api_url"], facts["staff_key"]) as staff:
        for language, said in nightly.LANGUAGES.items():
            made = staff.post(f"/v1/campaigns/{run}/report-links", {"language": language}, 200)
            print(f"{said:<9}{facts['api_url']}{urlsplit(made['url']).path}")


def say_where_to_look(facts: dict[str, Any], order: dict[str, Any], run: str) -> None:
    """Print commands that can be pasted."""
    heading("Where to look")
    for key, path in (
        ("server_key", f"orders/{order['order_id']}"),
        ("server_key", f"orders?from={order['placed_at'][:10]}&to={order['placed_at'][:10]}"),
        ("server_key", f"customers/{order['customer_id']}/stats"),
        ("server_key", f"customers/{order['customer_id']}/timeline"),
        ("staff_key", "campaigns"),
        ("staff_key", f"campaigns/{run}/report"),
    ):
        print(f"curl -H 'Authorization: Bearer {facts[key]}' '{facts['api_url']}/v1/{path}'")
    print(f"the API's description  {facts['api_url']}/v1/docs")


def say_what_the_customer_sees(api: Callable[[], Api], api_url: str, order_id: str) -> None:
    """Print the order's status page in every language, to be opened in a browser."""
    heading("What the customer sees")
    with api() as connection:
        for language, page in status_pages(connection, api_url, order_id).items():
            print(f"{nightly.LANGUAGES[language]:<9}{page}")


def say_what_the_company_reads(facts: dict[str, Any], night: str) -> None:
    """Print the night's report in every language."""
    heading("What everybody in the company reads: the report of the night")
    with Api(facts["api_url"], facts["staff_key"]) as staff:
        nightly.show_report(staff, facts["api_url"], night)


def status_pages(api: Api, api_url: str, order_id: str) -> dict[str, str]:
    """Make an order's links, by language, at the address of stack.json: not every browser finds a host below `localhost`."""
    made = {
        language: api.post(f"/v1/orders/{order_id}/links", {"language": language}, 200)["url"] for language in nightly.LANGUAGES
    }
    return {language: api_url + urlsplit(url).path for language, url in made.items()}


def watch(stack: Stack) -> None:
    """Tell what happens, once a second, as long as something does."""
    heading("What happens now (Ctrl-C stops watching)")
    status = stack.status(after=0)
    seen, before = (status["requests"][-1]["number"] if status and status["requests"] else 0), ""
    while (status := stack.status(after=seen)) is not None:
        for line in account_of(status["requests"]):
            print(line, flush=True)
        behind = ", ".join(f"{records} records wait for {name}" for name, records in status["backlog"].items() if records)
        if behind != before:
            print(f"{clock(time.time())}  {behind or 'no record waits: the statistics are up to date'}", flush=True)
        seen = status["requests"][-1]["number"] if status["requests"] else seen
        before = behind
        time.sleep(1)
    print("The stack has stopped.")


def account_of(requests: list[dict[str, Any]]) -> list[str]:
    """Write few requests one by one and many as their sum."""
    if len(requests) > FEW:
        statuses = ", ".join(f"{times} × {status}" for status, times in Counter(r["status"] for r in requests).items())
        middle = statistics.median(request["ms"] for request in requests)
        return [f"{clock(requests[-1]['at'])}  {len(requests)} requests: {statuses}; half of them within {middle:.0f} ms"]
    return [f"{clock(r['at'])}  {r['status']}  {r['method']:<6} {r['path']}  {r['ms']} ms" for r in requests]


def clock(instant: float) -> str:
    """Write a time as the reader's watch shows it."""
    return time.strftime("%H:%M:%S", time.localtime(instant))


def heading(text: str) -> None:
    """Begin a part of the account."""
    print(f"\n── {text}", flush=True)


class Progress:
    """Says how far something is, a dozen times in all."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._said = total, what, 0

    def __call__(self, done: int) -> None:
        """Say it if it is worth a line."""
        part = done * 12 // self._total
        if part > self._said:
            self._said = part
            print(f"{done:>7,} of {self._total:,} {self._what}", flush=True)


if __name__ == "__main__":
    main()
