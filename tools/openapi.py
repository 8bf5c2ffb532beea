"""The API's description, made from the functions' routes and their contracts.

`python -m tools.openapi` writes docs/openapi.json, and into functions/reference_api the same and docs.html, a page for people.
With `--check` it writes nothing, names what has drifted and exits with 1.
"""

import argparse
import copy
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ecrm.contracts import fields
from ecrm.contracts.campaigns import CampaignBody, CampaignId, CampaignVersionBody, RunBody
from ecrm.contracts.drops import IMPORT_ID
from ecrm.contracts.jobs import JOB_ID, JobBody
from ecrm.contracts.members import SegmentDetailsBody
from ecrm.contracts.messages import MESSAGE_ID, MessageBody, RequestMessageBody, SendingBody, SoughtBody
from ecrm.contracts.orders import BatchBody, OrderBody, OrderEventBody, PlaceOrderBody
from ecrm.contracts.problems import ProblemBody
from ecrm.contracts.products import ProductsBatchBody
from ecrm.contracts.profiles import KeptCustomerBody
from ecrm.contracts.segments import SegmentBody, SegmentId
from ecrm.contracts.sites import SiteBody
from ecrm.contracts.subscriptions import SubscribedBody
from ecrm.contracts.templates import PreviewTemplateBody, SendTestBody, TemplateBody, TemplateSavedBody, TestSendBody
from ecrm.contracts.topics import TopicBody
from ecrm.contracts.uploads import ImportBody
from ecrm.entry.http import FORM, Route
from ecrm.entry.problems import TITLES
from tools.openapi_page import page
from tools.openapi_words import ABOUT, ANSWERS, EXAMPLES, FIELDS, FOR_BROWSERS, PROBLEMS, QUERY, answer_examples

type Json = dict[str, Any]

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "functions/reference_api"
FUNCTIONS = (
    *("orders_api", "ingest_api", "consent_api", "customers_api", "catalog_api", "templates_api", "messages_api", "sites_api"),
    *("segments_api", "campaigns_api", "reports_api", "imports_api", "jobs_api", "reference_api"),
)
SCHEMAS = "#/components/schemas/"

