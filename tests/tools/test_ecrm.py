"""The engineer's command: keys, sites, sending, and the repairs of statistics and outbox."""

import argparse
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest

from consent_api.handler import handler as consents
from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.statistics import Happened, touched
from ecrm.domain.api_keys import KeyKind
from ecrm.entry.stream import failure
from messages_api.handler import handler as mails
from orders_api.handler import handler as orders
from project_events.handler import handler as project
from public_api.handler import handler as public
from sites_api.handler import handler as sites
from tests.builders import NOON, a_consent, a_proof, a_record, a_request, a_site, a_topic, an_event, an_order
from tests.cloud import Cloud
from tests.faults import Deliver, Sent, on, refused_with, tapped
from tools import ecrm

type Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def run(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command; gives its exit code, what it printed, and what it complained about."""
    del cloud

    def command(*words: str) -> tuple[int, list[str], list[str]]:
        monkeypatch.setattr("sys.argv", ["ecrm", *words])
        capsys.readouterr()
        code, complaint = 0, ""
        try:
            ecrm.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            complaint = end.code if isinstance(end.code, str) else ""
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), (printed.err + complaint).splitlines()

    return command


def status(cloud: Cloud, secret: str, site: str = "de") -> tuple[int, str]:
    """What reading an order that does not exist is answered with that key."""
    answer = cloud.call(orders, "GET", "/v1/orders/none", query=f"site={site}", key=secret)
    return answer.status, answer.json["code"]


UNKNOWN, KNOWN = (401, "unauthenticated"), (404, "order_not_found")


def forget_keys() -> None:
    """Let a minute pass for the functions' memory of keys."""
    orders._seen_keys.clear()


def test_a_secret_is_shown_once_and_only_its_hash_is_kept(cloud: Cloud, run: Run) -> None:
    code, (secret, words), complaints = run("keys", "create", "--kind", "server", "--site", "de", "--name", "the shop")
    assert (0, [], KNOWN) == (code, complaints, status(cloud, secret))
    assert secret.startswith("ecrm_server_")
    key_id = words.split()[1].rstrip(":")
    _, listed, _ = run("keys", "list")
    assert [f"{key_id}\tserver\tde\t-\tvalid\tthe shop"] == listed
    everything = json.dumps(cloud.items())
    assert [False, False, True] == [
        part in everything for part in (secret, secret.rpartition("_")[2], hashlib.sha256(secret.encode()).hexdigest())
    ]


def test_a_secret_for_programs_is_json(cloud: Cloud, run: Run) -> None:
    _, (line,), _ = run("keys", "create", "--kind", "server", "--site", "de", "--json")
    made = json.loads(line)
    assert ({"key_id", "secret"}, KNOWN) == (set(made), status(cloud, made["secret"]))


def test_secrets_differ(run: Run) -> None:
    made = [json.loads(run("keys", "create", "--kind", "staff", "--site", "de", "--json")[1][0]) for _ in range(20)]
    assert (20, 20) == (len({key["secret"] for key in made}), len({key["key_id"] for key in made}))
    assert {len("ecrm_staff_") + 40} == {len(key["secret"]) for key in made}


def test_a_revoked_key_is_refused_as_one_that_never_was(cloud: Cloud, run: Run) -> None:
    first, second = (json.loads(run("keys", "create", "--kind", "server", "--site", "de", "--json")[1][0]) for _ in range(2))
    assert [KNOWN, KNOWN] == [status(cloud, key["secret"]) for key in (first, second)]
    code, (words,), _ = run("keys", "revoke", first["key_id"])
    assert (0, f"key {first['key_id']} is revoked; functions that know it forget it within 60 seconds") == (code, words)
    forget_keys()
    assert [UNKNOWN, KNOWN] == [status(cloud, key["secret"]) for key in (first, second)]
    revoked = cloud.call(orders, "GET", "/v1/orders/none", key=first["secret"])
    never = cloud.call(orders, "GET", "/v1/orders/none", key="ecrm_server_" + "0" * 40)
    assert (never.status, never.headers, never.text) == (revoked.status, revoked.headers, revoked.text)


def test_a_key_that_is_revoked_twice_keeps_its_first_end(run: Run) -> None:
    key_id = json.loads(run("keys", "create", "--kind", "server", "--site", "de", "--json")[1][0])["key_id"]
    run("keys", "revoke", key_id)
    (ended,) = bootstrap.api_keys().all()
    assert 0 == run("keys", "revoke", key_id)[0]
    assert (ended,) == bootstrap.api_keys().all()


def test_a_key_ends_with_the_last_second_of_its_last_day(cloud: Cloud, run: Run) -> None:
    today = datetime.now(UTC).date()
    days = {(today + timedelta(days=at)).isoformat(): at for at in (-1, 0, 1)}
    made = {
        at: json.loads(run("keys", "create", "--kind", "server", "--site", "de", "--expires-on", day, "--json")[1][0])
        for day, at in days.items()
    }
    assert [UNKNOWN, KNOWN, KNOWN] == [status(cloud, made[at]["secret"]) for at in (-1, 0, 1)]
    states = [line.split("\t")[4] for line in run("keys", "list")[1]]
    assert [
        f"{state} {day}T23:59:59.999999Z" for state, day in zip(("expired", "valid until", "valid until"), days, strict=True)
    ] == states


def test_a_key_reaches_the_sites_and_scopes_that_it_was_given(cloud: Cloud, run: Run) -> None:
    words = ("--brand", "Note", "--languages", "fr", "--time-zone", "Europe/Paris", "--currency", "EUR")
    assert 0 == run("sites", "put", "fr", *words)[0]
    one, two, every, low = (
        json.loads(run("keys", "create", "--kind", "server", "--site", "de", *more, "--json")[1][0])["secret"]
        for more in ([], ["--sites", "de,fr"], ["--sites", "*"], ["--scopes", "sites:read"])
    )
    assert [(403, "site_forbidden"), KNOWN, KNOWN] == [status(cloud, secret, "fr") for secret in (one, two, every)]
    assert (403, "scope_missing") == status(cloud, low)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("keys create --kind server --site at", "there is no site at"),
        ("keys create --kind server --site de --sites de,at", "there is no site at"),
        ("keys create --kind write --site de --scopes orders:read", "a write key cannot have orders:read"),
        ("keys create --kind server --site de --scopes sites:write", "a server key cannot have sites:write"),
        ("keys revoke 0123456789ab", "there is no key 0123456789ab"),
        ("sites put FR --brand b --languages fr --time-zone Europe/Paris --currency EUR", "a site is named by"),
        ("sites put fr --brand b --languages fr --time-zone Mars/Base --currency EUR", "/time_zone: "),
        ("sites put fr --brand b --languages french --time-zone Europe/Paris --currency EUR", "/languages/0: "),
        ("sites put fr --brand b --languages fr --time-zone Europe/Paris --currency EURO", "/currency: "),
        ("sites put fr --languages fr --time-zone Europe/Paris --currency EUR", "/brand: "),
        ("sites put de --quiet-hours 9-17:00", "/quiet_hours/start: "),
        ("sites put de --quiet-hours 09:00-09:00", "quiet hours end at another time"),
        ("sites put de --frequency-cap 4/8", "/frequency_cap/days: "),
    ],
)
def test_what_cannot_be_is_refused_with_a_word_and_leaves_nothing(cloud: Cloud, run: Run, words: str, complaint: str) -> None:
    left = cloud.items()
    code, printed, complaints = run(*words.split())
    assert (1, [], 1, left) == (code, printed, len(complaints), cloud.items())
    assert complaints[0].startswith(complaint)


