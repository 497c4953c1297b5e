"""Whether a card was busy with other work, from what NVML tells."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from vosbench.running.load import Load

OWN = os.getpid()
OTHER = 1


class Driver:
    """What `pynvml` would tell on a machine with cards, of which there is none here.

    `before`: percent that each card is busy. `since`: of each card, (process, percent) samples.
    """

    class NVMLError(Exception):
        """As the library's."""

    def __init__(self, before, since):
        self.before, self.since = before, since

    def nvmlInit(self): ...

    def nvmlShutdown(self): ...

    def nvmlDeviceGetCount(self):
        return len(self.before)

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetUtilizationRates(self, card):
        return SimpleNamespace(gpu=self.before[card])

    def nvmlDeviceGetProcessUtilization(self, card, _since):
        if not self.since[card]:
            raise self.NVMLError
        return [SimpleNamespace(pid=p, smUtil=percent) for p, percent in self.since[card]]


@pytest.mark.parametrize(
    ("before", "since", "shared"),
    [
        ([0], [[(OWN, 95)]], False),
        ([0], [[(OWN, 60), (OTHER, 30)]], True),
        ([0], [[(OWN, 90), (OTHER, 20), (OTHER, 0), (OTHER, 0)]], False),  # 7 % of the time
        ([80], [[(OWN, 20)]], True),
        ([0, 90], [[(OWN, 95)], [(OTHER, 90)]], False),  # another card
        ([0], [[(OTHER, 95)]], False),  # ids of another namespace: it may be ours
        ([40], [[]], True),
        ([], [], False),
    ],
)
def test_a_card_that_others_use_is_shared(before, since, shared, monkeypatch):
    monkeypatch.setattr(Load, "others", lambda _self: 0.0)  # this machine may well be busy
    monkeypatch.setitem(sys.modules, "pynvml", Driver(before, since))
    load = Load()
    assert load.shared(1, "cuda") == shared
    assert not load.shared(1, "cpu")


def test_where_no_driver_tells_no_card_is_shared(monkeypatch):
    monkeypatch.setattr(Load, "others", lambda _self: 0.0)
    assert not Load().shared(1, "cuda")
    assert Load().shared(2, "cuda")
