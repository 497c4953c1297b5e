"""What a plugin declares: trackers and their options, before anything heavy is imported.

This module stays free of numpy and torch, so that `vosbench --help` does.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal, Union

from vosbench.backports import dataclass
from vosbench.errors import PluginError, UsageError

OptionValue = Union[bool, int, float, str]  # noqa: UP007 - "|" is Python 3.10's


@dataclass(frozen=True, slots=True)
class Option:
    """One `-o name=value` that a tracker understands.

    The type of the value is the type of the default; `choices` restricts it.

    Raises:
        PluginError: the default, or a choice, is no value that a run could be noted with.

    Example:
        >>> Option("iterations", 10, "fine-tuning steps on the first frame").parse("50")
        50
    """

    name: str
    default: OptionValue
    help: str
    choices: tuple[OptionValue, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.default, *self.choices):
            if type(value) not in (bool, int, float, str) or value != value:
                raise PluginError(
                    f"option {self.name}: {value!r} is no value of an option",
                    "True, False, a number (not nan) or a text can be one.",
                )

    def parse(self, text: str) -> OptionValue:
        """The value that `text` stands for. Raises UsageError naming the option if it fits none."""
        try:
            value = _parse_as(type(self.default), text)
        except ValueError:
            kind = type(self.default).__name__
            raise UsageError(f"option {self.name}={text!r} is not a valid {kind}") from None
        if self.choices and value not in self.choices:
            allowed = ", ".join(map(str, self.choices))
            raise UsageError(f"option {self.name}={text!r} is not one of: {allowed}")
        return value


def _parse_as(kind: type, text: str) -> OptionValue:
    if kind is bool:
        known = {"1": True, "true": True, "yes": True, "on": True}
        known |= {"0": False, "false": False, "no": False, "off": False}
        if text.lower() not in known:
            raise ValueError(text)
        return known[text.lower()]
    value: OptionValue = kind(text)
    if value != value:  # NaN equals nothing, so that such a run could never be taken up
        raise ValueError(text)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a tracker can do by itself. Where it lacks one, the session wraps it and says so.

    Attributes:
        multi_object: tracks several objects in one session; else one session per object.
        late_objects: accepts new objects in `track`; else one session per group of objects that
            appear in the same frame.
        needs_grad: computes gradients while it tracks (it is never put in inference mode anyway).
        access: "streaming" sees frames one by one; "causal" may read all frames so far through
            `ctx.video`; "video" all frames, from the start.
        deterministic: two runs with one seed give identical masks: always, never, or on these kinds
            of device.
        blind: finds nothing by design, as a baseline that shows what measures make of that.
        devices: kinds of device it can run on.
        snapshots: names of options of which several values can be answered by one run
            (`ctx.snapshots`), e.g. the number of fine-tuning steps.
    """

    multi_object: bool = True
    late_objects: bool = True
    needs_grad: bool = False
    access: Literal["streaming", "causal", "video"] = "streaming"
    deterministic: bool | tuple[str, ...] = True
    blind: bool = False
    devices: tuple[str, ...] = ("cpu", "cuda")
    snapshots: tuple[str, ...] = ()

    def deterministic_on(self, device: str) -> bool:
        """Whether two runs with one seed give identical masks on `device` ("cuda:1", ...)."""
        if isinstance(self.deterministic, bool):
            return self.deterministic
        return device.partition(":")[0] in self.deterministic


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a tracker by others comes from: what it needs beside its plugin, and what to expect.

    Attributes:
        requirements: pinned, for pip; `vosbench trackers install NAME` installs them into an
            environment of the tracker's own. None are needed where it runs in ours.
        bare: the same, installed without what they ask for.
        repositories: "address@commit" of code that no package holds; it is put on the path there.
        weights: address of the page that the trained weights are downloaded from.
        revision: commit of that page, where one is pinned.
        digests: name -> SHA-256 of files of weights, as several public records have them. A run
            with another file of that name says so.
        licence: of the weights.
        published: name of the method whose published numbers these weights should reach
            (`vosbench compare --published NAME`).
    """

    requirements: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    weights: str = ""
    revision: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    published: str = ""

    @property
    def apart(self) -> bool:
        """Whether the tracker needs more than our own environment."""
        return bool(self.requirements or self.bare or self.repositories)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerSpec:
    """A tracker by name.

    Attributes:
        name: what users type after `--tracker`: lower case letters, digits, dots and dashes.
        factory: called once per worker process with the `Context`; returns an object with
            `init`, `track` and optionally `update` and `close` (see `vosbench.types.Tracker`),
            or one whose methods are the `tracker_*` hooks. As text, "package.module:attribute",
            it is imported in the worker only, which keeps torch out of the command line.
        summary: one line for `vosbench trackers`.
        options: the options it understands, with defaults.
        capabilities: what it can do by itself.
        settings: values of options fixed by this variant, shown as its defaults.
        origin: of a tracker by others: what to install, where its weights are, what to expect.
        code: SHA-256 of the source that it is made of; the harness fills it in.
        packages: distribution -> version, of all that is installed where it lives, if that is
            another environment; the harness fills it in.
    """

    name: str
    factory: str | Callable[..., Any]
    summary: str
    options: tuple[Option, ...] = ()
    capabilities: Capabilities = field(default_factory=Capabilities)
    settings: Mapping[str, OptionValue] = field(default_factory=dict)
    origin: Origin | None = None
    code: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)

    def resolve_options(self, given: Mapping[str, str]) -> dict[str, OptionValue]:
        """All options with their values: declared defaults, then `settings`, then `given`.

        Raises:
            UsageError: an option that this tracker does not have, or a value that does not fit.
        """
        by_name = {option.name: option for option in self.options}
        unknown = [name for name in given if name not in by_name]
        if unknown:
            has = ", ".join(by_name) or "none"
            raise UsageError(
                f"tracker {self.name!r} has no option {unknown[0]!r}", f"Its options: {has}."
            )
        values = {name: option.default for name, option in by_name.items()}
        values |= dict(self.settings)
        values |= {name: by_name[name].parse(text) for name, text in given.items()}
        return values


def resolve_factory(factory: str | Callable[..., Any]) -> Callable[..., Any]:
    """The callable that a spec's `factory` names ("package.module:attribute").

    Raises:
        PluginError: the module cannot be imported or lacks the attribute.
    """
    if not isinstance(factory, str):
        return factory
    module_name, _, attribute = factory.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"cannot load factory {factory!r}: {error}") from error
    if not callable(found):
        raise PluginError(f"factory {factory!r} is not callable")
    result: Callable[..., Any] = found
    return result
