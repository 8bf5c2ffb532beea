"""The curl commands of the documentation, sent to the functions in process."""

import json
import re
import shlex
from urllib.parse import urlsplit

from tests.cloud import Answer
from tests.functions.api import ask

TAKEN = {"-sS", "-X", "-H", "-d"}


def run_piped(commands: str, **variables: str) -> Answer:
    """Send what several `curl` would, each with the answer of the one before it as `-d @-`."""
    answer = None
    for command in commands.split("|\n"):
        answer = run(command, answer.text if answer else "", **variables)
    assert answer is not None
    return answer


def run(command: str, piped: str = "", /, **variables: str) -> Answer:
    """Send what `curl` would send; only the options that the documentation uses are known."""
    program, *words = shlex.split(command.replace("\\\n", " "), posix=True)
    assert "curl" == program
    method, body, headers, url = None, None, {}, ""
    rest = iter(words)
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = filled(next(rest), variables).partition(": ")
            headers[name.lower()] = value
        elif word == "-d":
            said = next(rest)
            body = piped if said == "@-" else said
        elif word != "-sS":
            assert not word.startswith("-"), f"curl {word} is not known here: {TAKEN}"
            url = filled(word, variables)
    path = urlsplit(url)
    return ask(method or ("GET" if body is None else "POST"), path.path, body, query=path.query, headers=headers)


def filled(text: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$([A-Z_]+)", lambda found: variables[found[1]], text)


def same(expected: object, found: object, at: str = "") -> list[str]:
    """Name the places at which an answer is not what is said of it: `…` stands for anything, and not all is said."""
    if expected == "…":
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        return [wrong for key, value in expected.items() for wrong in same(value, found.get(key), f"{at}/{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = zip(expected, found, strict=True)
        return [wrong for number, (one, other) in enumerate(pairs) for wrong in same(one, other, f"{at}/{number}")]
    return [] if expected == found else [f"{at}: {json.dumps(expected)} is said, {json.dumps(found)} is found"]
