"""An address that has never answered is given up soon, for all who ask; one that has answered is waited for."""

from __future__ import annotations

from taxi_assets.reachability import Address, known_address

REFUSED = "connection refused"


def test_an_address_that_never_answered_is_given_up_after_its_patience() -> None:
    impatient, patient = Address(patience_seconds=0.0), Address(patience_seconds=3600.0)
    assert impatient.is_given_up(REFUSED)
    assert not patient.is_given_up(REFUSED)


def test_what_one_has_found_out_is_news_to_the_others() -> None:
    address = Address(patience_seconds=0.0)
    assert address.news() is None
    address.is_given_up(REFUSED)
    assert address.news() == REFUSED


def test_while_the_first_one_still_tries_the_others_try_too() -> None:
    address = Address(patience_seconds=3600.0)
    address.is_given_up(REFUSED)
    assert address.news() is None


def test_an_address_that_has_answered_once_is_never_given_up() -> None:
    address = Address(patience_seconds=0.0)
    address.is_given_up(REFUSED)
    address.answered()
    assert address.has_answered
    assert not address.is_given_up(REFUSED)
    assert address.news() is None


def test_all_who_name_an_address_share_it() -> None:
    assert known_address("https://here", 1.0) is known_address("https://here", 1.0)
    assert known_address("https://here", 1.0) is not known_address("https://there", 1.0)
