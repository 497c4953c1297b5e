"""Options of commands and of trackers, and the configuration file."""

from __future__ import annotations

from pathlib import Path

from .fault import Fault

FAULTS = (
    Fault(
        "an option that the tracker does not have",
        "run --tracker flow --dataset data -o prset=fast",
        2,
        "error: tracker 'flow' has no option 'prset'",
        "Its options: preset.",
    ),
    Fault(
        "a value that is not one of the choices",
        "run --tracker flow --dataset data -o preset=quick",
        2,
        "error: option preset='quick' is not one of: ultrafast, fast, medium",
    ),
    Fault(
        "an option that is not a number",
        "run --tracker matching --dataset data -o frames=many",
        2,
        "error: option frames='many' is not a valid int",
    ),
    Fault(
        "an option without a value",
        "run --tracker flow --dataset data -o preset",
        2,
        "error: -o preset: expected KEY=VALUE",
    ),
    Fault(
        "an option that is not a number at all",
        "run --tracker mine --dataset data --plugin mine.py -o rate=nan",
        2,
        "error: option rate='nan' is not a valid float",
        prepare=lambda: Path("mine.py").write_text(
            "from vosbench import Option, TrackerSpec, hookimpl\n"
            "@hookimpl\n"
            "def vosbench_register_trackers(register):\n"
            "    rate = Option('rate', 0.5, '')\n"
            "    spec = TrackerSpec(name='mine', factory=dict, summary='', options=(rate,))\n"
            "    register(spec)\n"
        ),
    ),
    Fault(
        "a shard that there is not",
        "run --tracker flow --dataset data --shard 4/3",
        2,
        "error: --shard 4/3: expected I/N with I from 1 to N, such as 3/16",
    ),
    Fault(
        "a limit of nothing",
        "run --tracker flow --dataset data --limit 0",
        2,
        "--limit must be at least 1, not 0",
    ),
    Fault(
        "a device that the tracker cannot use",
        "run --tracker flow --dataset data --device cuda",
        2,
        "--device cuda: tracker flow runs on cpu",
    ),
    Fault(
        "a Python that is not there",
        "run --tracker flow --dataset data --python there/python",
        2,
        "error: --python there/python cannot be started: No such file or directory",
    ),
    Fault(
        "a protocol that is not there",
        "evaluate --masks data --dataset data --protocol davis2018",
        2,
        "error: there is no protocol 'davis2018'",
        "Protocols: davis2016, davis2017, ytvos, lvos, mosev2, sav, vost, objects.",
    ),
    Fault(
        "a format that is not there",
        "compare --format word",
        4,
        "error: there is no format 'word'",
    ),
    Fault(
        "an oracle without annotations",
        "run --tracker oracle-box --dataset data",
        4,
        "oracle-box reads the annotations but option annotations names no folder",
        "Add e.g. -o annotations=DAVIS/Annotations/480p",
    ),
    Fault(
        "a configuration file that is not TOML",
        "datasets",
        2,
        "error: config.toml is not valid TOML: Invalid value (at end of document)",
        "Mend or remove it.",
        lambda: Path("config.toml").write_text("x = ["),
    ),
    Fault(
        "a key that the configuration does not have",
        "datasets",
        2,
        "error: config.toml: unknown key 'colour'",
        "Known: data_roots, disable, trackers.",
        lambda: Path("config.toml").write_text("colour = 'red'"),
    ),
)
