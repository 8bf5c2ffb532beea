"""The e-mail address of an order's customer: what is one, what is none, and how it is kept."""

import pytest

from tests.functions.api import Shop, a_new_order, code_of

NO_ADDRESS = {
    "empty": "",
    "no at": "sara.example.com",
    "no local part": "@example.com",
    "no domain": "sara@",
    "two ats": "sara@example@example.com",
    "a blank inside": "sa ra@example.com",
    "a blank before": " sara@example.com",
    "a blank behind": "sara@example.com ",
    "two dots": "sa..ra@example.com",
    "a dot before": ".sara@example.com",
    "a dot before the at": "sara.@example.com",
    "a trailing dot": "sara@example.com.",
    "a dot after the at": "sara@.example.com",
    "a domain without a dot": "sara@example",
    "a bare IP": "sara@192.0.2.1",
    "an IP in brackets": "sara@[192.0.2.1]",
    "a domain with a hyphen first": "sara@-example.com",
    "a domain with an underscore": "sara@exa_mple.com",
    "a label of 64": f"sara@{'x' * 64}.com",
    "a local part of 65": f"{'s' * 65}@example.com",
    "255 in all": f"sara@{'.'.join(['x' * 60] * 4)}.example.com",
    "321 characters": "s" * 309 + "@example.com",
    "an IDN local part": "särä@example.com",
    "a Persian local part": "سارا@example.com",
    "a zero-width space": "sara\u200b@example.com",
    "a zero-width joiner in the domain": "sara@exam\u200dple.com",
    "a soft hyphen": "sa\u00adra@example.com",
    "a right-to-left override": "\u202esara@example.com",
    "a full-width at": "sara\uff20example.com",
    "two addresses": "a@example.com, c@example.com",
    "two addresses with a semicolon": "a@example.com;c@example.com",
    "a name and an address": "Sara <sara@example.com>",
    "angle brackets": "<sara@example.com>",
    "mailto": "mailto:sara@example.com",
    "quotes": '"sara"@example.com',
    "a comment": "sara(sister)@example.com",
    "CR LF and a header": "sara@example.com\r\nBcc: all@example.com",
    "a line end": "sara@example.com\n",
    "a tab": "sara\t@example.com",
    "a formula": "=1+1",
    "a script": "<script>@example.com",
    "a backslash": "sara\\@example.com",
}


@pytest.mark.parametrize("what", NO_ADDRESS)
def test_what_is_no_address_is_refused_where_it_stands(shop: Shop, what: str) -> None:
    bad = a_new_order(customer={"email": NO_ADDRESS[what]})
    answer = shop.call("POST", "/v1/orders", bad)
    assert (422, "/customer/email") == (answer.status, answer.json["errors"][0]["pointer"])
    assert answer.json["errors"][0]["code"] in ("email_syntax", "too_long")
    assert NO_ADDRESS[what] == "" or NO_ADDRESS[what] not in answer.text
    assert (422, answer.json["errors"][0]["code"]) == code_of(shop.call("POST", "/v1/orders/lookup", bad["customer"]))


KEPT = {
    "as it is": ("sara.connor+news@example.com", "sara.connor+news@example.com", False),
    "the local part's case": ("Sara@Example.COM", "Sara@example.com", False),
    "every sign that RFC 5322 allows": ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", False),
    "a local part of 64": (f"{'s' * 64}@example.com", f"{'s' * 64}@example.com", False),
    "an IDN domain": ("sara@bücher.example.com", "sara@xn--bcher-kva.example.com", False),
    "an IDN domain in capitals": ("sara@BÜCHER.example.org", "sara@xn--bcher-kva.example.org", False),
    "a Chinese domain": ("sara@例子.example.com", "sara@xn--fsqu00a.example.com", False),
    "punycode": ("sara@xn--bcher-kva.example.net", "sara@xn--bcher-kva.example.net", False),
    "a role address": ("info@example.com", "info@example.com", True),
    "a role address in capitals": ("Sales@example.com", "sales@example.com", True),
    "no role address": ("informatics@example.com", "informatics@example.com", False),
}


@pytest.mark.parametrize("what", KEPT)
def test_an_address_is_kept_so_that_mail_can_be_sent_to_it(shop: Shop, what: str) -> None:
    given, kept, is_role = KEPT[what]
    placed = shop.call("POST", "/v1/orders", a_new_order(customer={"email": given}))
    assert 201 == placed.status
    customer = shop.call("GET", f"/v1/customers/{placed.json['customer_id']}").json
    assert ([{"kind": "email", "value": kept, "site": None, "claimed": False}], is_role) == (
        customer["identifiers"],
        customer["has_role_address"],
    )
    found = [shop.call("POST", "/v1/orders/lookup", {"email": asked}).json["data"] for asked in (given, kept)]
    assert [[placed.json["order_id"]]] * 2 == [[order["order_id"] for order in page] for page in found]
