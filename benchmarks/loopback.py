"""A table and a mail provider that answer over loopback, one customer's order, and the requests to each function."""

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session

from ecrm.domain.api_keys import KeyKind
from ecrm.domain.links import PersonLink, Purpose, person_url
from tests.builders import a_record, a_request, a_site, a_topic, an_order
from tests.cloud import ENVIRONMENT, a_cloud

TRACKED = {"userId": "u-77", "event": "Product Viewed"}
"""Without a messageId it is a new one each time: the relay tells of no refused transaction."""


@dataclass(frozen=True)
class Loopback:
    """`requests` has an event for each function, further ones by its name and a comma; `order` is the key of the order's item."""

    environment: Mapping[str, str]
    requests: Mapping[str, Mapping[str, Any]]
    order: tuple[str, str]


class Relay(BaseHTTPRequestHandler):
    """Hands DynamoDB's and Secrets Manager's JSON to the table in this process; SES takes every mail.

    What is written of the `message` is forgotten, so that each start finds it planned.
    """

    protocol_version = "HTTP/1.1"
    clients: Mapping[str, Any]
    lock = threading.Lock()
    message = ""

    def do_GET(self) -> None:
        self._answer({"SendQuota": {"MaxSendRate": 1_000.0}})

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["content-length"])).decode()
        if "x-amz-target" not in self.headers:
            self._answer({"MessageId": "m-1"})
            return
        service, _, operation = self.headers["x-amz-target"].rpartition(".")
        if operation in ("PutItem", "TransactWriteItems") and self.message in said:
            self._answer({})
            return
        call = getattr(self.clients[service], re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower())
        with self.lock:
            answer = call(**json.loads(said))
        del answer["ResponseMetadata"]
        self._answer(answer)

    def _answer(self, answer: Mapping[str, Any]) -> None:
        body = json.dumps(answer, default=str).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[Loopback]:
    """Place an order, and serve the table that holds it."""
    with a_cloud() as cloud:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # what the function logs
            from catalog_api.handler import handler as catalog  # noqa: PLC0415 (wired inside the cloud)
            from consent_api.handler import handler as consent  # noqa: PLC0415
            from customers_api.handler import handler as customers  # noqa: PLC0415
            from ecrm import bootstrap  # noqa: PLC0415 (the same)
            from messages_api.handler import handler as messages  # noqa: PLC0415
            from orders_api.handler import handler  # noqa: PLC0415
            from sites_api.handler import handler as sites  # noqa: PLC0415

            staff = cloud.key(KeyKind.STAFF)
            placed = cloud.call(handler, "POST", "/v1/orders", an_order())
            made = cloud.call(handler, "POST", "/v1/orders/A-1001/links", {})
            asked = cloud.call(customers, "POST", "/v1/customers/export-jobs", {}, key=staff)
            mailed = {"template": "order-confirmed", "customer": an_order()["customer"], "order_id": "A-1001"}
            written = [
                cloud.call(sites, "PUT", "/v1/sites/de", a_site(sender="shop@example.com"), key=staff),
                message := cloud.call(messages, "POST", "/v1/messages", mailed),
                cloud.call(consent, "PUT", "/v1/topics/news", a_topic(), key=staff),
                cloud.call(catalog, "PUT", "/v1/products/CD-5", {"name": "Blue", "updated_at": "2026-11-20T12:00:00Z"}),
                placed,
                made,
                asked,
            ]
        assert all(answer.status < 300 for answer in written), written  # noqa: PLR2004, S101 (a refusal is no cold start)
        cloud.arm()
        Relay.message = message_id = message.json["message_id"]
        customer_id = placed.json["customer_id"]
        own = {
            purpose: person_url("", PersonLink(purpose=purpose, site="de", customer_id=customer_id, about=("news",)), ring)
            for ring in [bootstrap.link_keys().ring()]
            for purpose in (Purpose.UNSUBSCRIBE, Purpose.PREFERENCES)
        }
        key = {"authorization": f"Bearer {cloud.key()}"}
        page = {"type": "page", "v": 1, "run_id": message_id, "shard": 0}
        sign_up = {"email": "new@example.com", "topics": ["news"]}
        requests = {
            "orders_api": a_request("GET", "/v1/orders/A-1001", headers=key),
            "customers_api": a_request("GET", f"/v1/customers/{customer_id}", headers=key),
            "ingest_api": a_request(
                "POST", "/v1/track", body=json.dumps(TRACKED), headers=key | {"content-type": "application/json"}
            ),
            "consent_api": a_request("GET", "/v1/topics/news", headers=key),
            "catalog_api": a_request("GET", "/v1/products/CD-5", headers=key),
            "jobs_api": a_request("GET", f"/v1/jobs/{asked.json['job_id']}", headers={"authorization": f"Bearer {staff}"}),
            "reference_api": a_request("GET", "/v1/openapi.json"),
            "public_api": a_request("GET", "/public/" + made.json["url"].partition("/public/")[2]),
            "public_api, unsubscribing": a_request("GET", own[Purpose.UNSUBSCRIBE]),
            "public_api, one click": a_request("POST", own[Purpose.UNSUBSCRIBE], body="List-Unsubscribe=One-Click"),
            "public_api, preferences": a_request("GET", own[Purpose.PREFERENCES]),
            "messages_api": a_request("GET", f"/v1/messages/{message_id}", headers=key),
            "messages_api, a sign-up": a_request(
                "POST", "/public/subscribe", body=json.dumps(sign_up), headers=key | {"content-type": "application/json"}
            ),
            "templates_api": a_request("GET", "/v1/templates/welcome", headers={"authorization": f"Bearer {staff}"}),
            "send_messages": {"Records": [{"messageId": "1", "body": json.dumps(page)}]},
            "project_events": {"Records": [a_record(item) for item in cloud.items("EVENT#")]},
        }
        (order,) = ((item["PK"]["S"], item["SK"]["S"]) for item in cloud.items("ORDER#"))
        session: Any = botocore.session.get_session()
        Relay.clients = {
            "DynamoDB_20120810": session.create_client("dynamodb"),
            "secretsmanager": session.create_client("secretsmanager"),
        }
        with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}"
            yield Loopback(
                {
                    **ENVIRONMENT,
                    "AWS_ENDPOINT_URL": url,
                    "FAILURE_QUEUE_URL": f"{url}/failures",
                    "MESSAGE_QUEUE_URL": f"{url}/messages",
                },
                requests,
                order,
            )
            server.shutdown()
