"""The description as a page for people: one file, no script, nothing loaded from elsewhere."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from ecrm.contracts.fields import ONLY_ANSWERED

type Json = dict[str, Any]
type Row = tuple[str, str, str]

_SCHEMAS = "#/components/schemas/"
_MOST_VALUES = 12
"""More values of an enumeration than this are not listed."""

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d5dbe1;--back:#fff;--code:#f3f5f7}
:root{--go:#0b6b3a;--put:#8a4b00;--get:#0b57a4}
@media(prefers-color-scheme:dark){
:root{--ink:#e6e9ec;--soft:#9aa5b1;--line:#333b45;--back:#14181d;--code:#1f252c}
:root{--go:#5fd39a;--put:#f0b263;--get:#7db8f5}
}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem 1rem 4rem;font:16px/1.55 system-ui,sans-serif}
body{color:var(--ink);background:var(--back)}
h1{margin:.5rem 0}
h2{margin:3rem 0 .5rem;padding-top:1rem;border-top:3px solid var(--line);text-transform:capitalize}
h3{margin:2.5rem 0 .3rem;font-size:1.05rem;overflow-wrap:anywhere}
h4{margin:1.2rem 0 .3rem;font-size:.95rem}
a{color:var(--get)}p{margin:.4rem 0}.soft{color:var(--soft)}
code{font:.9em ui-monospace,monospace;background:var(--code);padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}
pre{background:var(--code);padding:.8rem;border-radius:6px;overflow-x:auto}
pre code{padding:0;background:none;overflow-wrap:normal}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line)}
td:first-child{white-space:nowrap}th{color:var(--soft);font-weight:600}
.method{font-weight:700}.POST{color:var(--go)}.PUT{color:var(--put)}.GET{color:var(--get)}
nav ul{list-style:none;padding:0;margin:.2rem 0 1rem}nav li{margin:.25rem 0;overflow-wrap:anywhere}
summary{cursor:pointer;margin:.4rem 0}
@media(max-width:40rem){
th{display:none}tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}
td{display:block;padding:0;border:0}td:first-child{white-space:normal}td:nth-child(2){color:var(--soft)}
}
"""


def page(api: Json) -> str:
    operations = [_Operation(api, path, method, said) for path, item in api["paths"].items() for method, said in item.items()]
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(api["info"]["title"])} API</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<header><h1>{escape(api['info']['title'])} API</h1>",
        *(f"<p>{_words(paragraph)}</p>" for paragraph in api["info"]["description"].split("\n\n")),
        '<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p></header>',
        f"<nav>{''.join(_contents(api, operations))}</nav><main>",
    ]
    for tag in api["tags"]:
        parts.append(f'<section><h2 id="{tag["name"]}">{escape(tag["name"])}</h2>')
        parts += [line for operation in operations if tag["name"] in operation.said["tags"] for line in operation.lines()]
        parts.append("</section>")
    parts += ['<section><h2 id="errors">errors</h2>', *_errors(api), "</section></main></body></html>"]
    return "\n".join(parts) + "\n"


def _contents(api: Json, operations: list["_Operation"]) -> Iterator[str]:
    for tag in api["tags"]:
        own = "".join(f"<li>{operation.link()}</li>" for operation in operations if tag["name"] in operation.said["tags"])
        yield f'<a href="#{tag["name"]}">{escape(tag["name"])}</a><ul>{own}</ul>'
    yield '<a href="#errors">errors</a>'


def _errors(api: Json) -> Iterator[str]:
    yield "<p>Every refusal has this shape; what is wrong with a body stands in <code>errors</code>, place by place.</p>"
    yield from _table(("field", "type", ""), _Shapes(api).rows({"$ref": f"{_SCHEMAS}ProblemBody"}, sent=False))
    answers = api["components"]["responses"].items()
    yield from _table(("status", "", ""), ((_code(status), "", _words(said["description"])) for status, said in answers))