@pytest.mark.parametrize(
    "words",
    ["keys", "keys create --kind server", "keys create --kind owner --site de", "stats", "", "sites put de --frequency-cap 4"],
)
def test_a_command_that_is_not_whole_says_how_it_is_used(cloud: Cloud, run: Run, words: str) -> None:
    left = cloud.items()
    code, _, complaints = run(*words.split())
    assert (2, "usage: ecrm", left) == (code, complaints[0][:11], cloud.items())


MAILS = {"order.placed": "order-confirmed", "order.shipped": "order-shipped"}


def test_sending_is_armed_paused_and_resumed(run: Run) -> None:
    unarmed = ["this table is not armed", "transactional mail is sent", "marketing mail is sent"]
    assert (0, unarmed, []) == run("sending", "status")
    assert (0, ["this table is armed"], []) == run("sending", "arm")
    assert 0 == run("sending", "pause", "marketing", "--reason", "wrong prices")[0]
    _, (armed, transactional, marketing), _ = run("sending", "status")
    assert ("this table is armed", "transactional mail is sent") == (armed, transactional)
    assert marketing.startswith("marketing mail is paused since 20")
    assert marketing.endswith("by tools.ecrm: wrong prices")
    assert 0 == run("sending", "resume", "marketing")[0]
    assert ["this table is armed", *unarmed[1:]] == run("sending", "status")[1]


