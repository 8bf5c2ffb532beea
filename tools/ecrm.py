"""The engineer's command: API keys, sites, links, sending, and repairs of statistics and outbox; on a laptop or on AWS.

It works on the stack of `--stack NAME`, whose outputs name the table and the queues, or on those of the environment (TABLE_NAME
and the like), with the AWS credentials of the environment.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from pydantic import ValidationError

from ecrm import bootstrap as wired
from ecrm.application.api_keys import create_key, revoke_key
from ecrm.application.kill_switch import arm, pause, read_sending, resume
from ecrm.application.ports import Contended
from ecrm.application.sites import put_site
from ecrm.contracts.problems import invalid_from
from ecrm.contracts.sites import PutSiteBody, SiteBody
from ecrm.domain.api_keys import ApiKey, KeyKind, Scope
from ecrm.domain.errors import EcrmError
from ecrm.domain.instants import to_answer
from ecrm.domain.messages import Policy
from ecrm.entry import outbox
from ecrm.store.keys import Key, customer_id_of
from ecrm.store.links import rotated
from ecrm.store.table import to_wire

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


OUTPUTS = {
    "TABLE_NAME": "TableName",
    "LINK_SECRET_ID": "LinkSecretArn",
    "FAILURE_QUEUE_URL": "DeadLettersUrl",
    "OUTBOX_FAILURE_QUEUE_URL": "PublishEventsDeadLettersUrl",
    "JOB_QUEUE_URL": "JobQueueUrl",
    "MESSAGE_QUEUE_URL": "MessageQueueUrl",
}
"""Variables of the environment, and the outputs of a stack that they stand for."""
ROTATIONS = 5
"""Tries at rotating the links' key while others do the same."""


def create(asked: argparse.Namespace) -> None:
    secret, key = create_key(
        kind=KeyKind(asked.kind),
        site=asked.site,
        sites=frozenset(asked.sites.split(",")) if asked.sites else frozenset(),
        scopes=frozenset(map(Scope, asked.scopes.split(","))) if asked.scopes else None,
        name=asked.name,
        expires_at=datetime.combine(asked.expires_on, time.max, UTC) if asked.expires_on else None,
        keys=wired.api_keys(),
        known_sites=wired.sites(),
        clock=wired.clock,
        ids=wired.ids,
    )
    if asked.json:
        print(json.dumps({"key_id": key.key_id, "secret": secret}))
    else:
        print(f"{secret}\nkey {key.key_id}: keep the line above, it is not shown again", file=sys.stdout)


def list_keys(_asked: argparse.Namespace) -> None:
    now = wired.clock.now()
    for key in sorted(wired.api_keys().all(), key=lambda key: key.created_at):
        print(key.key_id, key.kind, key.site, ",".join(sorted(key.sites)) or "-", _state(key, now), key.name or "-", sep="\t")


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return f"revoked {to_answer(key.revoked_at)}"
    if key.expires_at is None:
        return "valid"
    return f"{'valid until' if key.is_valid(now) else 'expired'} {to_answer(key.expires_at)}"


def revoke(asked: argparse.Namespace) -> None:
    key = revoke_key(asked.key_id, keys=wired.api_keys(), clock=wired.clock)
    print(f"key {key.key_id} is revoked; functions that know it forget it within 60 seconds")


def put(asked: argparse.Namespace) -> None:
    """Define a site, or change what is named of one: all else of it stays as it is. An empty value takes away what was there."""
    seen = wired.sites().find(asked.site)
    stored = SiteBody.of(seen).model_dump(include=set(PutSiteBody.model_fields)) if seen else {}
    said = {name: value for name, value in vars(asked).items() if name in PutSiteBody.model_fields}
    site, _ = put_site(
        PutSiteBody.model_validate(stored | said).to_site(asked.site, wired.clock.now()),
        expected_version=seen.version if seen else 0,
        sites=wired.sites(),
        templates=wired.templates(),
    )
    print(SiteBody.of(site).model_dump_json())


