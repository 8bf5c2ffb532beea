"""docs/campaigns.md beside the code: its campaign can be saved, its tables are whole, and its formula is the one that holds."""

import json
import re
from decimal import Decimal
from typing import Any, get_args

from ecrm.analytics.experiments import smallest_effect
from ecrm.contracts.campaigns import AudienceBody, CampaignStateName, PutCampaignBody
from ecrm.contracts.exports import recipient_row
from ecrm.domain.assignment import Arm, arm_of, is_in_pilot, share, treatment_of
from ecrm.domain.messages import OPEN, Status
from ecrm.entry.json_body import read_json
from tests.architecture.pages import code, section, table
from tests.architecture.sources import ROOT
from tests.builders import NOON, a_planned_send

PAGE = ROOT / "docs" / "campaigns.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_campaign_that_the_page_begins_with_can_be_saved() -> None:
    said = re.search(r"```http\nPUT /v1/campaigns/([\w-]+)\n(.*?)```", TEXT, re.DOTALL)
    assert said is not None
    campaign = PutCampaignBody.model_validate(read_json(said[2].encode())).to_campaign(said[1], "de", NOON)
    assert ("slipping-away", frozenset({"champions", "at-risk"})) == (campaign.salt, campaign.segments)


def test_every_field_is_told_with_what_holds_without_it() -> None:
    told = {code(field): default for field, default, _ in table(section(PAGE, "What it says"), "field", "without it", "")}
    fields = PutCampaignBody.model_fields
    assert list(fields) == [*told]
    needed = [name for name, field in fields.items() if field.is_required()]
    assert needed == [name for name, default in told.items() if default == "needed"]
    for name, default in told.items():
        if default.isdigit():
            assert Decimal(default) == fields[name].default


def test_every_state_and_every_end_is_told() -> None:
    told = section(PAGE, "What becomes of it")
    assert set(get_args(CampaignStateName)) == {code(state) for state, _ in table(told, "state", "")}
    assert {status.value for status in set(Status) - OPEN} == {code(status) for status, _ in table(told, "status", "")}


def test_the_formula_of_the_page_is_the_one_that_holds() -> None:
    found = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    told: dict[str, Any] = {}
    exec(found[1], told)  # noqa: S102 (our own page)
    weights = (1, 3, 2)
    message = {"treatments": [{"name": number, "weight": weight} for number, weight in enumerate(weights)]}
    for number in range(1_000):
        salt, customer_id = f"campaign-{number % 7}", f"{number:032x}"
        campaign = {"salt": salt, "control_percent": 7.5, "pilot": {"percent": 40}}
        assert share(salt, "control", customer_id) == told["share"](salt, "control", customer_id)
        assert (arm_of(salt, Decimal("7.5"), customer_id) is Arm.CONTROL) is told["is_held_out"](campaign, customer_id)
        assert is_in_pilot(salt, Decimal(40), customer_id) is told["is_in_pilot"](campaign, customer_id)
        assert treatment_of(salt, weights, customer_id) == told["treatment"](campaign, message, customer_id)


def test_what_a_shell_says_on_the_page_is_what_it_says() -> None:
    found = re.search(r"printf '(\w+)\\0(\w+)\\0%s' (\w+) \| sha256sum` begins with `(\w{16})`, which by 2⁶⁴ is ([\d.]+)", TEXT)
    assert found is not None
    salt, purpose, customer_id, digits, place = found.groups()
    assert int(digits, 16) / 2**64 == share(salt, purpose, customer_id)
    assert place == f"{share(salt, purpose, customer_id):.3f}"


def test_the_rules_of_the_page_are_json() -> None:
    for said in re.findall(r'`({"unit".*?})`', TEXT):
        assert json.loads(said)["unit"] in ("day", "week", "month")


def test_the_columns_of_the_recipients_are_told_in_their_order() -> None:
    told = re.search(r"gives a line for each in the audience: (.*?) There is no address in it", TEXT, re.DOTALL)
    assert told is not None
    assert [*recipient_row(a_planned_send("r1", "c1"))] == re.findall(r"`(\w+)`", told[1])


def test_the_smallest_effect_that_the_page_reads_is_the_one_that_a_report_tells() -> None:
    said = re.search(
        r"where ([\d,]+) are treated and ([\d,]+) held out, it has `({.*?})`\. If (\d+) of 100 .*? then ([\d.]+) of 100", TEXT
    )
    assert said is not None
    treated, control = (int(number.replace(",", "")) for number in said.groups()[:2])
    told = json.loads(said[3])
    effect = smallest_effect(treated, control, told["baseline"])
    assert effect is not None
    assert told == {"baseline": float(said[4]) / 100, "effect": round(effect, 6)}
    assert said[5] == f"{100 * (told['baseline'] + told['effect']):.1f}"


def test_the_audience_of_a_first_step_of_going_live_can_be_saved() -> None:
    found = re.search(r"```json\n(.*?)```", section(ROOT / "docs" / "going-live.md", "9. Warming up"), re.DOTALL)
    assert found is not None
    AudienceBody.model_validate(read_json(found[1].encode())).to_audience()
