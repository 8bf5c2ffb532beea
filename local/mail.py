"""`make mail`: what is in the mailbox, and what is to become of a mail: `make mail ARGS="bounce 3"`."""

import json
import sys
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode

from local.mailbox import ROOT, links
from local.ses import REPORTS, Mail
from local.stack import Stack, give_up
from local.up import wait_until

USAGE = f'make mail ARGS="list", or one of {", ".join(REPORTS)} and a mail\'s number; after click the number of a link'

REFUSED = {404: "there is no such mail", 409: "SES would tell nobody: the mail's configuration set has no destination for that"}


def mails(stack: Stack) -> list[Mail]:
    """Every mail that SES took, oldest first: the first one is number 1."""
    answer: dict[str, dict[str, list[Mail]]] = json.loads(_call(stack, "GET", "/_ministack/ses/messages"))
    return [mail for each in answer["messages"].values() for mail in each]


def report(stack: Stack, number: int, word: str, link: str = "") -> None:
    """Report a mail as delivered, bounced and so on, as SES would. Ends the program where SES would tell nobody."""
    _call(stack, "POST", f"{ROOT}/{number}/{word}", urlencode({"link": link}))


def fail(stack: Stack, fault: str, times: int) -> None:
    """Let the next calls of SendEmail fail: `throttle`, `error`, `lose` (it goes out, the reply is lost), or `stall`, slowly."""
    _call(stack, "POST", "/_local/ses/faults", json.dumps({"fault": fault, "times": times}))


def wait_for_mails(stack: Stack, *to: str) -> list[Mail]:
    """Wait until somebody at each of these addresses has a mail; return all mails to them, oldest first."""
    wait_until(lambda: {to for mail in mails(stack) for to in mail["To"]} >= set(to), f"no mail to {', '.join(to)}")
    return [mail for mail in mails(stack) if set(mail["To"]) & set(to)]


def number_of(stack: Stack, mail: Mail) -> int:
    """A mail's number."""
    return [each["MessageId"] for each in mails(stack)].index(mail["MessageId"]) + 1


def _call(stack: Stack, method: str, path: str, body: str | None = None) -> str:
    connection = HTTPConnection("127.0.0.1", stack.port, timeout=60)
    try:
        connection.request(method, path, body)
        answer: HTTPResponse = connection.getresponse()
        text = answer.read().decode()
    except OSError:
        give_up(f"nothing answers on port {stack.port}: `make up` first")
    finally:
        connection.close()
    if answer.status in REFUSED:
        give_up(REFUSED[answer.status])
    return text


def main(arguments: list[str]) -> None:
    """List, or report one mail."""
    stack, sent = Stack.of_environment(), mails(Stack.of_environment())
    match arguments:
        case [] | ["list"]:
            for number, mail in enumerate(sent, start=1):
                told = ", ".join(REPORTS[report["word"]][1] for report in mail["Reported"]) or "accepted"
                print(f"{number:>5}  {', '.join(mail['To']):<32}  {told:<24}  {mail['Subject']}")
            print(f"The mailbox: {stack.endpoint}{ROOT}")
        case [word, number, *which] if word in REPORTS and number.isdecimal() and 1 <= int(number) <= len(sent):
            link = links(sent[int(number) - 1])[int(which[0]) - 1 if which else 0] if word == "click" else ""
            report(stack, int(number), word, link)
            print(f"Mail {number} is reported as {REPORTS[word][1]}{f': {link}' if link else ''}")
        case _:
            give_up(f"there are {len(sent)} mails. {USAGE}")


if __name__ == "__main__":
    main(sys.argv[1:])