HEADERS: dict[str, Json] = {
    "Location": {"description": "Where it is.", "schema": {"type": "string", "pattern": "^/v1/"}},
    "Idempotent-Replayed": {
        "description": "There where the Idempotency-Key was met before.",
        "schema": {"type": "string", "const": "true"},
    },
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string", "pattern": r'^"\d+"$'}},
    "Retry-After": {"description": "Seconds to wait before trying again.", "schema": {"type": "string", "pattern": r"^\d+$"}},
    "Allow": {"description": "The methods that this path has.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to say who you are.", "schema": {"type": "string", "const": "Bearer"}},
    "Access-Control-Allow-Origin": {
        "description": "Pages of any origin may read this.",
        "schema": {"type": "string", "const": "*"},
    },
    "X-Correlation-Id": {"description": "Names this request in our logs.", "schema": {"type": "string"}},
}
PARAMETERS: dict[str, Json] = {
    "Idempotency-Key": {
        "description": "A name for this request, bare or in double quotes, kept for 24 hours: sent again with the same bytes it "
        "has one effect and one answer.",
        "schema": {"type": "string", "pattern": '^("[ -~]{1,255}"|[!#-~]([ -~]{0,253}[!-~])?|"([ -~]{0,253}[!#-~])?)$'},
    },
    "If-Match": {
        "description": "Change only the version whose ETag this is.",
        "schema": {"type": "string", "pattern": r'^"\d{1,9}"$'},
    },
    "If-None-Match": {"description": "`*`: create, never replace.", "schema": {"type": "string", "const": "*"}},
}
IN_PATH: dict[str, Json] = {
    "write_key": {"description": "The write key, which a browser knows.", "schema": {"type": "string", "maxLength": 200}},
    "order_id": {"description": "The shop's own id of the order.", "schema": TypeAdapter(fields.OrderId).json_schema()},
    "customer_id": {
        "description": "Our id of the customer, as orders carry it.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "site": {"description": "The site's name.", "schema": TypeAdapter(fields.SiteId).json_schema()},
    "job_id": {"description": "The job's id.", "schema": {"type": "string", "pattern": JOB_ID}},
    "import_id": {"description": "The import's id.", "schema": {"type": "string", "pattern": IMPORT_ID}},
    "message_id": {"description": "The message's id.", "schema": {"type": "string", "pattern": MESSAGE_ID}},
    "template": {"description": "The template's name.", "schema": TypeAdapter(fields.TemplateName).json_schema()},
    "version": {
        "description": "The version; 0 is the ready-made one.",
        "schema": {"type": "string", "pattern": r"^(0|[1-9]\d{0,5})$"},
    },
    "segment": {"description": "The segment's name.", "schema": TypeAdapter(SegmentId).json_schema()},
    "campaign": {"description": "The campaign's name.", "schema": TypeAdapter(CampaignId).json_schema()},
    "run_id": {"description": "The run's id.", "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}},
    "night": {"description": "The day of the night, in the company's time zone.", "schema": {"type": "string", "format": "date"}},
    "topic": {"description": "The topic's name.", "schema": TypeAdapter(fields.TopicId).json_schema()},
    "sku": {
        "description": "The shop's own name of the article, of letters, digits, `-`, `.`, `_` and `~`. Any other is told in the "
        "body of `PUT /v1/products` and asked for with `?sku=`.",
        "schema": {"type": "string", "maxLength": 200, "pattern": "^[A-Za-z0-9._~-]+$"},
    },
}
DEFINITIONS = (
    *(SiteBody, TopicBody, TemplateBody, TemplateSavedBody, SegmentBody, SegmentDetailsBody),
    *(CampaignBody, CampaignVersionBody),
)
"""Answers that have a version, for If-Match."""
LATER = (JobBody, MessageBody)
"""Answers to what is done after them."""
THE_SAME = (SoughtBody, SubscribedBody)
"""Answers that do not tell what was found."""
ABOUT_A_CUSTOMER = (RequestMessageBody, PreviewTemplateBody, SendTestBody)
"""Bodies that may name a customer by our id."""
BATCHES = (BatchBody, ProductsBatchBody)
"""Answers in which each element has its own result."""
SHARED = {name: TypeAdapter(getattr(fields, name)).json_schema() for name in ("Amount", "Currency")}
"""Schemas of fields that pydantic writes out each time: we write them once."""


def routes() -> Iterator[tuple[str, Route]]:
    """Give every route with the name of its resource."""
    for function in FUNCTIONS:
        for route, _ in importlib.import_module(f"{function}.handler").handler.routes:
            yield function.removesuffix("_api"), route


def description() -> Json:
    declared = list(routes())
    examples = answer_examples()
    paths: Json = {}
    for resource, route in declared:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(resource, route, examples)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "eCRM",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The ApiUrl among the stack's outputs."}],
        "tags": [{"name": resource} for resource in dict.fromkeys(resource for resource, _ in declared)],
        "security": [{"Bearer": []}, {"Basic": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "Bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer <key>`"},
                "Basic": {"type": "http", "scheme": "basic", "description": "The key as user name, no password."},
            },
            "headers": HEADERS,
            "responses": {str(status): _problem(status) for status in PROBLEMS},
            "schemas": _schemas([route for _, route in declared]),
        },
    }


