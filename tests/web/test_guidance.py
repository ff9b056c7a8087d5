"""The rules for members are what the planner does with the plans on record."""

import html
import re
from dataclasses import fields
from datetime import date
from itertools import islice

import pytest
from pydantic import TypeAdapter

from renewer.answers.rulebook import example, rulebook
from renewer.answers.wording import CONNECTS
from renewer.rules.plans import Plans, Revision
from renewer.web import description, routes
from tests.support import PLANS, utc
from tests.web.conftest import Client

NOW = utc("2026-06-15T12:00")


def test_each_plan_is_told_as_the_planner_acts() -> None:
    """Of 7 above the cap: what stays, what expires, what there is then."""
    told = {
        each["code"]: each["example"]
        for each in rulebook(PLANS, NOW, CONNECTS)["plans"]
    }
    assert told == {
        "basic": {"unused": 7, "carried": 0, "expiring": 7, "balance_after": 60},
        "plus": {"unused": 147, "carried": 140, "expiring": 7, "balance_after": 210},
        "lifetime": {"unused": 7, "carried": 7, "expiring": 0, "balance_after": 17},
    }


def test_the_words_hold_the_planners_numbers() -> None:
    """A text that says something else than the planner is found here."""
    book = rulebook(PLANS, NOW, CONNECTS)
    topics = {each["code"]: each["texts"] for each in book["topics"]}
    for text, code in zip(topics["unused"], PLANS.codes(), strict=True):
        unused, then = example(PLANS.in_force(code, NOW.date()), PLANS, NOW.date())
        numbers = [int(each) for each in re.findall(r"\d+", text)]
        expected = [
            unused,
            then.carried,
            then.expiring,
            then.allowance,
            then.balance_after,
        ]
        assert numbers == expected
    assert topics["short_months"] == [
        "A membership that started on 31 January 2026 renews on 28 February 2026, "
        "31 March 2026 and 30 April 2026: in a month that is too short on its last "
        "day, and then on the old day again."
    ]
    assert "10 June 2026 to 9 July 2026" in topics["when"][1]
    assert topics["time_zones"][0].endswith(
        "The cycle that starts on 10 July 2026 in New York starts at 04:00 UTC."
    )


def test_a_change_of_a_plan_changes_the_page() -> None:
    """From the day it is in force, and it is announced before."""
    start = date(1970, 1, 1)
    later = Revision("basic", date(2026, 6, 15), 25, 5)
    for now, allowance, coming in (
        (utc("2026-06-14T12:00"), 25, 1),
        (utc("2026-06-15T12:00"), 25, 0),
    ):
        plans = Plans([Revision("basic", start, 60, 0), later])
        (plan,) = rulebook(plans, now, CONNECTS)["plans"]
        assert (plan["allowance"], len(plan["coming"])) == (allowance, coming)
    (before,) = rulebook(Plans([Revision("basic", start, 60, 0)]), NOW, CONNECTS)[
        "plans"
    ]
    assert before["allowance"] == 60


def test_the_page_shows_what_the_api_tells(client: Client) -> None:
    """Each sentence, and each plan."""
    told = client().get("/api/help").json()
    page = html.unescape(client().get("/help").text)
    texts = [text for topic in told["topics"] for text in topic["texts"]]
    assert len(texts) > 10
    assert [each for each in texts if each not in page] == []
    assert [each["name"] for each in told["plans"]] == ["Agency-plus", "Basic", "Plus"]


def test_every_path_of_the_api_is_described(client: Client) -> None:
    """And no other."""
    told = client().get("/api/openapi.json").json()
    served = {page.path for page in routes.PAGES if page.path.startswith("/api/")}
    assert set(told["paths"]) == served - {"/api/openapi.json"}


NEEDED = {"/api/expiring": {"within": "60d"}}


@pytest.mark.parametrize("path", description.PATHS)
def test_what_is_answered_is_what_is_described(client: Client, path: str) -> None:
    """Every field is there and of its type, and there is none besides."""
    model, _ = description.PATHS[path]
    for member_id in islice(("ana", "lost", "shut", "held"), 1 + 3 * ("{m" in path)):
        address = path.replace("{member_id}", member_id).replace("{run_id}", "1")
        document = client().get(address, params=NEEDED.get(path, {})).json()
        TypeAdapter(model).validate_python(document)
        assert list(document) == [each.name for each in fields(model)]