def text(said: str) -> str | None:
    return said or None


def several(said: str) -> list[str]:
    return said.split(",") if said else []


def mails(said: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in several(said))


def quiet_hours(said: str) -> dict[str, str] | None:
    start, _, end = said.partition("-")
    return {"start": start, "end": end} if said else None


def frequency_cap(said: str) -> dict[str, int] | None:
    most, _, days = said.partition("/")
    return {"most": int(most), "days": int(days)} if said else None


SITE_OPTIONS: tuple[tuple[str, Callable[[str], object], str], ...] = (
    ("--brand", text, "its name; a new site has one, as it has the next three"),
    ("--languages", several, "divided by commas, its own one first"),
    ("--time-zone", text, "as Europe/Berlin"),
    ("--currency", text, "as EUR"),
    ("--sender", text, "the address that its mails come from"),
    ("--reply-to", text, "where answers go"),
    ("--postal-address", text, "for the foot of mails; without it no marketing is sent"),
    ("--url", text, "its own page"),
    ("--logo-url", text, "the picture at the head of its mails"),
    ("--accent", text, "the colour of its mails, as #0a5a8a"),
    ("--test-recipients", several, "whom tests of templates may be sent to, divided by commas"),
    ("--quiet-hours", quiet_hours, "when marketing reaches nobody, as 21:00-08:00"),
    ("--frequency-cap", frequency_cap, "at most so much marketing to a person in so many days, as 4/7"),
    ("--mails", mails, "mails of orders and the welcome, divided by commas: order.placed=order-confirmed,…"),
)
"""Options of `sites put` by the names of the API; each reads what is said as the API takes it, and an empty one as nothing."""


def rotate(asked: argparse.Namespace) -> None:
    """Make a new key the current one. Links made with the old ones go on working; with `retire` only for unsubscribing.

    PutSecretValue compares nothing and would take away the key of a rotation beside this one. So the new text is written as
    pending, and becomes the current one only if the text that it was made from is still that.
    """
    client = cast("SecretsManagerClient", botocore.session.get_session().create_client("secretsmanager"))
    secret_id = os.environ["LINK_SECRET_ID"]
    for _ in range(ROTATIONS):
        seen = client.get_secret_value(SecretId=secret_id)
        text, key_id = rotated(seen["SecretString"], wired.ids.key_secret(), retire=asked.retire)
        pending = client.put_secret_value(SecretId=secret_id, SecretString=text, VersionStages=["AWSPENDING"])
        try:
            client.update_secret_version_stage(
                SecretId=secret_id,
                VersionStage="AWSCURRENT",
                RemoveFromVersionId=seen["VersionId"],
                MoveToVersionId=pending["VersionId"],
            )
        except client.exceptions.InvalidParameterException:
            continue
        old = "old links are good for unsubscribing alone" if asked.retire else "old links keep working"
        print(f"links are made with key {key_id} from now on; {old}")
        return
    raise Contended("others rotate at the same time; nothing was rotated, try again")


def status(_asked: argparse.Namespace) -> None:
    sending, is_armed = read_sending(control=wired.sending_control())
    print(f"this table is {'armed' if is_armed else 'not armed'}")
    for policy in Policy:
        pause = sending.paused.get(policy)
        print(
            f"{policy} mail {f'is paused since {to_answer(pause.since)} by {pause.by}: {pause.reason}' if pause else 'is sent'}"
        )
    if pace := wired.sending_control().pace():
        print(f"SES takes {pace.rate:g} mails a second, as of {to_answer(pace.rated_at)}")


def arm_table(_asked: argparse.Namespace) -> None:
    """Let this table send, and no copy of it. Of a table that was restored from a backup, read docs/operations.md first."""
    arm(control=wired.sending_control())
    print("this table is armed")