def _operation(resource: str, route: Route, examples: dict[str, Any]) -> Json:
    name = route.does.__name__
    summary, _, rest = (route.does.__doc__ or "").partition(". ")
    operation: Json = {"operationId": name, "tags": [resource], "summary": summary.rstrip(".")}
    if route.alias:
        rest = f"{rest} Also at {route.alias}.".lstrip()
    if route.tracks:
        rest = f"{rest} {FOR_BROWSERS}".lstrip()
    if rest:
        operation["description"] = rest
    if route.scope is None:
        operation["security"] = []
    else:
        operation["x-required-scope"] = str(route.scope)
    operation["parameters"] = [*_parameters(route)]
    if route.body is not None:
        tracked = (
            " Also as text/plain or gzipped, and with the key as `writeKey`, as Segment's libraries send it."
            if route.tracks
            else ""
        )
        operation["requestBody"] = {
            "required": True,
            "description": f"At most {route.largest // 1024} KB.{tracked}",
            "content": {
                kind: {
                    "schema": {"$ref": SCHEMAS + _name(route.body)},
                    "examples": {title: {"value": value} for title, value in EXAMPLES[name].items()},
                }
                for kind in ("application/json", *((FORM,) if route.takes_forms else ()))
            }
            | (_as_plain_text(route) if route.tracks else {}),
        }
        operation["x-largest-body-bytes"] = route.largest
    operation["responses"] = {
        **{str(status): _answer(route, status, examples.get(name)) for status in _successes(route)},
        **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(_refusals(route))},
    }
    return operation


def _as_plain_text(route: Route) -> Json:
    """The same JSON as text, which a browser sends without asking first."""
    json_inside = {"contentMediaType": "application/json", "contentSchema": {"$ref": SCHEMAS + _name(route.body)}}
    return {"text/plain": {"schema": {"type": "string"} | json_inside}}


def _parameters(route: Route) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", route.path):
        yield {"name": name, "in": "path", "required": True, **IN_PATH[name]}
    shape = _plain(route.query.model_json_schema())
    for name, field in shape.get("properties", {}).items():
        schema = _without_null(field)
        if "$ref" in schema:
            schema = shape["$defs"][schema["$ref"].rpartition("/")[2]]
        yield {"name": name, "in": "query", "required": False, "description": _asked(route, name), "schema": schema}
    for name in _headers_read(route):
        yield {"name": name, "in": "header", "required": False, **PARAMETERS[name]}


def _asked(route: Route, name: str) -> str:
    return QUERY.get(f"{route.query.__name__}.{name}") or QUERY[name]


def _headers_read(route: Route) -> tuple[str, ...]:
    if _is_definition(route):
        return ("If-Match", "If-None-Match")
    if _turns(route) and route.creates:
        return ("Idempotency-Key", "If-Match")
    return ("Idempotency-Key",) if route.creates or route.method == "PATCH" else ()


def _is_definition(route: Route) -> bool:
    """Say whether a PUT replaces a version that was seen; other PUTs keep what is said of each field."""
    return route.method == "PUT" and route.answer in DEFINITIONS


def _turns(route: Route) -> bool:
    """Say whether it changes what becomes of a campaign."""
    return route.method == "POST" and route.answer is CampaignBody


def _begins(route: Route) -> bool:
    """Say whether it begins a run, of which there is one at most."""
    return route.method == "POST" and route.answer is RunBody


def _successes(route: Route) -> tuple[int, ...]:
    if (route.answer in LATER and route.creates) or route.answer in THE_SAME:
        return (202,)
    if route.answer is SendingBody or _turns(route):
        return (200,)
    if route.answer is ImportBody and route.creates:
        return (201,)
    makes_one = route.method == "PUT" or _begins(route) or (route.creates and route.answer not in BATCHES)
    return (201, 200) if makes_one else (200,)


def _refusals(route: Route) -> set[int]:
    """What a route can refuse; tests bring about each of these and meet no other."""
    found = {400, 405, 422}
    if route.scope is not None:
        found |= {401, 403}
    if route.scope is not None or route.body is not None:
        found |= {500, 503}
    if "{" in route.path or route.body in ABOUT_A_CUSTOMER:
        found |= {404}
    about_an_order = "{order_id}" in route.path or route.answer is OrderBody
    about_a_customer = "{customer_id}" in route.path or route.answer is KeptCustomerBody or route.body in ABOUT_A_CUSTOMER
    if about_a_customer or about_an_order:
        found |= {410}
    if route.body is not None:
        found |= {413, 415}
    if _is_definition(route) or (_turns(route) and route.creates):
        found |= {412}
    return found | ({409} if _contradicts(route) else set())


