"""One page that tells how the shop is doing, then what carries it."""

import ast
import json
import re
from typing import Any

from tests.architecture.sources import shipped, tree
from tests.architecture.stack import Stack

SUBSTITUTED = re.compile(r"\$\{([\w:.]+)\}")
OURS = "eCRM/<AWS::StackName>"


def widgets(stack: Stack) -> list[dict[str, Any]]:
    """The widgets; what CloudFormation fills in stands in angle brackets."""
    (dashboard,) = stack.of("CloudWatch::Dashboard").values()
    body = json.loads(SUBSTITUTED.sub(r"<\1>", dashboard["DashboardBody"]["Fn::Sub"]))
    return list(body["widgets"])


def metrics(stack: Stack) -> list[list[Any]]:
    return [metric for widget in widgets(stack) for metric in widget["properties"].get("metrics", ())]


def counted() -> set[str]:
    """The metrics that the code counts: `creates=` of a route, the first argument of `count`, and the values of a `COUNTED`."""
    found: set[str] = set()
    for path in shipped():
        for node in ast.walk(tree(path)):
            match node:
                case ast.keyword(arg="creates", value=ast.Constant(value=str(name))):
                    found.add(name)
                case ast.Call(func=ast.Attribute(attr="count") | ast.Name(id="count"), args=[ast.Constant(value=str(name)), *_]):
                    found.add(name)
                case ast.Assign(targets=[ast.Name(id="COUNTED")], value=ast.Dict(values=values)):
                    found |= {value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)}
    return found


def test_business_comes_first(stack: Stack) -> None:
    title, first, *_ = sorted(widgets(stack), key=lambda widget: (widget["y"], widget["x"]))
    assert title["properties"]["markdown"] == "## Business"
    assert [metric[:2] for metric in first["properties"]["metrics"]] == [[OURS, "OrdersPlaced"], [OURS, "OrderEventsRecorded"]]


def test_no_widget_covers_another_or_leaves_the_page(stack: Stack) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets(stack):
        rows, columns = (range(widget[at], widget[at] + widget[size]) for at, size in (("y", "height"), ("x", "width")))
        cells = {(x, y) for x in columns for y in rows}
        assert max(columns) < 24
        assert taken.isdisjoint(cells), widget["properties"]
        taken |= cells


def test_what_it_shows_of_ours_is_what_the_code_counts(stack: Stack) -> None:
    shown = {metric[1] for metric in metrics(stack) if metric[0] == OURS}
    assert shown <= counted()
    assert shown >= {"OrdersPlaced", "OrderEventsRecorded", "EventsParked"}


def test_it_shows_this_stack_alone(stack: Stack) -> None:
    """Every metric has a dimension, or a namespace, that holds a name of this stack's."""
    for namespace, _, *dimensions in metrics(stack):
        names = [value for value in dimensions if isinstance(value, str)]
        assert namespace == OURS or any(value.startswith("<") for value in names), names


def test_every_function_and_every_alarm_is_on_it(stack: Stack) -> None:
    errors = {metric[3] for metric in metrics(stack) if metric[:2] == ["AWS/Lambda", "Errors"]}
    assert errors == {f"<{name}>" for name in stack.of("Lambda::Function")}
    (alarms,) = (widget["properties"]["alarms"] for widget in widgets(stack) if widget["type"] == "alarm")
    assert sorted(alarms) == sorted(f"<{name}.Arn>" for name in stack.of("CloudWatch::Alarm"))
