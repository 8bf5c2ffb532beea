"""A registrar who keeps a card for each person by hand, from what was said and by whom, as docs/decisions/0010 and 0016 tell it:
naive, one thing after the other, and nothing of `ecrm` in it.

A word is an identifier, its kind and its value; kinds are in the order of their strength. A card that was joined to another one
stays in the box.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

type Word = tuple[str, str]

USER, EMAIL, DEVICE, PHONE = KINDS = ("user_id", "email", "anonymous_id", "phone")


@dataclass(eq=False)
class Card:
    """`words` are those that were ever written on it, those of joined cards too; `facts` what was recorded on it."""

    number: int
    is_vouched: bool = False
    words: set[Word] = field(default_factory=set)
    facts: set[str] = field(default_factory=set)
    joined: list["Card"] = field(default_factory=list)
    joined_to: "Card | None" = None
    is_erased: bool = False

    @property
    def top(self) -> "Card":
        return self.joined_to.top if self.joined_to else self

    @property
    def all(self) -> list["Card"]:
        """This card and all that were joined to it, directly or not."""
        return [self, *(inner for card in self.joined for inner in card.all)]

    @property
    def is_visitor(self) -> bool:
        return all(kind == DEVICE for kind, _ in self.words)

    def of_kind(self, kind: str) -> set[str]:
        return {value for known, value in self.words if known == kind}

    def knows(self, fact: str) -> bool:
        return any(fact in card.facts for card in self.all)


@dataclass
class Leads:
    """Where a word leads; `is_claimed`: only a write key says so."""

    card: Card | None
    is_claimed: bool = False
    erased_at: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody says of a person; `at` is when it happened. A fact without a name only says who somebody is."""

    identifiers: tuple[Word, ...]
    is_voucher: bool
    is_statement: bool
    at: int
    fact: str | None = None


class TooLate(Exception):
    """What is told is older than the erasure of whom it is told of."""


class Refused(Exception):
    pass