def test_nobody_pauses_mail_without_a_reason(run: Run) -> None:
    assert 2 == run("sending", "pause", "marketing")[0]


def test_a_site_put_is_the_site_that_the_api_reads(cloud: Cloud, run: Run) -> None:
    words = ["--brand", "Blue Note", "--languages", "de,en", "--time-zone", "Europe/Berlin", "--currency", "EUR"]
    more = ["--sender", "shop@example.com", "--reply-to", "help@example.com", "--postal-address", "1 Street\nTown"]
    mails = ",".join(f"{event}={name}" for event, name in MAILS.items())
    look = ["--url", "https://example.com", "--logo-url", "https://example.com/l.png", "--accent", "#0a5a8a"]
    look += ["--test-recipients", "mira@example.com,jo@example.com"]
    _, (line,), _ = run("sites", "put", "at", *words, *more, *look, "--mails", mails)
    read = cloud.call(sites, "GET", "/v1/sites/at").json
    contacts = {"sender": "shop@example.com", "reply_to": "help@example.com", "postal_address": "1 Street\nTown"}
    plain: dict[str, Any] = {"url": None, "logo_url": None, "accent": None, "test_recipients": []}
    looks: dict[str, Any] = {"url": "https://example.com", "logo_url": "https://example.com/l.png", "accent": "#0a5a8a"}
    looks["test_recipients"] = ["mira@example.com", "jo@example.com"]
    unsaid = {
        "quiet_hours": {"start": "21:00", "end": "08:00"},
        "frequency_cap": {"most": 4, "days": 7},
    }
    said = a_site(**contacts, **looks, **unsaid)
    expected = said | {"mails": MAILS, "site": "at", "version": 1, "updated_at": read["updated_at"]}
    assert (expected, expected) == (read, json.loads(line))
    _, (line,), _ = run("sites", "put", "at", *words)
    assert expected | {"version": 2, "updated_at": json.loads(line)["updated_at"]} == json.loads(line)
    emptied = [
        word for name in ("sender", "reply-to", "postal-address", "url", "logo-url", "accent") for word in (f"--{name}", "")
    ]
    _, (line,), _ = run("sites", "put", "at", *emptied, "--test-recipients", "", "--mails", "")
    bare = {"mails": {}, "version": 3, "updated_at": json.loads(line)["updated_at"]}
    assert expected | dict.fromkeys(contacts) | plain | bare == json.loads(line)


def test_what_is_not_named_of_a_site_stays_as_the_api_has_it(cloud: Cloud, run: Run) -> None:
    whole = a_site(
        sender="shop@example.com",
        reply_to="help@example.com",
        postal_address="Ringstraße 1",
        url="https://example.com",
        logo_url="https://example.com/l.png",
        accent="#0a5a8a",
        test_recipients=["mira@example.com"],
        quiet_hours={"start": "20:00", "end": "09:30"},
        frequency_cap={"most": 2, "days": 5},
        mails=MAILS,
    )
    made = cloud.call(sites, "PUT", "/v1/sites/at", whole, key=cloud.key(KeyKind.STAFF)).json
    expected = {"site": "at"} | whole | {"version": 1, "updated_at": made["updated_at"]}
    changes: list[tuple[list[str], dict[str, Any]]] = [
        (["--accent", "#aa0000"], {"accent": "#aa0000"}),
        (["--quiet-hours", "22:00-07:00"], {"quiet_hours": {"start": "22:00", "end": "07:00"}}),
        (["--frequency-cap", "3/7"], {"frequency_cap": {"most": 3, "days": 7}}),
        (["--quiet-hours", "", "--frequency-cap", ""], {"quiet_hours": None, "frequency_cap": None}),
        (["--brand", "Green Note"], {"brand": "Green Note"}),
    ]
    for version, (words, change) in enumerate(changes, start=2):
        _, (line,), _ = run("sites", "put", "at", *words)
        expected |= change | {"version": version, "updated_at": json.loads(line)["updated_at"]}
        assert (expected, expected) == (json.loads(line), cloud.call(sites, "GET", "/v1/sites/at").json)