def _contradicts(route: Route) -> bool:
    """Say whether what it asks for can be against what is a fact; switching twice is switching once."""
    if route.answer in (CampaignBody, ImportBody, RunBody, TestSendBody):
        return route.method != "GET"
    if _is_definition(route) or route.answer is SendingBody:
        return False
    return route.method in ("PUT", "PATCH") or (bool(route.creates) and route.answer not in BATCHES)


def _answer(route: Route, status: int, example: Any) -> Json:
    words, names = _words(route)
    names += ["Access-Control-Allow-Origin"] if route.tracks else []
    content: Json = {"schema": {"$ref": SCHEMAS + _name(route.answer)}}
    if route.answer in (str, dict):
        content = {"schema": {"type": "string" if route.answer is str else "object"}}
    elif example is not None:
        content["example"] = example
    made: Json = {"text/html" if route.answer is str else "application/json": content}
    if route.takes_forms:
        made["text/html"] = {"schema": {"type": "string"}}
    return {"description": words[status], "headers": _headers(["X-Correlation-Id", *names]), "content": made}


def _words(route: Route) -> tuple[dict[int, str], list[str]]:
    """What each success means, and the headers that it has."""
    replayed = "Idempotent-Replayed"
    cases: tuple[tuple[bool, dict[int, str], list[str]], ...] = (
        (route.answer in BATCHES, {200: "Each element has its own result."}, [replayed]),
        (
            route.answer in LATER and bool(route.creates),
            {202: "It is asked for; what is at Location tells how far it is."},
            ["Location", replayed],
        ),
        (route.answer in THE_SAME, {202: "The same, whatever was found; a page to read where a form was sent."}, []),
        (route.answer is SendingBody, {200: "As it is now."}, []),
        (
            route.answer is ImportBody and bool(route.creates),
            {201: "It waits for its file; `upload` says how to send that."},
            ["Location", replayed],
        ),
        (route.answer is ImportBody and route.method == "POST", {200: "As it is now."}, []),
        (_turns(route), {200: "As it is now."}, ["ETag", *([replayed] if route.creates else [])]),
        (_begins(route), {201: "It has begun.", 200: "It had begun before."}, ["Location"]),
        (bool(route.creates), {201: "It is made.", 200: "It was there already."}, ["Location", replayed]),
        (_is_definition(route), {201: "It is made.", 200: "It is replaced."}, ["ETag"]),
        (route.method == "PUT", {201: "It is made.", 200: "It was there; as it is now."}, ["Location"]),
        (route.method == "PATCH", {200: "As it is now."}, [replayed]),
    )
    asked_for = {200: "What was asked for."}, ["ETag"] if route.answer in DEFINITIONS else []
    return next(((words, names) for holds, words, names in cases if holds), asked_for)


def _problem(status: int) -> Json:
    names = {401: ["WWW-Authenticate"], 405: ["Allow"], 409: ["Retry-After"], 503: ["Retry-After"]}.get(status, [])
    return {
        "description": f"{TITLES[status]}. {PROBLEMS[status]}",
        "headers": _headers(["X-Correlation-Id", *names]),
        "content": {"application/problem+json": {"schema": {"$ref": SCHEMAS + _name(ProblemBody)}}},
    }


