"""Mergers by hand: two customers whom somebody knows to be one person become one, and are taken apart again."""

from dataclasses import replace
from datetime import datetime

from ecrm.domain.customers import Customer, are_different_people
from ecrm.domain.errors import Conflict, NotFound, RuleBroken

from .identity import ATTEMPTS, LONGEST_CHAIN, MOST_ABSORBED, MOST_IDENTIFIERS, Authority, Person, join, merger_event, root
from .ports import Claim, Clock, Contended, Customers, IdentityEntry, Outcome, Request


def merge(
    winner_id: str, loser_id: str, request: Request | None, *, site: str, source: str, customers: Customers, clock: Clock
) -> tuple[Customer, Outcome]:
    """Make two customers one, by reference; already one, they stay as they are.

    Raises NotFound, Erased, AlreadyAnswered; Conflict where two user ids of one site tell them apart; RuleBroken where one
    would hold too much.
    """
    now = clock.now()
    for _ in range(ATTEMPTS):
        winner, loser = root(winner_id, customers=customers), root(loser_id, customers=customers)
        if winner.customer_id == loser.customer_id:
            return winner, Outcome.EXISTING
        _refuse_merger(winner, loser)
        person = _by_hand(site, source, now)
        grown = replace(winner, is_vouched=True, version=winner.version + 1)
        claim = join(Claim(grown, winner.version, (), ()), loser, person, now)
        try:
            customers.write(claim, request, now)
        except Contended:
            continue
        return claim.customer, Outcome.CREATED
    raise Contended("many requests for these customers at once; try again")


def _refuse_merger(winner: Customer, loser: Customer) -> None:
    if are_different_people(winner, loser):
        raise Conflict("each has a user id of its own on the same site", code="different_people")
    if len(winner.partitions) + len(loser.partitions) > MOST_ABSORBED + 1:
        raise RuleBroken(f"a customer absorbs at most {MOST_ABSORBED} others", code="too_many_merged")
    if len({*winner.identifiers, *loser.identifiers}) > MOST_IDENTIFIERS:
        raise RuleBroken(f"a customer has at most {MOST_IDENTIFIERS} identifiers", code="too_many_identifiers")


def unmerge(
    winner_id: str, loser_id: str, request: Request | None, *, site: str, source: str, customers: Customers, clock: Clock
) -> tuple[Customer, Outcome]:
    """Take a customer out of the one that absorbed it, with whom it had absorbed itself; gives it back as it is then.

    What was recorded since the merger stays where it was recorded. One who is merged into nobody stays as they are. Raises
    NotFound, Erased, AlreadyAnswered; Conflict where it is part of another one.
    """
    now = clock.now()
    for _ in range(ATTEMPTS):
        root(winner_id, customers=customers)
        loser = customers.find(loser_id)
        if loser is None:
            raise NotFound("no such customer", code="customer_not_found")
        if loser.merged_into is None:
            return root(loser_id, customers=customers), Outcome.EXISTING
        above = _above(loser, customers)
        if winner_id not in {customer.customer_id for customer in above}:
            raise Conflict("this customer was not merged into that one", code="not_merged")
        top, *between = [_without(customer, loser) for customer in reversed(above)]
        ids = {*top.partitions, *loser.partitions}
        held = {i: h for i, h in customers.held(loser.identifiers, consistent=True).items() if h.customer_id in ids}
        is_vouched = loser.is_vouched or not all(seen.is_claimed for seen in held.values())
        alone = replace(loser, merged_into=None, is_vouched=is_vouched, version=loser.version + 1)
        event = merger_event("customer.unmerged", _by_hand(site, source, now), winner_id, alone, now)
        entries = tuple(
            IdentityEntry(i, replace(seen, customer_id=loser_id), seen)
            for i, seen in held.items()
            if seen.customer_id not in loser.partitions
        )
        both = (event, replace(event, customer_id=loser_id))
        try:
            customers.write(Claim(top, top.version - 1, entries, both, absorbed=(*between, alone)), request, now)
        except Contended:
            continue
        return alone, Outcome.CREATED
    raise Contended("many requests for these customers at once; try again")


def _above(customer: Customer, customers: Customers) -> list[Customer]:
    """Read those that a customer was merged into, one into the next."""
    found: list[Customer] = []
    while customer.merged_into is not None and len(found) < LONGEST_CHAIN:
        parent = customers.find(customer.merged_into)
        if parent is None:
            break
        found.append(parent)
        customer = parent
    return found


def _without(customer: Customer, loser: Customer) -> Customer:
    gone, lost = set(loser.partitions), set(loser.identifiers)
    return replace(
        customer,
        absorbed=tuple(c for c in customer.absorbed if c not in gone),
        identifiers=tuple(i for i in customer.identifiers if i not in lost),
        claimed=customer.claimed - lost,
        version=customer.version + 1,
    )


def _by_hand(site: str, source: str, now: datetime) -> Person:
    return Person(
        site=site, identifiers=(), authority=Authority.VOUCHER, statement=True, at=now, cause="", source=source, backfill=False
    )