def pause_sending(asked: argparse.Namespace) -> None:
    pause(Policy(asked.policy), reason=asked.reason, by="tools.ecrm", control=wired.sending_control(), clock=wired.clock)
    print(f"{asked.policy} mail is paused within two seconds")


def resume_sending(asked: argparse.Namespace) -> None:
    resume(Policy(asked.policy), control=wired.sending_control())
    print(f"{asked.policy} mail is sent again; what waits goes out within minutes")


def rebuild(asked: argparse.Namespace) -> None:
    """Recount everybody from the facts, with all whom they absorbed; `--dry-run` only says whose row differs."""
    differing = failed = 0
    for customers, customer_id in enumerate(wired.customers().all_ids(), start=1):
        differs = _recounted(customer_id, dry_run=asked.dry_run, is_absorbed=_is_absorbed)
        failed += differs is None
        if differs:
            differing += 1
            print(f"{customer_id} {'differs' if asked.dry_run else 'is put right'}")
        if customers % 1000 == 0:
            print(f"{customers} customers so far, {differing} rows differ", file=sys.stderr)
    print(f"{differing} rows differ")
    if failed or (differing and asked.dry_run):
        sys.exit(1)


def _is_absorbed(customer_id: str) -> bool:
    customer = wired.customers().find(customer_id)
    return customer is not None and customer.merged_into is not None


def _recounted(customer_id: str, *, dry_run: bool = False, is_absorbed: Callable[[str], bool] = lambda _: False) -> bool | None:
    """Say whether the row differed; None, with a complaint, where the customer cannot be counted."""
    try:
        return not is_absorbed(customer_id) and wired.recount(customer_id, dry_run=dry_run)
    except Exception as error:  # noqa: BLE001 (poison, or a busy table: the others are counted all the same)
        print(f"{customer_id} cannot be counted: {type(error).__name__}", file=sys.stderr)
        return None


def repair(_asked: argparse.Namespace) -> None:
    """Recount whoever is named in the failure queue, and delete each message once its customer is right again.

    A message that Lambda itself put there names a part of the stream, not a customer: it stays, and asks for `rebuild`.
    """
    _repair(os.environ["FAILURE_QUEUE_URL"], _is_recounted)


def hand_on(_asked: argparse.Namespace) -> None:
    """Hand on whatever is named in the outbox's failure queue, and delete each message once its event is where it belongs.

    What is gone meanwhile, with an erasure, is nothing to do. What is handed on twice is worked on once. A message that Lambda
    itself put there names a part of the stream, not an event: it stays, and docs/operations.md says what to do about it.
    """
    _repair(os.environ["OUTBOX_FAILURE_QUEUE_URL"], _is_handed_on)


def _repair(queue: str, is_repaired: Callable[[Key], bool]) -> None:
    """Work on every event that is named in a queue of failures, until what is left cannot be repaired; then fail."""
    client = cast("SQSClient", botocore.session.get_session().create_client("sqs"))
    repaired, kept = 0, dict[str, str]()
    while messages := client.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=120, WaitTimeSeconds=2
    ).get("Messages"):
        if all(message["MessageId"] in kept for message in messages):
            break
        for message in messages:
            key = _parked(message["Body"])
            if message["MessageId"] not in kept and key is not None and is_repaired(key):
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                repaired += 1
            else:
                kept[message["MessageId"]] = message["ReceiptHandle"]
    for handle in kept.values():  # the next repair, and whoever looks, shall see them at once
        client.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    print(f"{repaired} events repaired, {len(kept)} left in the queue")
    if kept:
        sys.exit(1)


def _parked(message: str) -> Key | None:
    """Read which event a message of ours names."""
    try:
        said = json.loads(message)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("type") != "parked_event":
        return None
    return Key(said["pk"], said["sk"])


def _is_recounted(event: Key) -> bool:
    return _recounted(customer_id_of(event.pk)) is not None