def _headers(names: list[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schemas(declared: list[Route]) -> Json:
    """Write out every body and answer, the elements of batches as what they must be."""
    bodies = {_name(body): body for body in (PlaceOrderBody, *(route.body for route in declared)) if body is not None}
    answers = {_name(answer): answer for answer in (ProblemBody, *(r.answer for r in declared)) if answer not in (str, dict)}
    places, made = TypeAdapter.json_schemas(
        [
            *((name, "validation", _adapter(body)) for name, body in bodies.items()),
            *((name, "serialization", _adapter(answer)) for name, answer in answers.items()),
        ],
        ref_template=SCHEMAS + "{model}",
    )
    schemas: Json = SHARED | _shared(_plain(made["$defs"]))
    events = "OrderEventBody"
    schemas[events] = _plain(places[events, "validation"])
    schemas |= _in_batch(schemas, events)
    schemas["PlaceOrdersBody"]["properties"]["orders"]["items"] = {"$ref": f"{SCHEMAS}PlaceOrderBody"}
    schemas["PutProductsBody"]["properties"]["products"]["items"] = {"$ref": f"{SCHEMAS}PutProductBody"}
    schemas["RecordOrderEventsBody"]["properties"]["events"]["items"] = {"$ref": f"{SCHEMAS}OrderEventInBatch"}
    for name, schema in schemas.items():
        words = FIELDS if schema.get("additionalProperties") is False else ANSWERS
        for field, about in schema.get("properties", {}).items():
            found = words.get(f"{name.replace('InBatch', 'Body')}.{field}") or words.get(field)
            if found and about.get("description") != fields.ONLY_ANSWERED:
                about["description"] = found
    return dict(sorted(schemas.items()))


def _in_batch(schemas: Json, events: str) -> Json:
    """Write each event's closed schema again, with the `order_id` that stands in the path of the single call."""
    order_id = schemas["PlaceOrderBody"]["properties"]["order_id"]
    made: Json = {}
    mapping: dict[str, str] = {}
    for kind, place in schemas[events]["discriminator"]["mapping"].items():
        schema = copy.deepcopy(schemas[place.removeprefix(SCHEMAS)])
        schema["properties"] = {"order_id": copy.deepcopy(order_id), **schema["properties"]}
        schema["required"] = ["order_id", *schema["required"]]
        mapping[kind] = place.removesuffix("Body") + "InBatch"
        made[mapping[kind].removeprefix(SCHEMAS)] = schema
    return made | {
        "OrderEventInBatch": {
            "oneOf": [{"$ref": place} for place in mapping.values()],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }
    }


def _name(shape: Any) -> str:
    """Name a body or an answer; the one adapter among the bodies is that of the events."""
    return "OrderEventBody" if isinstance(shape, TypeAdapter) else str(shape.__name__)


def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(OrderEventBody) if isinstance(shape, TypeAdapter) else TypeAdapter(shape)


def _plain(schema: Any, *, named: bool = False) -> Any:
    """Leave out the titles that pydantic makes of names; `named`: the keys are names of ours, not keywords."""
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if named or key != "title"}
        return {key: _plain(value, named=not named and key in ("properties", "$defs")) for key, value in kept.items()}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


def _shared(schema: Any) -> Any:
    """Point to the shared schemas where they are written out."""
    if isinstance(schema, dict):
        for name, shared in SHARED.items():
            if shared.items() <= schema.items():
                return {"$ref": SCHEMAS + name} | {key: value for key, value in schema.items() if key not in shared}
        return {key: _shared(value) for key, value in schema.items()}
    return [_shared(each) for each in schema] if isinstance(schema, list) else schema


def _without_null(field: Json) -> Json:
    """A query string has no null."""
    return next((dict(option) for option in field.get("anyOf", ()) if option != {"type": "null"}), field)


def files() -> dict[Path, str]:
    """What is generated: path and text."""
    made = description()
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    return {
        ROOT / "docs/openapi.json": text,
        REFERENCE / "openapi.json": text,
        REFERENCE / "docs.html": page(made),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    asked = parser.parse_args()
    drifted = {path: text for path, text in files().items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    for path, text in drifted.items():
        if asked.check:
            print(f"{path.relative_to(ROOT)} is not what the code says: make docs", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(ROOT))
    if asked.check and drifted:
        sys.exit(1)


if __name__ == "__main__":
    main()