def test_a_site_that_somebody_changes_meanwhile_is_left_as_they_made_it(cloud: Cloud, run: Run) -> None:
    """They write between our read and our write."""
    theirs: list[dict[str, Any]] = []

    def meanwhile(_sent: Sent, deliver: Deliver) -> Any:
        if not theirs:
            theirs.append({})
            theirs[0] = cloud.call(sites, "PUT", "/v1/sites/de", a_site(brand="Theirs"), key=cloud.key(KeyKind.STAFF)).json
        return deliver()

    with tapped(on("PutItem", meanwhile)):
        assert (1, [], ["it is not at the version named; read it again"]) == run("sites", "put", "de", "--brand", "Ours")
    assert ("Theirs", theirs[0]) == (theirs[0]["brand"], cloud.call(sites, "GET", "/v1/sites/de").json)


@pytest.fixture
def shop(cloud: Cloud) -> list[str]:
    """Three customers with an order each, counted; gives their ids."""
    found = []
    for at in range(3):
        answer = cloud.call(orders, "POST", "/v1/orders", an_order(order_id=f"A-{at}", customer={"user_id": f"u-{at}"}))
        assert 201 == answer.status
        found.append(answer.json["customer_id"])
    assert 201 == cloud.call(orders, "POST", "/v1/orders/A-1/events", an_event("refunded", amount="7.00")).status
    cloud.project()
    return found


def change(cloud: Cloud, item: dict[str, Any], **attributes: Any) -> None:
    cloud.dynamodb.put_item(TableName="table", Item=item | attributes)


def row_of(cloud: Cloud, customer_id: str) -> dict[str, Any]:
    (row,) = (item for item in cloud.items(customer_id) if item["type"]["S"] == "statistics")
    return row


def order_of(cloud: Cloud, customer_id: str) -> dict[str, Any]:
    (order,) = (item for item in cloud.items("ORDER#") if item["PK"]["S"].endswith(customer_id))
    return order


def statistics(cloud: Cloud) -> list[dict[str, Any]]:
    return [item for item in cloud.items() if item["type"]["S"] == "statistics"]


def test_a_rebuild_of_what_is_right_finds_no_difference(cloud: Cloud, shop: list[str], run: Run) -> None:
    left = cloud.items()
    assert 3 == len(statistics(cloud)) == len(shop)
    for words in (["stats", "rebuild", "--dry-run"], ["stats", "rebuild"]):
        assert (0, ["0 rows differ"], []) == run(*words)
    assert left == cloud.items()


def test_a_rebuild_finds_what_was_tampered_with_or_lost_and_puts_it_right_once(cloud: Cloud, shop: list[str], run: Run) -> None:
    right = {row["SK"]["S"]: row | {"version": {}} for row in statistics(cloud)}
    change(cloud, row_of(cloud, shop[0]), orders={"N": "2"})
    lost = row_of(cloud, shop[1])
    cloud.dynamodb.delete_item(TableName="table", Key={"PK": lost["PK"], "SK": lost["SK"]})
    left = cloud.items()

    code, printed, _ = run("stats", "rebuild", "--dry-run")
    assert (1, sorted(f"{customer_id} differs" for customer_id in shop[:2])) == (code, sorted(printed[:-1]))
    assert ("2 rows differ", left) == (printed[-1], cloud.items())

    code, printed, _ = run("stats", "rebuild")
    assert (0, sorted(f"{customer_id} is put right" for customer_id in shop[:2])) == (code, sorted(printed[:-1]))
    assert right == {row["SK"]["S"]: row | {"version": {}} for row in statistics(cloud)}
    assert (0, ["0 rows differ"], []) == run("stats", "rebuild", "--dry-run")
    assert (0, ["0 rows differ"], []) == run("stats", "rebuild")


