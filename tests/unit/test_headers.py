"""Names of columns: each means one thing."""

from collections import defaultdict

import pytest

from ecrm.contracts.headers import folded, synonyms, target_of
from ecrm.domain.imports import Kind


@pytest.mark.parametrize("kind", Kind)
def test_no_name_means_two_things(kind: Kind) -> None:
    meant = defaultdict(set)
    for target, names in synonyms(kind).items():
        for name in names:
            meant[folded(name)].add(target)
    assert {} == {name: targets for name, targets in meant.items() if len(targets) > 1}


@pytest.mark.parametrize("kind", Kind)
def test_every_name_is_found(kind: Kind) -> None:
    found = {target_of(kind, name) for names in synonyms(kind).values() for name in names}
    assert synonyms(kind).keys() == found


@pytest.mark.parametrize("name", ["E-Mail", "e_mail", "eMail", " E-MAIL ", "Ｅ－ｍａｉｌ"])
def test_case_blanks_and_hyphens_do_not_matter(name: str) -> None:
    assert "email" == target_of(Kind.CONTACTS, name)


def test_a_persian_name_is_the_same_from_an_arabic_keyboard() -> None:
    assert "postal_code" == target_of(Kind.CONTACTS, "كد پستي")


def test_what_is_none_of_ours_has_no_target() -> None:
    assert None is target_of(Kind.CONTACTS, "favourite colour")