def _is_handed_on(event: Key) -> bool:
    try:
        item = wired.table().get(event, consistent=True)
        if item is not None:
            outbox.hand_on(
                to_wire(item),
                send_job=wired.job_queue().send,
                send_message=partial(wired.message_queue().send, is_of_many=False),
                plan=wired.plan_order_mail,
                welcome=wired.plan_welcome,
            )
    except Exception as error:  # noqa: BLE001 (poison, or a busy queue: the others are handed on all the same)
        print(f"{event.pk} {event.sk} cannot be handed on: {type(error).__name__}", file=sys.stderr)
        return False
    return True


def _use_stack(name: str) -> None:
    client = cast("CloudFormationClient", botocore.session.get_session().create_client("cloudformation"))
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    os.environ.update({variable: outputs[output] for variable, output in OUTPUTS.items()})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ecrm", description=__doc__)
    parser.add_argument("--stack", help="the CloudFormation stack; else TABLE_NAME and the like of the environment")
    nouns = parser.add_subparsers(required=True)

    def verb(group: Any, name: str, does: Callable[[argparse.Namespace], None], words: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = group.add_parser(name, help=words, description=does.__doc__)
        made.set_defaults(does=does)
        return made

    keys = nouns.add_parser("keys", help="API keys").add_subparsers(required=True)
    made = verb(keys, "create", create, "make a key and show its secret, once")
    made.add_argument("--kind", choices=[*KeyKind], required=True)
    made.add_argument("--site", required=True, help="the site meant where a request names none")
    made.add_argument("--sites", help="further sites it reaches, divided by commas; * for all")
    made.add_argument("--scopes", help="fewer than its kind may have, divided by commas")
    made.add_argument("--expires-on", type=date.fromisoformat, help="its last day, UTC")
    made.add_argument("--name", default="", help="what it is for")
    made.add_argument("--json", action="store_true")
    verb(keys, "list", list_keys, "list keys, oldest first")
    verb(keys, "revoke", revoke, "end a key").add_argument("key_id")

    site = verb(nouns.add_parser("sites", help="sites").add_subparsers(required=True), "put", put, "define a site, or change one")
    site.add_argument("site")
    for option, read, words in SITE_OPTIONS:
        site.add_argument(option, type=read, default=argparse.SUPPRESS, help=words)

    links = nouns.add_parser("links", help="links to public pages").add_subparsers(required=True)
    turned = verb(links, "rotate", rotate, "make a new key the current one; old links keep working")
    turned.add_argument("--retire", action="store_true", help="old links open nothing any more, but for unsubscribing")

    sending = nouns.add_parser("sending", help="whether mail is sent").add_subparsers(required=True)
    verb(sending, "status", status, "say whether mail is sent, and why not")
    verb(sending, "arm", arm_table, "let this table send")
    stopped = verb(sending, "pause", pause_sending, "send no more mail of a kind, within two seconds")
    stopped.add_argument("policy", choices=[*Policy])
    stopped.add_argument("--reason", required=True, help="why: others will wonder")
    verb(sending, "resume", resume_sending, "send it again").add_argument("policy", choices=[*Policy])

    stats = nouns.add_parser("stats", help="statistics").add_subparsers(required=True)
    verb(stats, "rebuild", rebuild, "recount every customer").add_argument("--dry-run", action="store_true")
    verb(stats, "repair", repair, "recount whoever is in the failure queue")

    parked = nouns.add_parser("outbox", help="jobs, messages and mails of orders that were asked for").add_subparsers(
        required=True
    )
    verb(parked, "repair", hand_on, "hand on whatever is in the outbox's failure queue")
    return parser


def main() -> None:
    asked = _parser().parse_args()
    if asked.stack:
        _use_stack(asked.stack)
    try:
        asked.does(asked)
    except ValidationError as error:
        wrong = invalid_from(error)
        sys.exit("\n".join(f"{flaw.pointer}: {flaw.detail}" for flaw in wrong.flaws))
    except EcrmError as error:
        sys.exit(error.detail)


if __name__ == "__main__":
    main()
