"""Bad input, and the answer it gets on any route: bodies, paths, methods, queries and Idempotency-Keys."""

import base64
import json

import pytest

from ecrm.domain.api_keys import KeyKind, Scope
from ecrm.entry.http import FORM
from tests.builders import an_event
from tests.functions.api import KEYED, WITH_BODY, Operation, Shop, a_new_order, ask, code_of, named


def auth(shop: Shop, operation: Operation) -> dict[str, str]:
    return {"authorization": f"Bearer {shop.key_for(operation)}", "content-type": "application/json"}


# ── any JSON route ───────────────────────────────────────────────────────────────────────────────────────────────────

DEEP = "[" * 33 + "]" * 33
UNREADABLE = {
    "no body": ("", "bad_json"),
    "blanks": (" \n", "bad_json"),
    "half an object": ("{", "bad_json"),
    "trailing garbage": ("{} x", "bad_json"),
    "two values": ("{}{}", "bad_json"),
    "a trailing comma": ('{"a":1,}', "bad_json"),
    "a comment": ("{} // x", "bad_json"),
    "single quotes": ("{'a':1}", "bad_json"),
    "a byte order mark": ("\ufeff{}", "bad_json"),
    "depth 33": (DEEP, "too_deep"),
    "depth 200,000": ("[" * 200_000, "too_deep"),
    "depth 33 of objects": ('{"a":' * 33 + "1" + "}" * 33, "too_deep"),
    "4,301 digits": ('{"a":' + "9" * 4_301 + "}", "too_many_digits"),
    "NaN": ('{"a":NaN}', "bad_number"),
    "Infinity": ('{"a":-Infinity}', "bad_number"),
    "a huge exponent": ('{"a":1e99999999999999999999}', "bad_number"),
    "duplicate keys": ('{"a":1,"a":1}', "duplicate_key"),
    "duplicate keys, one escaped": ('{"a":1,"\\u0061":1}', "duplicate_key"),
    "duplicate keys deep inside": ('{"a":[{"b":1,"b":2}]}', "duplicate_key"),
    "half a surrogate pair": ('{"a":"\\ud83d"}', "bad_text"),
    "half a surrogate pair as a key": ('{"\\udc00":1}', "bad_text"),
    "NUL": ('{"a":"\\u0000"}', "bad_text"),
    "a bell": ('{"a":"\\u0007"}', "bad_text"),
    "an escape": ('{"a":"\\u001b[31m"}', "bad_text"),
    "delete": ('{"a":"\\u007f"}', "bad_text"),
    "a raw control character": ('{"a":"\x01"}', "bad_json"),
    "a raw NUL": ("\x00", "bad_json"),
    "a surrogate as it is": ('{"a":"\ud83d"}', "not_utf8"),
}


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_the_reason(shop: Shop, operation: Operation, what: str) -> None:
    body, code = UNREADABLE[what]
    is_large = len(body.encode("utf-8", "surrogatepass")) > operation.said["x-largest-body-bytes"]
    assert ((413, "body_too_large") if is_large else (400, code)) == code_of(shop.send(operation, body))


UNREADABLE_BYTES = {
    "not UTF-8": (b'{"a":"\xff"}', "not_utf8"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "not_utf8"),
    "UTF-16 without a mark": ('{"a":1}'.encode("utf-16-le"), "bad_json"),
    "Windows-1252": ('{"a":"é"}'.encode("cp1252"), "not_utf8"),
    "an overlong form": (b'{"a":"\xc0\x80"}', "not_utf8"),
    "a surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', "not_utf8"),
    "gzip": (b"\x1f\x8b\x08\x00", "not_utf8"),
}


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
@pytest.mark.parametrize("what", UNREADABLE_BYTES)
def test_bytes_that_are_no_text_are_refused(shop: Shop, operation: Operation, what: str) -> None:
    raw, code = UNREADABLE_BYTES[what]
    path = operation.at(order_id="A-1001", site="de")
    sent = base64.b64encode(raw).decode()
    answer = ask(operation.method, path, sent, headers=auth(shop, operation), is_base64=True)
    assert (400, code) == code_of(answer)


@pytest.mark.parametrize("sent", ["%%%", "e30", "é"], ids=["no base64", "no padding", "not ASCII"])
def test_bad_base64_is_refused(shop: Shop, sent: str) -> None:
    for operation in WITH_BODY:
        path = operation.at(order_id="A-1001", site="de")
        answer = ask(operation.method, path, sent, headers=auth(shop, operation), is_base64=True)
        assert (400, "bad_base64") == code_of(answer)


