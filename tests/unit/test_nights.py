"""Generations: what readers see of nights that were published, overtaken, failed, or are still at work."""

from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.nights import Generations, Membership


def test_a_night_is_seen_once_it_is_published_and_one_that_never_was_is_not() -> None:
    first = Generations().with_next()
    assert Generations(0, 1) == first
    assert not first.hold(Membership("vip", "c1", 1))
    published = first.with_last_published()
    assert Generations(1, 1) == published
    assert published.hold(Membership("vip", "c1", 1))
    overtaken = published.with_next().with_next().with_last_published()
    assert Generations(3, 3, frozenset({2})) == overtaken
    seen = {
        Membership("vip", "stays", 1): True,
        Membership("vip", "left", 1, 3): False,
        Membership("vip", "left in a night that never was", 1, 2): True,
        Membership("vip", "came in a night that never was", 2): False,
        Membership("vip", "came", 3): True,
        Membership("vip", "comes", 4): False,
        Membership("vip", "goes", 1, 4): True,
    }
    assert seen == {membership: overtaken.hold(membership) for membership in seen}


def test_who_reads_goes_on_with_their_night_until_the_one_after_the_next_begins() -> None:
    second = Generations(2, 2)
    assert second == second.seen_from(2)
    assert Generations(1, 2) == second.seen_from(1)
    assert second.with_next() == second.with_next().seen_from(2)
    assert None is second.with_next().seen_from(1)
    assert None is Generations(3, 3).seen_from(1)
    assert Generations(1, 3, frozenset({2})) == Generations(3, 3, frozenset({2})).seen_from(1)
    assert None is Generations(3, 3, frozenset({2})).seen_from(2)
    assert Generations(0, 1) == Generations(1, 1).seen_from(0)


NIGHTS = st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("abc")), st.booleans()), max_size=12)
"""Nights: whether one is published, who is in the segment, and whether all it has to write was written."""


@given(NIGHTS, st.data())
def test_whatever_fails_and_whenever_it_writes_readers_see_the_last_published_night(
    nights: list[tuple[bool, set[str], bool]], data: st.DataObject
) -> None:
    """A table as the store keeps it: a row is written unless a later night has written it; nights that failed write late, too."""
    generations, since = Generations(), dict[str, int]()
    rows: dict[str, Membership] = {}
    late: list[Membership] = []
    truth: set[str] = set()

    def write(membership: Membership) -> None:
        there = rows.get(membership.customer_id)
        if there is None or there.written_by <= membership.written_by:
            rows[membership.customer_id] = membership

    def seen() -> set[str]:
        return {customer for customer, row in rows.items() if generations.hold(row)}

    for is_published, members, writes_all in nights:
        generations = generations.with_next()
        ours = generations.last
        changes = [Membership("vip", customer, ours) for customer in sorted(members - since.keys())]
        changes += [Membership("vip", customer, since[customer], ours) for customer in sorted(since.keys() - members)]
        for change in late + changes if is_published or writes_all else late:
            write(change)
            assert truth == seen()
        if is_published:
            generations, truth = generations.with_last_published(), members
            since = {customer: since.get(customer, ours) for customer in members}
            late = data.draw(st.lists(st.sampled_from(late), unique=True)) if late else []
        else:
            late = late + changes
        for zombie in late:
            write(zombie)
        assert truth == seen()