class _Operation:
    def __init__(self, api: Json, path: str, method: str, said: Json) -> None:
        self.api = api
        self.path = path
        self.method = method.upper()
        self.said = said
        self.shapes = _Shapes(api)

    def link(self) -> str:
        return f'{self._call()} <a href="#{self.said["operationId"]}">{_words(self.said["summary"])}</a>'

    def _call(self) -> str:
        return f'<span class="method {self.method}">{self.method}</span> <code>{escape(self.path)}</code>'

    def lines(self) -> Iterator[str]:
        yield f'<article><h3 id="{self.said["operationId"]}">{self._call()}</h3>'
        about = " ".join(f"{part}." if not part.endswith(".") else part for part in self._about())
        yield f"<p>{_words(about)}</p>"
        scope = self.said.get("x-required-scope")
        yield f'<p class="soft">{f"Scope {_code(scope)}" if scope else "No key is needed"}.</p>'
        if self.said["parameters"]:
            yield "<h4>Parameters</h4>"
            yield from _table(("name", "in, type", ""), self._parameters())
        yield from self._body()
        yield "<h4>Answers</h4>"
        yield from _table(("status", "headers", ""), self._answers())
        yield from self._found()
        yield "</article>"

    def _about(self) -> Iterator[str]:
        yield self.said["summary"]
        if "description" in self.said:
            yield self.said["description"]

    def _parameters(self) -> Iterator[Row]:
        for one in self.said["parameters"]:
            needed = ", needed" if one["required"] and one["in"] != "path" else ""
            yield _code(one["name"]), f"{one['in']}{needed}, {self.shapes.kind(one['schema'])}", _words(one["description"])

    def _body(self) -> Iterator[str]:
        if "requestBody" not in self.said:
            yield from self._example("Example", None)
            return
        body = self.said["requestBody"]
        content = body["content"]["application/json"]
        yield f"<h4>Body</h4><p>{_words(body['description'])}</p>"
        yield from self.shapes.lines(content["schema"])
        for at, (title, example) in enumerate(content["examples"].items()):
            if at == 1:
                yield "<details><summary>More examples</summary>"
            yield from self._example(f"Example: {escape(title)}", example["value"])
        if len(content["examples"]) > 1:
            yield "</details>"

    def _example(self, title: str, body: Any) -> Iterator[str]:
        yield f"<h4>{title}</h4><pre><code>{escape(self._curl(body))}</code></pre>"

    def _curl(self, body: Any) -> str:
        known = {"order_id": "A-1001", "customer_id": "$CUSTOMER", "site": "de", "sku": "CD-5", "topic": "news"}
        known |= {"segment": "champions", "night": "2026-11-20", "campaign": "$CAMPAIGN", "run_id": "$RUN"}
        mail = {"message_id": "$MESSAGE", "template": "order-confirmed", "version": "0"}
        if "{campaign}" in self.path:
            mail |= {"version": "1"}
        named = known | mail | {"job_id": "$JOB", "import_id": "$IMPORT", "write_key": "$WRITE_KEY"}
        path = re.sub(r"{(\w+)}", lambda found: named[found[1]], self.path)
        usual = "GET" if body is None else "POST"
        words = ["curl -sS"] + [f"-X {self.method}"] * (self.method != usual) + [f'"$API{path}"']
        words += ['-H "Authorization: Bearer $KEY"'] * ("x-required-scope" in self.said)
        if body is None:
            return " ".join(words)
        text = shlex.quote(json.dumps(body, indent=1, ensure_ascii=False))
        return " ".join([*words, "-H 'Content-Type: application/json'"]) + f" \\\n  -d {text}"

    def _answers(self) -> Iterator[Row]:
        for status, answer in self.said["responses"].items():
            said = answer
            if "$ref" in answer:
                said = self.api["components"]["responses"][status]
            own = [name for name in said["headers"] if name != "X-Correlation-Id"]
            yield _code(status), " ".join(map(_code, own)), _words(said["description"])

    def _found(self) -> Iterator[str]:
        kind, content = next(iter(next(iter(self.said["responses"].values()))["content"].items()))
        if kind != "application/json" or "$ref" not in content["schema"]:
            return
        yield "<details><summary>What is answered</summary>"
        yield from self.shapes.lines(content["schema"], sent=False)
        yield f"<pre><code>{escape(json.dumps(content['example'], indent=1, ensure_ascii=False))}</code></pre></details>"