def test_a_body_in_base64_is_read(shop: Shop) -> None:
    order = json.dumps(a_new_order(), ensure_ascii=False).encode()
    placing = next(operation for operation in WITH_BODY if operation.name == "place_order")
    answer = ask("POST", "/v1/orders", base64.b64encode(order).decode(), headers=auth(shop, placing), is_base64=True)
    assert 201 == answer.status


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
@pytest.mark.parametrize("body", ["[]", "null", "true", '"{}"', "3", "3.5", "[{}]"])
def test_a_body_that_is_no_object_has_the_wrong_shape(shop: Shop, operation: Operation, body: str) -> None:
    answer = shop.send(operation, body)
    assert (422, "") == (answer.status, answer.json["errors"][0]["pointer"])


OF_TEMPLATES = {Scope.TEMPLATES_READ, Scope.TEMPLATES_WRITE}
NOTHING_REQUIRED = {
    **dict.fromkeys(
        ("make_link", "make_report_link", "make_campaign_report_link", "put_product", "update_customer", "put_sending"), 200
    ),
    **dict.fromkeys(
        ("export_orders", "export_customers", "export_segment", "export_recipients", "export_customer", "erase_customer"), 202
    ),
}


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not(shop: Shop, operation: Operation) -> None:
    largest = operation.said["x-largest-body-bytes"]
    has_a_template = operation.scope in OF_TEMPLATES and operation.name != "send_test"
    sizes = (32, 500) if operation.tracks else (2048, 0) if has_a_template else (256, 1024)
    assert largest == 1024 * sizes["batch" in operation.path]
    assert NOTHING_REQUIRED.get(operation.name, 422) == shop.send(operation, "{}".ljust(largest)).status
    assert (413, "body_too_large") == code_of(shop.send(operation, "{}".ljust(largest + 1)))
    assert (413, "body_too_large") == code_of(shop.send(operation, '"' + "é" * (largest // 2) + '"'))


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data", "json", "application/jsonx", "é"]
)
def test_another_content_type_is_refused(shop: Shop, operation: Operation, kind: str) -> None:
    answer = shop.send(operation, "{}", headers={"content-type": kind})
    if operation.tracks and kind == "text/plain":  # as browsers send what must not wait for a preflight
        assert 422 == answer.status
    elif operation.takes_forms and kind == FORM:
        assert (400, "bad_form") == code_of(answer)
    else:
        assert (415, "not_json") == code_of(answer)


def test_a_missing_content_type_is_refused(shop: Shop) -> None:
    header = {"authorization": f"Bearer {shop.key}"}
    assert (415, "not_json") == code_of(ask("POST", "/v1/orders", "{}", headers=header))


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.shop+json"])
def test_every_spelling_of_json_is_taken(shop: Shop, kind: str) -> None:
    assert 201 == shop.call("POST", "/v1/orders", a_new_order(), headers={"content-type": kind}).status


# ── paths, methods, queries ──────────────────────────────────────────────────────────────────────────────────────────

STRANGE = [
    "..%2f..%2fetc",
    "%00",
    "%ff",
    "%",
    "%zz",
    "x" * 2_000,
    "%2e%2e",
    "a%2fb",
    "%F0%9F%92%A9",
    "#",
    "%0d%0aSet-Cookie:x",
    "é",
]


@pytest.mark.parametrize("segment", STRANGE)
def test_a_strange_name_in_a_path_is_the_name_of_nothing(shop: Shop, segment: str) -> None:
    for operation in KEYED:
        if "{" in operation.path and operation.method != "PUT":
            path = operation.at(segment)
            answer = shop.call(operation.method, path, operation.example, key=shop.key_for(operation))
            assert 404 == answer.status, operation.name
            assert len(segment) <= 200 or answer.json["code"] == "route_not_found"
            assert segment not in answer.text


@pytest.mark.parametrize("segment", [*STRANGE, "DE", "-de", "d" * 41, "d e", "de\n"])
def test_a_site_is_not_made_under_a_strange_name(shop: Shop, segment: str) -> None:
    operation = next(operation for operation in KEYED if operation.name == "put_site")
    answer = shop.call("PUT", f"/v1/sites/{segment}", operation.example, key=shop.key_for(operation))
    assert (answer.status, answer.json["code"]) in ((422, "bad_site"), (404, "route_not_found"))


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/v1", "/v1/", "/v2/orders", "//v1/orders", "/v1/order", "/v1/Orders", "/v1/orders/", "/v1/orders\n"),
        *("/v1/orders//events", "/v1/orders/a/b/c", "/v1/customer", "/v1/customers//stats", "/v1/sites/", "/robots.txt"),
    ],
)
def test_there_is_nothing_at_any_other_path(shop: Shop, path: str) -> None:
    answer = shop.call("GET", path)
    assert (404, "route_not_found") == code_of(answer)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("/v1/orders/batch", "GET, HEAD, OPTIONS, POST"),
        ("/v1/orders/A-1001", "GET, HEAD, OPTIONS"),
        ("/v1/orders/A-1001/events", "OPTIONS, POST"),
        ("/v1/orders/events/batch", "OPTIONS, POST"),
        ("/v1/customers/x", "GET, HEAD, OPTIONS, PATCH"),
        ("/v1/customers", "OPTIONS, PUT"),
        ("/v1/sites", "GET, HEAD, OPTIONS"),
        ("/v1/sites/de", "GET, HEAD, OPTIONS, PUT"),
        ("/v1/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_told_which_there_are(shop: Shop, path: str, allowed: str) -> None:
    for method in {"DELETE", "PATCH", "TRACE", "get", "BREW"} - {*allowed.split(", ")}:
        answer = shop.call(method, path)
        assert (405, "method_not_allowed", allowed) == (*code_of(answer), answer.headers["allow"])
    options = ask("OPTIONS", path)
    assert (204, "", allowed) == (options.status, options.text, options.headers["allow"])
    assert "content-type" not in options.headers


def test_options_on_nothing_is_nothing() -> None:
    assert 404 == ask("OPTIONS", "/v1/nothing").status


def test_head_says_what_get_says_without_its_body(shop: Shop) -> None:
    for operation in KEYED:
        if operation.method == "GET":
            path = operation.at(**shop.there)
            get, head = shop.call("GET", path), shop.call("HEAD", path)
            assert (get.status, get.headers, "") == (head.status, head.headers, head.text)
    assert (404, "") == ((missing := shop.call("HEAD", "/v1/orders/nothing")).status, missing.text)
    assert 401 == ask("HEAD", "/v1/orders").status
    assert 405 == shop.call("HEAD", "/v1/orders/lookup/events").status


BAD_QUERIES = {
    "an unknown name": ("colour=red", 422, "unknown_field"),
    "the same name twice": ("limit=1&limit=1", 400, "bad_query"),
    "21 names": ("&".join(f"n{number}=" for number in range(21)), 400, "bad_query"),
    "not UTF-8": ("limit=%ff", 400, "bad_query"),
}


@pytest.mark.parametrize("what", BAD_QUERIES)
def test_a_bad_query_is_refused_on_every_route(shop: Shop, what: str) -> None:
    query, status, code = BAD_QUERIES[what]
    for operation in KEYED:
        body = an_event("packed") if operation.name == "record_event" else None
        assert (status, code) == code_of(shop.send(operation, body, query=query)), operation.name


BAD_LISTS = {
    "limit=0": "limit",
    "limit=101": "limit",
    "limit=-1": "limit",
    "limit=1.0": "limit",
    "limit=": "limit",
    "limit=%D9%A1": "limit",
    "limit=1e1": "limit",
    "limit=+5": "limit",
    "status=lost": "unknown_value",
    "status=": "unknown_value",
    "site=": "too_short",
    "site=DE": "bad_syntax",
    "from=20261120": "date_syntax",
    "from=2026-11-31": "date_syntax",
    "from=2026-1-1": "date_syntax",
    "from=now": "date_syntax",
    "from=": "date_syntax",
    "from=2026-11-20T00:00:00Z": "date_syntax",
    "to=0001-01-01": "date_range",
    "from=0001-01-01": "date_range",
    "to=9999-12-31": "date_range",
    "from=9999-12-31": "date_range",
    "from=2026-11-20&to=2026-11-19": "range",
    "from=2026-10-20&to=2026-11-20": "range",
    "cursor=": "bad_cursor",
    "cursor=x": "bad_cursor",
    "cursor=e30": "bad_cursor",
    "cursor=%F0%9F%92%A9": "bad_cursor",
    "cursor=" + "x" * 1_001: "too_long",
    "cursor=" + "W1tb" * 200: "bad_cursor",
}


@pytest.mark.parametrize("query", BAD_LISTS)
def test_a_list_is_not_asked_for_in_a_way_that_means_nothing(shop: Shop, query: str) -> None:
    answer = shop.call("GET", "/v1/orders", query=query)
    assert (422, BAD_LISTS[query]) == code_of(answer)
    assert answer.json["errors"][0]["pointer"].startswith("?")


# ── Idempotency-Key ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    ["", '""', "k" * 256, '"' + "k" * 256 + '"', "schlüssel", "kéy", "鍵", "a\tb", "a\x00b", "a\x7fb"],
    ids=["empty", "empty in quotes", "256", "256 in quotes", "non-ASCII", "Latin-1", "Chinese", "a tab", "NUL", "delete"],
)
def test_a_bad_idempotency_key_is_refused_on_every_post(shop: Shop, name: str) -> None:
    for operation in KEYED:
        if operation.method == "POST" and not operation.tracks:
            assert (400, "bad_idempotency_key") == code_of(shop.send(operation, headers={"idempotency-key": name}))