def of_version_1(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it was written before purchases were counted."""
    amounts = {currency: {"L": numbers["L"][:6]} for currency, numbers in row["currencies"]["M"].items()}
    old = {name: value for name, value in row.items() if name != "purchases"}
    return old | {"v": {"N": "1"}, "currencies": {"M": amounts}}


def test_a_row_without_purchases_is_read_and_has_them_after_the_next_event_or_a_rebuild(
    cloud: Cloud, shop: list[str], run: Run
) -> None:
    right = {row["SK"]["S"]: row | {"version": {}} for row in statistics(cloud)}
    for customer_id in shop:
        cloud.dynamodb.put_item(TableName="table", Item=of_version_1(row_of(cloud, customer_id)))
    found = cloud.call(customers, "GET", f"/v1/customers/{shop[0]}/stats").json
    assert (1, 0, None, 0) == (
        found["orders"],
        found["purchase_days"],
        found["first_purchase_on"],
        found["currencies"]["EUR"]["purchase_days"],
    )

    bootstrap.recount(shop[0], touched([Happened("cart.viewed", NOON)]))
    assert right[shop[0]] == row_of(cloud, shop[0]) | {"version": {}}
    assert (1, "2 rows differ") == (run("stats", "rebuild", "--dry-run")[0], run("stats", "rebuild")[1][-1])
    assert right == {row["SK"]["S"]: row | {"version": {}} for row in statistics(cloud)}


def test_a_rebuild_counts_a_person_once_under_however_many_ids(cloud: Cloud, shop: list[str], run: Run) -> None:
    absorbed = cloud.call(orders, "POST", "/v1/orders", an_order(order_id="B-1", customer={"email": "b@example.com"}))
    part = {"customer_id": absorbed.json["customer_id"]}
    assert 201 == cloud.call(customers, "POST", f"/v1/customers/{shop[0]}/merge", part).status
    cloud.project()
    change(cloud, row_of(cloud, shop[0]), orders={"N": "7"})
    assert (1, [f"{shop[0]} differs", "1 rows differ"], []) == run("stats", "rebuild", "--dry-run")
    assert (0, [f"{shop[0]} is put right", "1 rows differ"], []) == run("stats", "rebuild")


def test_a_rebuild_goes_on_past_a_customer_who_cannot_be_counted(cloud: Cloud, shop: list[str], run: Run) -> None:
    order = order_of(cloud, shop[1])
    change(cloud, order, terms={"S": "poison"})
    for customer_id in (shop[0], shop[2]):
        change(cloud, row_of(cloud, customer_id), orders={"N": "2"})
    code, printed, complaints = run("stats", "rebuild")
    assert (1, "2 rows differ", 2 + 1) == (code, printed[-1], len(printed))
    assert [True] == [line.startswith(f"{shop[1]} cannot be counted: ") for line in complaints]
    change(cloud, order)
    assert (0, ["0 rows differ"], []) == run("stats", "rebuild")


def park(cloud: Cloud, *customer_ids: str) -> None:
    """Poison the orders of these customers and let the stream's consumer meet their events: created, placed; of A-1 refunded."""
    for customer_id in customer_ids:
        change(cloud, order_of(cloud, customer_id), terms={"S": "poison"})
    records = [a_record(item) for item in cloud.items("EVENT#") if item["PK"]["S"].removeprefix("CUSTOMER#") in customer_ids]
    assert {"batchItemFailures": []} == project({"Records": records}, None)


def waiting(cloud: Cloud) -> list[dict[str, Any]]:
    """What is in the queue, those that somebody has received and not deleted among them."""
    url, names = cloud.queue_url, ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [{name.removeprefix("ApproximateNumberOfMessages") or "visible": int(counts[name])} for name in names]


def test_poison_is_parked_mended_and_repaired_until_the_queue_is_empty(cloud: Cloud, shop: list[str], run: Run) -> None:
    kept = [order_of(cloud, customer_id) for customer_id in shop[:2]]
    park(cloud, *shop[:2])
    assert [{"visible": 5}, {"NotVisible": 0}] == waiting(cloud)
    for order in kept:
        change(cloud, order)
    visits = {"last_seen_at": {"S": "2026-11-20T12:00:00.000000Z"}, "visits": {"S": "2"}, "events": {"M": {}}}
    change(cloud, row_of(cloud, shop[0]), orders={"N": "2"}, **visits)  # of days that no parked event touches
    assert (0, ["5 events repaired, 0 left in the queue"], []) == run("stats", "repair")
    assert [{"visible": 0}, {"NotVisible": 0}] == waiting(cloud)
    assert (0, ["0 rows differ"], []) == run("stats", "rebuild", "--dry-run")
    assert 1 == cloud.call(customers, "GET", f"/v1/customers/{shop[0]}/stats").json["orders"]


def test_what_is_still_poison_and_what_lambda_itself_put_there_stay_for_the_next_repair(
    cloud: Cloud, shop: list[str], run: Run
) -> None:
    kept = {customer_id: order_of(cloud, customer_id) for customer_id in shop}
    park(cloud, shop[0], shop[2])
    from_lambda = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "DDBStreamBatchInfo": {"shardId": "shard-1"}}
    for body in (json.dumps(from_lambda), "not JSON", "[]"):
        cloud.sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=body)
    change(cloud, kept[shop[0]])
    for repaired in (2, 0):
        code, printed, complaints = run("stats", "repair")
        assert (1, [f"{repaired} events repaired, 5 left in the queue"]) == (code, printed)
        assert [True, True] == [line.startswith(f"{shop[2]} cannot be counted: ") for line in complaints if shop[2] in line]
        assert [{"visible": 5}, {"NotVisible": 0}] == waiting(cloud)
    change(cloud, kept[shop[2]])
    assert (1, ["2 events repaired, 3 left in the queue"]) == run("stats", "repair")[:2]
    bodies = [
        message["Body"] for message in cloud.sqs.receive_message(QueueUrl=cloud.queue_url, MaxNumberOfMessages=10)["Messages"]
    ]
    assert sorted([json.dumps(from_lambda), "not JSON", "[]"]) == sorted(bodies)


