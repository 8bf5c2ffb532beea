"""The first campaign of docs/campaigns.md: its commands one after the other, in process, and what they are said to answer."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.instants import to_text
from ecrm.domain.runs import Run
from ecrm.store import keys
from ecrm.store.table import Put
from plan_audience.handler import handler as plan_audience
from settle_sends.handler import handler as settle_sends
from start_campaigns.handler import handler as start_campaigns
from tests.architecture.pages import section
from tests.architecture.sources import ROOT
from tests.cloud import Cloud, Time
from tests.contracts.shell import run_piped, same
from tests.faults import Deliver, Sent, tapped
from tests.functions.mail import Ses
from tools import ecrm

BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```", section(ROOT / "docs" / "campaigns.md", "Your first campaign"), re.MULTILINE | re.DOTALL
)
UP = """make up
read_stack() { sed -n 's/.*"'"$1"'": "\\(.*\\)".*/\\1/p' .local/stack.json; }
API=$(read_stack api_url) STAFF=$(read_stack staff_key)
"""
DEMO = (
    *("--brand", "Demo", "--languages", "en,fa,zh", "--time-zone", "UTC", "--currency", "USD"),
    *("--sender", "shop@demo.example.com", "--postal-address", "Demo, 1 Example Street, Exampletown"),
)
"""What local/up.py says of the laptop's site."""
ROUNDS = 10


@dataclass
class Laptop:
    """What `make` does, in process; `pages` are what the machine of campaigns was asked to have planned."""

    cloud: Cloud
    patch: pytest.MonkeyPatch
    ses: Ses = field(default_factory=Ses)
    pages: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation != "StartExecution":
            return self.ses(sent, deliver)
        self.pages += json.loads(sent.ask["input"])["pages"]
        return sent.answer({"executionArn": "arn:aws:states:eu-central-1:123456789012:execution:campaigns:1", "startDate": 0})

    def do(self, said: str) -> None:
        """Do what a block says that is no request."""
        if said.startswith(UP):
            self._up(said.removeprefix(UP))
        elif said.startswith("cat"):
            self._import(said)
        else:
            assert "make tick\n" == said
            self._tick()

    def _up(self, more: str) -> None:
        self.cloud.arm()
        self.cloud.verify("demo.example.com")
        self._tool("sites", "put", "demo", *DEMO)
        found = re.fullmatch(r'\.venv/bin/python -m local\.tool (sites put demo --test-recipients \S+ --quiet-hours) ""\n', more)
        assert found is not None
        self._tool(*found[1].split(), "")

    def _tool(self, *words: str) -> None:
        self.patch.setattr("sys.argv", ["ecrm", *words])
        ecrm.main()

    def _import(self, said: str) -> None:
        written = dict(re.findall(r"cat > (\S+) <<'END'\n(.*?)END\n", said, re.DOTALL))
        assert said.endswith("END\nmake import FILE=readers.csv\n")
        assert ["readers.csv", "readers.csv.json"] == [*written]
        sidecar = json.loads(written["readers.csv.json"]) | {"site": "demo"}
        self.cloud.drop("contacts/readers.csv", written["readers.csv"].encode(), sidecar=sidecar)
        self.cloud.import_files()
        self.cloud.project()

    def _tick(self) -> None:
        """Run what a schedule runs until no run of a campaign is left, each as if its minutes had passed."""
        for _ in range(ROUNDS):
            start_campaigns({}, Time())
            while self.pages:
                plan_audience(self.pages.pop(), Time())
            settle_sends({}, Time())
            assert [] == self.cloud.send()
            active = bootstrap.runs().active()
            for run in active:
                self._hurry(run)
            if not active:
                return
        raise AssertionError("the campaign does not come to its end")

    def _hurry(self, run: Run) -> None:
        """Let the run, and its pages that somebody comes back to, have been due since it began."""
        table = bootstrap.table()
        for key in (keys.run(run.run_id), *(keys.page(run.run_id, page) for page in range(run.pages))):
            item = table.get(key, consistent=True)
            if item is not None and "due" in item:
                table.put(Put(dict(item) | {"due": to_text(run.started_at)}, None, "hurried"))


def test_the_first_campaign_goes_as_the_page_tells_it(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = Laptop(cloud, monkeypatch)
    assert len(BLOCKS) > 10
    staff = ""
    with tapped(laptop):
        for (kind, said), (_, answer) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
            if kind == "json":
                continue
            if not said.startswith("curl"):
                laptop.do(said)
                staff = staff or cloud.key(KeyKind.STAFF, site="demo")
                continue
            found = run_piped(said, API="", STAFF=staff)
            assert found.status in (200, 201), (said, found.text)
            assert [] == same(json.loads(answer), found.json), said
    written_to = [to for mail in laptop.ses.mails for to in mail["Destination"]["ToAddresses"]]
    assert ["omid@example.com", "sara@example.com", "you@example.com"] == sorted(written_to)