@pytest.mark.parametrize("name", ["k", '"k"', "k" * 255, '"' + "k" * 255 + '"', "a b", '"', "'", "a,b;c"])
def test_a_good_idempotency_key_is_taken(shop: Shop, name: str) -> None:
    order = a_new_order()
    shop.call("POST", "/v1/orders", order)
    path, header = f"/v1/orders/{order['order_id']}/events", {"idempotency-key": name}
    answers = [shop.call("POST", path, an_event(), headers=header) for _ in range(2)]
    assert [(201, None), (201, "true")] == [(one.status, one.headers.get("idempotent-replayed")) for one in answers]


def test_the_quotes_of_an_idempotency_key_are_not_part_of_it(shop: Shop) -> None:
    order = a_new_order()
    answers = [shop.call("POST", "/v1/orders", order, headers={"idempotency-key": name}) for name in ('"in-quotes"', "in-quotes")]
    assert [(201, None), (201, "true")] == [(one.status, one.headers.get("idempotent-replayed")) for one in answers]


def test_the_same_idempotency_key_with_another_body_is_refused(shop: Shop) -> None:
    header = {"idempotency-key": "reused"}
    assert 201 == shop.call("POST", "/v1/orders", a_new_order(), headers=header).status
    assert (422, "idempotency_key_reused") == code_of(shop.call("POST", "/v1/orders", a_new_order(), headers=header))