def test_a_table_that_is_busy_costs_a_repair_no_message(cloud: Cloud, shop: list[str], run: Run) -> None:
    order = order_of(cloud, shop[0])
    park(cloud, shop[0])
    change(cloud, order)
    with tapped(on("Query", refused_with("ThrottlingException"))):
        assert (1, ["0 events repaired, 2 left in the queue"]) == run("stats", "repair")[:2]
    assert (0, ["2 events repaired, 0 left in the queue"], []) == run("stats", "repair")


# ── what the outbox gave up on ───────────────────────────────────────────────────────────────────────────────────────


def messages(cloud: Cloud, url: str) -> list[Any]:
    found = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in found.get("Messages", ())]


@pytest.fixture
def parked(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events of a job, of a message and of an order were poison to the outbox, and are whole by now; gives them."""
    monkeypatch.setenv("OUTBOX_FAILURE_QUEUE_URL", cloud.queue_url)
    wanted = a_site(sender="shop@example.com", postal_address="Ringstraße 1", mails=MAILS)
    assert 200 == cloud.call(sites, "PUT", "/v1/sites/de", wanted, key=cloud.key(KeyKind.STAFF)).status
    order = an_order(placed_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    customer_id = cloud.call(orders, "POST", "/v1/orders", order).json["customer_id"]
    body = {"template": "order-confirmed", "customer": {"customer_id": customer_id}, "order_id": order["order_id"]}
    assert 202 == cloud.call(mails, "POST", "/v1/messages", body).status
    assert 202 == cloud.call(customers, "POST", "/v1/customers/export-jobs", {}, key=cloud.key(KeyKind.STAFF)).status
    kinds = ("job.requested", "message.requested", "order.placed")
    events = [item for item in cloud.items("EVENT#") if item["type"]["S"] in kinds]
    bootstrap.failure_queue().park([failure(a_record(item), KeyError()) for item in events])
    return sorted(events, key=lambda item: str(item["type"]["S"]))


def test_what_the_outbox_gave_up_on_is_handed_on_when_it_is_mended_and_the_queue_is_empty(
    cloud: Cloud, parked: list[dict[str, Any]], run: Run
) -> None:
    job, message, _ = parked
    assert (0, ["3 events repaired, 0 left in the queue"], []) == run("outbox", "repair")
    assert [{"visible": 0}, {"NotVisible": 0}] == waiting(cloud)
    assert [{"type": "job", "v": 1, "job_id": job["PK"]["S"].removeprefix("JOB#")}] == messages(cloud, cloud.jobs_url)
    page = {"type": "message", "v": 1, "run_id": message["data"]["M"]["run_id"]["S"], "shard": 0}
    assert [page] == messages(cloud, cloud.messages_url)
    planned = [item["data"]["M"]["template"]["S"] for item in cloud.items("EVENT#") if item["type"]["S"] == "message.requested"]
    assert ["order-confirmed"] * 2 == planned


def test_a_confirmed_consent_that_the_outbox_gave_up_on_is_welcomed_once(
    cloud: Cloud, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTBOX_FAILURE_QUEUE_URL", cloud.queue_url)
    staff = cloud.key(KeyKind.STAFF)
    welcoming = a_site(sender="shop@example.com", postal_address="Ringstraße 1", mails={"consent.confirmed": "welcome"})
    assert 200 == cloud.call(sites, "PUT", "/v1/sites/de", welcoming, key=staff).status
    assert 201 == cloud.call(consents, "PUT", "/v1/topics/news", a_topic(), key=staff).status
    customer_id = cloud.call(customers, "PUT", "/v1/customers", {"email": "lena@example.com"}).json["customer_id"]
    at = datetime.now(UTC) - timedelta(hours=1)
    said = a_consent(at=at.isoformat(), method="double_opt_in", proof=a_proof(confirmed_at=at.isoformat()))
    assert 201 == cloud.call(customers, "POST", f"/v1/customers/{customer_id}/consents", {"consents": [said]}).status
    (event,) = (item for item in cloud.items("EVENT#") if item["type"]["S"] == "consent.changed")
    for _ in range(2):
        bootstrap.failure_queue().park([failure(a_record(event), KeyError())])
        assert (0, ["1 events repaired, 0 left in the queue"], []) == run("outbox", "repair")
    planned = [item["data"]["M"]["template"]["S"] for item in cloud.items("EVENT#") if item["type"]["S"] == "message.requested"]
    assert ["welcome"] == planned


def test_what_is_still_poison_to_the_outbox_is_named_and_stays_with_what_lambda_itself_put_there(
    cloud: Cloud, parked: list[dict[str, Any]], run: Run
) -> None:
    message = parked[1]
    cloud.sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=json.dumps({"DDBStreamBatchInfo": {"shardId": "shard-1"}}))
    change(cloud, message, data={"S": "poison"})
    for repaired in (2, 0):
        told = f"{message['PK']['S']} {message['SK']['S']} cannot be handed on: KeyError"
        assert (1, [f"{repaired} events repaired, 2 left in the queue"], [told]) == run("outbox", "repair")
        assert [{"visible": 2}, {"NotVisible": 0}] == waiting(cloud)
    change(cloud, message)
    assert (1, ["1 events repaired, 1 left in the queue"], []) == run("outbox", "repair")


def test_what_an_erasure_has_deleted_asks_the_outbox_for_nothing_any_more(
    cloud: Cloud, parked: list[dict[str, Any]], run: Run
) -> None:
    for event in parked:
        cloud.dynamodb.delete_item(TableName="table", Key={"PK": event["PK"], "SK": event["SK"]})
    assert (0, ["3 events repaired, 0 left in the queue"], []) == run("outbox", "repair")
    assert ([], []) == (messages(cloud, cloud.jobs_url), messages(cloud, cloud.messages_url))


@pytest.mark.usefixtures("parked")
def test_a_queue_that_takes_nothing_costs_a_repair_of_the_outbox_no_message(cloud: Cloud, run: Run) -> None:
    with tapped(on("SendMessage", refused_with("AccessDenied", 403))):
        assert (1, ["1 events repaired, 2 left in the queue"]) == run("outbox", "repair")[:2]
    assert (0, ["2 events repaired, 0 left in the queue"], []) == run("outbox", "repair")
    assert (1, 1) == (len(messages(cloud, cloud.jobs_url)), len(messages(cloud, cloud.messages_url)))


def test_a_stack_s_outputs_name_its_table_its_queue_and_its_links_secret(
    cloud: Cloud, shop: list[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {
        "TableName": "table",
        "LinkSecretArn": "links",
        "DeadLettersUrl": cloud.queue_url,
        "PublishEventsDeadLettersUrl": cloud.queue_url,
        "JobQueueUrl": cloud.jobs_url,
        "MessageQueueUrl": cloud.messages_url,
    }
    assert set(outputs) == set(ecrm.OUTPUTS.values())
    template = {
        "Resources": {"Anything": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    session: Any = botocore.session.get_session()
    session.create_client("cloudformation").create_stack(StackName="ours", TemplateBody=json.dumps(template))
    for name in ecrm.OUTPUTS:
        monkeypatch.setenv(name, "of another stack")
    bootstrap.table.cache_clear()
    assert 3 == len(shop)
    assert (0, ["0 rows differ"], []) == run("--stack", "ours", "stats", "rebuild")
    assert (0, ["0 events repaired, 0 left in the queue"], []) == run("--stack", "ours", "stats", "repair")
    assert 0 == run("--stack", "ours", "links", "rotate")[0]


def link(cloud: Cloud) -> str:
    """The address of an order's page, made with the keys as they are now."""
    bootstrap.link_keys.cache_clear()
    made = cloud.call(orders, "POST", "/v1/orders/A-1001/links", {})
    return str(made.json["url"]).removeprefix("https://shop.example.com")


def opened(*links: str) -> list[int]:
    return [public(a_request("GET", path), None)["statusCode"] for path in links]


def test_after_a_rotation_new_links_have_a_new_key_and_old_ones_go_on_working(cloud: Cloud, run: Run) -> None:
    assert 201 == cloud.call(orders, "POST", "/v1/orders", an_order()).status
    made = [link(cloud)]
    for key_id in ("2", "3"):
        words = f"links are made with key {key_id} from now on; old links keep working"
        assert (0, [words], []) == run("links", "rotate")
        made.append(link(cloud))
    assert 3 == len(set(made))
    assert [200] * 3 == opened(*made)


def test_links_of_keys_that_are_retired_open_nothing_but_the_newest_does(cloud: Cloud, run: Run) -> None:
    assert 201 == cloud.call(orders, "POST", "/v1/orders", an_order()).status
    before = [link(cloud)]
    assert 0 == run("links", "rotate")[0]
    before.append(link(cloud))
    words = "links are made with key 3 from now on; old links are good for unsubscribing alone"
    assert (0, [words], []) == run("links", "rotate", "--retire")
    assert [404, 404, 200] == opened(*before, link(cloud))


@pytest.mark.parametrize("moment", ["PutSecretValue", "UpdateSecretVersionStage"])
def test_of_two_rotations_at_once_neither_loses_the_key_of_the_other(cloud: Cloud, run: Run, moment: str) -> None:
    """The second rotation happens as a whole between two calls of the first, and a link is made with its key."""
    assert 201 == cloud.call(orders, "POST", "/v1/orders", an_order()).status
    made = [link(cloud)]

    def meanwhile(_sent: Sent, deliver: Deliver) -> Any:
        if len(made) == 1:
            made.append("")
            ecrm.rotate(argparse.Namespace(retire=False))
            made[1] = link(cloud)
        return deliver()

    with tapped(on(moment, meanwhile)):
        code, printed, complaints = run("links", "rotate")
    words = "links are made with key {} from now on; old links keep working"
    assert (0, [words.format(2), words.format(3)], []) == (code, printed, complaints)
    made.append(link(cloud))
    assert (3, [200] * 3) == (len(set(made)), opened(*made))


def test_a_secret_that_never_stands_still_is_left_as_it_is(cloud: Cloud, run: Run) -> None:
    assert 201 == cloud.call(orders, "POST", "/v1/orders", an_order()).status
    before = link(cloud)
    with tapped(on("UpdateSecretVersionStage", refused_with("InvalidParameterException"))):
        answered = run("links", "rotate")
    assert (1, [], ["others rotate at the same time; nothing was rotated, try again"]) == answered
    assert before == link(cloud)
