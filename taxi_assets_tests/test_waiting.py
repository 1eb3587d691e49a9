"""Waiting for what somebody else has: it ends when that ends, says what it waits for, and gives up in one sentence."""

import logging
import time

import pytest

from taxi_assets import waiting
from taxi_assets.errors import WarehouseBusyError
from taxi_assets.waiting import InUse, wait_for

LOG = logging.getLogger("test")


class Thing:
    """In use by another for a number of attempts."""

    def __init__(self, attempts_in_vain: int, user="another run"):
        self.attempts, self.attempts_in_vain, self.user = 0, attempts_in_vain, user

    def take(self) -> str:
        self.attempts += 1
        if self.attempts <= self.attempts_in_vain:
            raise InUse(self.user)
        return "taken"


def take(thing, **settings):
    return wait_for(thing.take, what="the file", log=LOG, **{"pause_seconds": 0.001, **settings})


def test_what_nobody_has_is_taken_without_a_word(caplog):
    with caplog.at_level(logging.INFO):
        assert take(Thing(0)) == "taken"
    assert caplog.records == []


def test_it_waits_until_the_other_has_ended_and_says_once_who_that_is(caplog):
    thing = Thing(20)
    with caplog.at_level(logging.INFO):
        assert take(thing) == "taken"
    assert thing.attempts == 21
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == "Waiting for the file, which is in use by another run (0 s so far)"


def test_the_message_comes_again_after_a_while(caplog, monkeypatch):
    monkeypatch.setattr(waiting, "_SECONDS_BETWEEN_MESSAGES", 0.0)
    with caplog.at_level(logging.INFO):
        take(Thing(5))
    assert len(caplog.records) == 5


def test_a_short_wait_can_be_silent(caplog):
    with caplog.at_level(logging.INFO):
        take(Thing(5), silent_seconds=60)
    assert caplog.records == []


def test_when_the_time_is_up_one_sentence_says_who_has_it_and_what_to_do():
    with pytest.raises(
        WarehouseBusyError, match=r"^the file was in use by another run for 0 seconds: end that, then run again\.$"
    ) as raised:
        take(Thing(10**9), timeout_seconds=0.01, remedy="end that")
    assert isinstance(raised.value.__cause__, InUse)


def test_who_has_it_is_asked_for_messages_only(caplog):
    asked = []
    take(Thing(20, lambda: asked.append(1) or "a session"))
    with caplog.at_level(logging.INFO):
        take(Thing(20, lambda: asked.append(1) or "a session"))
    assert "in use by a session" in caplog.text
    assert asked == [1, 1]


def test_what_else_goes_wrong_is_not_waited_for():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wait_for(fail, what="the file", log=LOG, pause_seconds=0.001)


def test_pauses_vary_so_that_two_who_wait_do_not_try_in_step(monkeypatch):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    take(Thing(30), pause_seconds=2.0)
    assert all(1.0 <= pause <= 2.0 for pause in pauses)
    assert len(set(pauses)) > 1