class _Shapes:
    """Schemas as tables of their fields, nested ones by their path."""

    def __init__(self, api: Json) -> None:
        self.api = api
        self.sent = {
            said["requestBody"]["content"]["application/json"]["schema"]["$ref"]: said["operationId"]
            for item in api["paths"].values()
            for said in item.values()
            if "requestBody" in said
        }

    def resolve(self, schema: Json) -> Json:
        if "$ref" not in schema:
            return schema
        found: Json = self.api["components"]["schemas"][schema["$ref"].removeprefix(_SCHEMAS)]
        return found | {key: value for key, value in schema.items() if key != "$ref"}

    def lines(self, schema: Json, *, sent: bool = True) -> Iterator[str]:
        """Show a schema's fields; of what is `sent`, also which are needed."""
        whole = self.resolve(schema)
        if "description" in whole:
            yield f"<p>{_words(whole['description'])}</p>"
        if "oneOf" not in whole:
            yield from _table(("field", "type", ""), self.rows(schema, sent=sent))
            return
        for kind, place in whole["discriminator"]["mapping"].items():
            one = self.resolve({"$ref": place})
            about = f": {_words(one['description'])}" if "description" in one else ""
            yield f"<details><summary>{_code(kind)}{about}</summary>"
            yield from _table(("field", "type", ""), self.rows({"$ref": place}, sent=sent))
            yield "</details>"

    def rows(self, schema: Json, within: str = "", *, sent: bool, above: frozenset[str] = frozenset()) -> Iterator[Row]:
        """Show what is in what; a schema that is in itself, such as a rule, is shown `above` and not again."""
        whole = self.resolve(schema)
        above |= {schema.get("$ref", "")}
        needed = whole["required"] if sent and "required" in whole else ()
        ignored = [name for name, field in whole["properties"].items() if field.get("description") == ONLY_ANSWERED]
        for name, field in sorted(whole["properties"].items(), key=lambda named: named[0] not in needed):
            if name in ignored:
                continue
            inner, suffix = self._inner(field)
            kind = self.kind(field) + (", needed" if name in needed else "")
            yield _code(f"{within}{name}"), kind, _words(field.get("description", ""))
            if inner is not None and inner.get("$ref", "#") not in above:
                yield from self.rows(inner, f"{within}{name}{suffix}.", sent=sent, above=above)
        if ignored:
            yield "what answers add", "any", f"{', '.join(_code(f'{within}{name}') for name in ignored)}. {escape(ONLY_ANSWERED)}"

    def _inner(self, field: Json) -> tuple[Json | None, str]:
        """Give the schema of the object or objects in a field, where it is not shown elsewhere."""
        (option, *_) = _options(field)
        suffix = ""
        if option.get("type") == "array":
            option, suffix = option["items"], "[]"
        elif isinstance(option.get("additionalProperties"), dict):
            option, suffix = option["additionalProperties"], ".*"
        shown_elsewhere = self._elsewhere(option) is not None
        return (option if "properties" in self.resolve(option) and not shown_elsewhere else None), suffix

    def _elsewhere(self, option: Json) -> str | None:
        return self.sent.get(option.get("$ref", "").replace("InBatch", "Body"))

    def kind(self, field: Json) -> str:
        options = [self._kind(option) for option in _options(field)]
        nullable = any(option == {"type": "null"} for option in field.get("anyOf", ()))
        default = field.get("default")
        return " or ".join(options + ["null"] * nullable) + (
            f", else {_code(json.dumps(default))}" if default is not None else ""
        )

    def _kind(self, option: Json) -> str:
        if elsewhere := self._elsewhere(option):
            plus = " with its <code>order_id</code>" if option["$ref"].endswith("InBatch") else ""
            return f'what <a href="#{elsewhere}">{elsewhere}</a> takes{plus}'
        if option.get("$ref") in (f"{_SCHEMAS}Currency", f"{_SCHEMAS}Amount"):
            return {"Currency": "ISO 4217 code", "Amount": "amount"}[option["$ref"].removeprefix(_SCHEMAS)]
        whole = self.resolve(option)
        if "const" in whole:
            return _code(json.dumps(whole["const"]) if whole["const"] is True else whole["const"])
        if "enum" in whole and len(whole["enum"]) <= _MOST_VALUES:
            return " | ".join(map(_code, whole["enum"]))
        if whole.get("type") == "array":
            return f"list of {self.kind(whole['items'])}{_bounds(whole, 'minItems', 'maxItems')}"
        kind = whole.get("format") or whole.get("type", "any")
        return f"{kind}{_bounds(whole, 'minLength', 'maxLength')}{_bounds(whole, 'minimum', 'maximum')}" + (
            f" <code>{escape(whole['pattern'])}</code>" if "pattern" in whole else ""
        )


def _options(field: Json) -> list[Json]:
    return [option for option in field.get("anyOf", [field]) if option != {"type": "null"}]


def _bounds(schema: Json, least: str, most: str) -> str:
    if most not in schema:
        return ""
    return f" ({schema[least]}–{schema[most]})" if least in schema else f" (≤ {schema[most]})"


def _table(head: tuple[str, str, str], rows: Iterable[Row]) -> Iterator[str]:
    yield f"<table><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"
    yield from (f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    yield "</table>"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _words(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
