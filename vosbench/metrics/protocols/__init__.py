"""The protocols: which objects count in which frames, what is measured, how it is averaged, and
what the tables look like. `docs/metrics.md` says where we differ from the official programs.

All scores are in 0..1, except in the official files of MOSEv2 and SA-V, which are in percent.
"""

from __future__ import annotations

from vosbench.errors import UsageError
from vosbench.metrics.protocols.base import ObjectScores, Protocol, Row, mean_of
from vosbench.metrics.protocols.davis import Davis2016, Davis2017
from vosbench.metrics.protocols.mosev2 import MoseV2
from vosbench.metrics.protocols.objects import Objects
from vosbench.metrics.protocols.sav import Sav
from vosbench.metrics.protocols.seen_unseen import Lvos, YouTubeVos
from vosbench.metrics.protocols.vost import Vost
from vosbench.plugins import PROTOCOLS_OF_PLUGINS

__all__ = ["PROTOCOLS", "ObjectScores", "Protocol", "Row", "find_protocol", "mean_of"]

#: Those in the box, by name.
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Davis2016(),
        Davis2017(),
        YouTubeVos(),
        Lvos(),
        MoseV2(),
        Sav(),
        Vost(),
        Objects(),
    )
}


def find_protocol(name: str) -> Protocol:
    """The protocol called `name`, built in or a plugin's. Raises UsageError listing all if there
    is none, PluginError if a plugin's cannot be imported."""
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if name in PROTOCOLS_OF_PLUGINS:
        protocol: Protocol = PROTOCOLS_OF_PLUGINS[name].resolve()
        return protocol
    known = ", ".join((*PROTOCOLS, *PROTOCOLS_OF_PLUGINS))
    raise UsageError(f"there is no protocol {name!r}", f"Protocols: {known}.")
