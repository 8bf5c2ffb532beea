"""A table that answers over loopback, with one customer's order in it, and the requests to each function that it can answer."""

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
from tests.builders import a_record, a_request, a_topic, an_order
from tests.cloud import ENVIRONMENT, a_cloud

TRACKED = {"userId": "u-77", "event": "Product Viewed"}
"""Without a messageId it is a new one each time: the relay tells of no refused transaction."""


@dataclass(frozen=True)
class Loopback:
    """`requests` has an event for each function; `order` is the key of the order's item."""

    environment: Mapping[str, str]
    requests: Mapping[str, Mapping[str, Any]]
    order: tuple[str, str]


class Relay(BaseHTTPRequestHandler):
    """Hands DynamoDB's and Secrets Manager's JSON to the table in this process."""

    protocol_version = "HTTP/1.1"
    clients: Mapping[str, Any]
    lock = threading.Lock()

    def do_POST(self) -> None:
        service, _, operation = self.headers["x-amz-target"].rpartition(".")
        ask = json.loads(self.rfile.read(int(self.headers["content-length"])))
        call = getattr(self.clients[service], re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower())
        with self.lock:
            answer = call(**ask)
        del answer["ResponseMetadata"]
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
            from orders_api.handler import handler  # noqa: PLC0415

            staff = cloud.key(KeyKind.STAFF)
            placed = cloud.call(handler, "POST", "/v1/orders", an_order())
            made = cloud.call(handler, "POST", "/v1/orders/A-1001/links", {})
            asked = cloud.call(customers, "POST", "/v1/customers/export-jobs", {}, key=staff)
            written = [
                cloud.call(consent, "PUT", "/v1/topics/news", a_topic(), key=staff),
                cloud.call(catalog, "PUT", "/v1/products/CD-5", {"name": "Blue", "updated_at": "2026-11-20T12:00:00Z"}),
                placed,
                made,
                asked,
            ]
        assert all(answer.status < 300 for answer in written), written  # noqa: PLR2004, S101 (a refusal is no cold start)
        key = {"authorization": f"Bearer {cloud.key()}"}
        requests = {
            "orders_api": a_request("GET", "/v1/orders/A-1001", headers=key),
            "customers_api": a_request("GET", f"/v1/customers/{placed.json['customer_id']}", headers=key),
            "ingest_api": a_request(
                "POST", "/v1/track", body=json.dumps(TRACKED), headers=key | {"content-type": "application/json"}
            ),
            "consent_api": a_request("GET", "/v1/topics/news", headers=key),
            "catalog_api": a_request("GET", "/v1/products/CD-5", headers=key),
            "jobs_api": a_request("GET", f"/v1/jobs/{asked.json['job_id']}", headers={"authorization": f"Bearer {staff}"}),
            "reference_api": a_request("GET", "/v1/openapi.json"),
            "public_api": a_request("GET", "/public/" + made.json["url"].partition("/public/")[2]),
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
            yield Loopback({**ENVIRONMENT, "AWS_ENDPOINT_URL": url, "FAILURE_QUEUE_URL": f"{url}/failures"}, requests, order)
            server.shutdown()