def test_an_idempotency_key_belongs_to_its_key_and_its_route(shop: Shop) -> None:
    header, order = {"idempotency-key": "mine"}, a_new_order()
    assert 201 == shop.call("POST", "/v1/orders", order, headers=header).status
    assert 201 == shop.call("POST", "/v1/orders", a_new_order(), headers=header, key=shop.cloud.key()).status
    event = shop.call("POST", f"/v1/orders/{order['order_id']}/events", an_event(), headers=header)
    assert (201, None) == (event.status, event.headers.get("idempotent-replayed"))


def test_what_reads_and_what_puts_needs_no_idempotency_key_and_minds_none(shop: Shop) -> None:
    assert 200 == shop.call("GET", "/v1/orders", headers={"idempotency-key": "é"}).status


# ── what is judged first ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_judged_in_the_order_that_the_documentation_tells(shop: Shop) -> None:
    """Everything is wrong; each step mends what was told."""
    lesser, key = shop.cloud.key(KeyKind.WRITE), shop.key
    headers = {"idempotency-key": "é", "content-type": "text/plain"}
    method, path, body, query = "PATCH", "/v1/order", "{" + " " * 256 * 1024, "colour=red&colour=red"
    told = []

    def send() -> None:
        told.append(ask(method, path, body, query=query, headers=headers).json["code"])

    send()
    path = "/v1/orders"
    send()
    method = "POST"
    send()
    headers["authorization"] = f"Bearer {lesser}"
    send()
    headers["authorization"] = f"Bearer {key}"
    send()
    headers["idempotency-key"] = "judged"
    send()
    headers["content-type"] = "application/json"
    send()
    body = "{"
    send()
    body = "{}"
    send()
    body = json.dumps(a_new_order(total="1.00"))
    send()
    query = ""
    send()
    assert [
        "route_not_found",
        "method_not_allowed",
        "unauthenticated",
        "scope_missing",
        "bad_idempotency_key",
        "not_json",
        "body_too_large",
        "bad_json",
        "invalid",
        "bad_query",
        "total_mismatch",
    ] == told