@dataclass
class Registry:
    cards: list[Card] = field(default_factory=list)
    index: dict[Word, Leads] = field(default_factory=dict)

    def people(self) -> list[Card]:
        return [card for card in self.cards if card.joined_to is None and not card.is_erased]

    def leads(self, identifier: Word) -> Card | None:
        entry = self.index.get(identifier)
        return entry.card.top if entry and entry.card else None

    def is_claimed(self, identifier: Word) -> bool:
        return identifier in self.index and self.index[identifier].is_claimed

    def tell(self, told: Told) -> Card:
        """Find or make the person's card, write on it what is new, and record the fact once."""
        if self.is_too_late(told):
            raise TooLate
        card = self._vouched(told) if told.is_voucher else self._claimed(told.identifiers)
        if card is None:
            card = Card(len(self.cards), is_vouched=told.is_voucher)
            self.cards.append(card)
        self._write(card, told)
        if told.fact and not card.knows(told.fact):
            card.facts.add(told.fact)
        return card

    def is_too_late(self, told: Told) -> bool:
        known = (self.index[word].erased_at for word in told.identifiers if word in self.index)
        return any(erased_at is not None and told.at <= erased_at for erased_at in known)

    def _claimed(self, given: Iterable[Word]) -> Card | None:
        named = dict(given)
        by_user = self.leads((USER, named[USER])) if USER in named else None
        by_device = self.leads((DEVICE, named[DEVICE])) if DEVICE in named else None
        if by_user or USER not in named:
            return by_user or by_device
        if by_device and not by_device.is_vouched and not by_device.of_kind(USER):
            return by_device
        return None

    def _vouched(self, told: Told) -> Card | None:
        vouched = [i for i in told.identifiers if not self.is_claimed(i)]
        claimed = [i for i in told.identifiers if self.is_claimed(i)]
        for identifier in [*vouched, *claimed]:
            card = self.leads(identifier)
            if card is None or not speaks(identifier, told) or is_somebody_else(card, identifier, told):
                continue
            if identifier in claimed and (card.is_vouched or (identifier[0] == DEVICE and not card.is_visitor)):
                continue
            return card
        return None

    def _write(self, card: Card, told: Told) -> None:
        others = self._one_with(card, told)
        if told.is_voucher:
            card.is_vouched = True
        for other in others:
            self._join(card, other)
        for identifier in told.identifiers:
            entry = self.index.setdefault(identifier, Leads(None))
            leads = self.leads(identifier)
            if leads is None and (told.is_voucher or not card.is_vouched):
                self.index[identifier] = Leads(card, not told.is_voucher, entry.erased_at)
                card.words.add(identifier)
            elif told.is_voucher and (leads is card or entry.is_claimed):
                self.index[identifier] = Leads(card, is_claimed=False, erased_at=entry.erased_at)
                card.words.add(identifier)

    def _one_with(self, card: Card, told: Told) -> list[Card]:
        """Those who turn out to be the same person."""
        chosen: list[Card] = []
        for identifier in told.identifiers:
            other = self.leads(identifier)
            if other is None or other is card or other in chosen or not self._is_same(card, other, identifier, told):
                continue
            if all(not are_told_apart(known, other) for known in (card, *chosen)):
                chosen.append(other)
        return chosen

    def _is_same(self, card: Card, other: Card, by: Word, told: Told) -> bool:
        if not told.is_voucher:
            return other.is_visitor and not other.is_vouched and not card.is_vouched
        if not speaks(by, told) or (self.is_claimed(by) and other.is_vouched):
            return False
        named = dict(told.identifiers)
        if USER in named and other.of_kind(USER) - {named[USER]}:
            return False
        if other.is_visitor:
            return True
        if not other.is_vouched:
            return {word for word in other.words if word[0] != DEVICE} <= set(told.identifiers)
        return told.is_statement and by[0] == EMAIL

    def _join(self, card: Card, other: Card) -> None:
        other.joined_to = card
        card.joined.append(other)
        card.words |= other.words

    def merge(self, winner: Card, loser: Card) -> None:
        winner, loser = winner.top, loser.top
        if winner.is_erased or loser.is_erased:
            raise TooLate
        if winner is loser:
            return
        if are_told_apart(winner, loser):
            raise Refused
        winner.is_vouched = True
        self._join(winner, loser)

    def unmerge(self, winner: Card, loser: Card) -> None:
        """Take a card out: the words that stand on it, and lead to the person, lead to it again."""
        if winner.top.is_erased or loser.top.is_erased:
            raise TooLate
        if loser.joined_to is None:
            return
        above = [card for card in self.cards if card is not loser and loser in card.all]
        if winner not in above:
            raise Refused
        top = loser.top
        for word in loser.words:
            if self.leads(word) is top:
                self.index[word].card = loser
        if any(entry.card and entry.card in loser.all and not entry.is_claimed for entry in self.index.values()):
            loser.is_vouched = True
        for card in above:
            card.words -= loser.words
        loser.joined_to.joined.remove(loser)
        loser.joined_to = None

    def erase(self, card: Card, at: int) -> None:
        card = card.top
        if card.is_erased:
            raise TooLate
        for word in card.words:
            if self.leads(word) is card:
                self.index[word] = Leads(None, erased_at=at)
        for each in card.all:
            each.is_erased, each.words, each.facts = True, set(), set()


def speaks(identifier: Word, told: Told) -> bool:
    """Families share telephones: one speaks only where nothing better than a device was given."""
    return identifier[0] != PHONE or not {USER, EMAIL} & {kind for kind, _ in told.identifiers}


def is_somebody_else(card: Card, by: Word, told: Told) -> bool:
    """Who was found by less than a user id is somebody else if they have another one, or share a device under another address."""
    named = dict(told.identifiers)
    if by[0] == USER:
        return False
    if USER in named and card.of_kind(USER) - {named[USER]}:
        return True
    return by[0] == DEVICE and EMAIL in named and bool(card.of_kind(EMAIL)) and named[EMAIL] not in card.of_kind(EMAIL)


def are_told_apart(one: Card, other: Card) -> bool:
    """Two user ids of one site are two people."""
    return bool(one.of_kind(USER) and other.of_kind(USER) - one.of_kind(USER))
