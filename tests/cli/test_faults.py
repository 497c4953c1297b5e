"""What users get wrong and what they see: each row of docs/faults.md, on the real command line.

VOSBENCH_UPDATE_DOCS=1 writes the page from the rows below.
"""

from __future__ import annotations

import functools
import http.server
import os
import shlex
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vosbench.cli import main
from vosbench.testing import moving_discs

from .brought import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

FRAME = Path("data/JPEGImages/480p/discs/00002.jpg")
MASK = Path("data/Annotations/480p/discs/00000.png")
RUN = Path("results/data/copy-first")

PLUGIN = """
from vosbench import Prediction, TrackerSpec, hookimpl

class Mine:
    def __init__(self, ctx): {build}
    def init(self, frame, targets, ctx): pass
    def track(self, frame, targets, ctx): {track}

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="{name}", factory=Mine, summary="mine"))
"""

DATASET = """
from pathlib import Path
from vosbench import DatasetSpec, hookimpl
from vosbench.datasets.base import Archive

@hookimpl
def vosbench_register_datasets(register):
    register(DatasetSpec(
        name="far", summary="", load=lambda folder: None, locate=lambda root: None,
        protocol="davis2017", archives=(Archive(url="{url}", into="far"),),
    ))
"""


@dataclass(frozen=True)
class Fault:
    """One row: what is wrong, the command, the exit code, and text that the user is shown."""

    what: str
    command: str
    code: int
    sees: str
    hint: str = ""
    prepare: Callable[[], object] = lambda: None


def plugin(
    name: str = "mine", build: str = "pass", track: str = "return None"
) -> Callable[[], int]:
    text = PLUGIN.format(name=name, build=build, track=track)
    return lambda: Path("mine.py").write_text(text)


def cut(path: Path, size: int) -> Callable[[], int]:
    return lambda: path.write_bytes(path.read_bytes()[:size])


def picture(path: Path, pixels: np.ndarray) -> Callable[[], None]:
    return lambda: Image.fromarray(pixels).save(path)


def masks(*changes: Callable[[], object]) -> Callable[[], None]:
    def prepare() -> None:
        shutil.copytree(RUN / "masks", "masks")
        for change in changes:
            change()

    return prepare


def hostile_archive() -> None:
    with zipfile.ZipFile("far.zip", "w") as archive:
        archive.writestr("../../outside.txt", "gotcha")


def far(url: str) -> Callable[[], int]:
    return lambda: Path("far.py").write_text(DATASET.format(url=url))


SERVED = "http://127.0.0.1:{port}/far.zip"
M = Path("masks")
GREY = np.zeros((48, 64), np.uint8)

NAMES = (
    Fault(
        "a tracker that is not there",
        "run --tracker flwo --dataset data",
        4,
        "error: there is no tracker called 'flwo'",
        "Did you mean flow? `vosbench trackers` lists all.",
    ),
    Fault(
        "a dataset that is not there",
        "run --tracker flow --dataset dmeo",
        3,
        "error: there is no dataset called 'dmeo' and no such folder",
        "Did you mean demo? `vosbench datasets` lists all; a folder in DAVIS layout works too.",
    ),
    Fault(
        "a dataset that is not installed",
        "run --tracker flow --dataset davis17-val --data-root there",
        3,
        "error: dataset davis17-val is not installed (looked in: there, cache/datasets)",
        "`vosbench datasets fetch davis17-val` downloads it.",
    ),
    Fault(
        "a sequence that is not there",
        "run --tracker flow --dataset data --sequence dics",
        3,
        "error: dataset data has no sequence 'dics'",
        "Did you mean discs?",
    ),
    Fault(
        "a run that is not there",
        "show --dataset data --tracker flow",
        5,
        "error: there is no run of flow over data",
        "Runs: copy-first.",
    ),
    Fault(
        "a folder that is no run",
        "evaluate data",
        5,
        "error: data is not a run: it has no run.json",
    ),
    Fault(
        "no run at all",
        "compare --results nothing",
        2,
        "error: there is no run in nothing",
        "`vosbench run --tracker copy-first --dataset demo` makes one.",
    ),
)

OPTIONS = (
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
        "Known: data_roots, disable.",
        lambda: Path("config.toml").write_text("colour = 'red'"),
    ),
)

PLUGINS = (
    Fault(
        "a plugin file that is not there",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: the file does not exist",
    ),
    Fault(
        "a plugin file with a syntax error",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: SyntaxError: invalid syntax (mine.py, line 1)",
        "`vosbench plugins --verbose --plugin mine.py` shows the traceback.",
        lambda: Path("mine.py").write_text("def f(:\n"),
    ),
    Fault(
        "a plugin file that raises when imported",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: ValueError: no licence",
        "`vosbench plugins --verbose --plugin mine.py` shows the traceback.",
        lambda: Path("mine.py").write_text("raise ValueError('no licence')"),
    ),
    Fault(
        "a plugin that takes a name twice",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: tracker 'copy-first' is registered twice",
        prepare=plugin(name="copy-first"),
    ),
    Fault(
        "a plugin disabled that is not there",
        "run --tracker flow --dataset data --disable baseline",
        2,
        "error: --disable baseline: there is no such plugin",
    ),
    Fault(
        "a tracker that cannot be built",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "tracker mine cannot be loaded: OSError: no weights",
        prepare=plugin(build="raise OSError('no weights')"),
    ),
    Fault(
        "a tracker that raises",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "discs: track, frame 00001: ZeroDivisionError: division by zero",
        "Tracebacks are in results/data/mine/sequences; the same command tries them again.",
        prepare=plugin(track="return 1 / 0"),
    ),
    Fault(
        "a tracker that answers with nothing",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "discs: track, frame 00001: track returned NoneType, not a Prediction",
        "Tracebacks are in results/data/mine/sequences; the same command tries them again.",
        prepare=plugin(),
    ),
    Fault(
        "a tracker that ends its process",
        "test-tracker mine --plugin mine.py --case runs",
        4,
        "the process ended with exit code 3",
        "error: mine fails 1 of 1 cases: runs",
        prepare=plugin(track="__import__('os')._exit(3)"),
    ),
)

DATA = (
    Fault(
        "an empty folder as a dataset",
        "run --tracker copy-first --dataset empty",
        3,
        "error: empty is not in DAVIS layout: it has no JPEGImages/SEQUENCE/ or "
        "JPEGImages/480p/SEQUENCE/",
        "Frames (or SEQUENCE.mp4) belong there, masks into Annotations/ in the same way.",
        lambda: Path("empty").mkdir(),
    ),
    Fault(
        "a sequence without frames",
        "run --tracker copy-first --dataset data",
        3,
        "error: none: data/JPEGImages/480p/none holds no frames",
        "`vosbench datasets verify` lists all that is wrong.",
        lambda: [Path(f"data/{k}/480p/none").mkdir() for k in ("JPEGImages", "Annotations")],
    ),
    Fault(
        "an image that is cut off",
        "run --tracker flow --dataset data --sequence discs",
        5,
        "discs: data/JPEGImages/480p/discs/00002.jpg is cut off: the end of its JPEG data is "
        "missing",
        prepare=cut(FRAME, 700),
    ),
    Fault(
        "a mask that is cut off",
        "run --tracker copy-first --dataset data",
        3,
        "error: discs: data/Annotations/480p/discs/00000.png cannot be decoded as a PNG: "
        "Truncated File Read",
        "`vosbench datasets verify` lists all that is wrong.",
        cut(MASK, 60),
    ),
    Fault(
        "a mask of another size than its frame",
        "datasets verify data",
        3,
        "data/Annotations/480p/discs/00000.png is 10x10, but its frame is 64x48",
        prepare=picture(MASK, np.ones((10, 10), np.uint8)),
    ),
    Fault(
        "an archive that writes outside its folder",
        "datasets fetch far --plugin far.py --data-root there",
        3,
        "../../outside.txt",
        prepare=lambda: (hostile_archive(), far(SERVED)()),
    ),
    Fault(
        "an archive that is not on the server",
        "datasets fetch far --plugin far.py --data-root there",
        3,
        "404",
        prepare=far(SERVED),
    ),
    Fault(
        "a dataset whose terms need a form",
        "datasets fetch mose-valid --data-root there",
        3,
        "error: mose-valid cannot be fetched: its terms must be accepted in person",
        "Get it from https://henghuiding.github.io/MOSE/ and unpack it to there/MOSE/valid.",
    ),
)

RESULTS = (
    Fault(
        "results that cannot be written",
        "run --tracker flow --dataset data --results locked",
        5,
        "locked/data/flow cannot be written: Not a directory",
        "Choose another folder by --results.",
        lambda: (Path("locked").mkdir(), Path("locked/data").write_text("")),
    ),
    Fault(
        "a run.json that is broken",
        "run --tracker copy-first --dataset data",
        5,
        "results/data/copy-first/run.json cannot be read: ",
        "--fresh discards the run and starts again.",
        lambda: (RUN / "run.json").write_text("{"),
    ),
    Fault(
        "the same, when comparing",
        "compare --dataset data",
        5,
        "left out: results/data/copy-first/run.json cannot be read: ",
        "there is no run over data in results",
        lambda: (RUN / "run.json").write_text("{"),
    ),
    Fault(
        "scores that are broken",
        "compare --dataset data",
        6,
        "results/data/copy-first/scores/scores.json cannot be read: ",
        "`vosbench evaluate` writes it anew.",
        lambda: (RUN / "scores/scores.json").write_text("x"),
    ),
    Fault(
        "data that changed since the run",
        "run --tracker copy-first --dataset data",
        5,
        "results/data/copy-first holds another run: the dataset's files have changed since",
        "--fresh discards it; --results keeps this one elsewhere.",
        picture(MASK, GREY + 1),
    ),
    Fault(
        "the same, when scoring",
        "evaluate results/data/copy-first --dataset data",
        6,
        "error: run results/data/copy-first was made on other data than data holds now",
        "Run it again with --fresh, or point --data-root to the data that it was made on.",
        picture(MASK, GREY + 1),
    ),
)

MASKS = (
    Fault(
        "a folder of masks that is not there",
        "evaluate --masks nothing --dataset data",
        6,
        "error: the folder of masks nothing does not exist",
    ),
    Fault(
        "a sequence and a frame without masks",
        "evaluate --masks masks --dataset data",
        6,
        "discs: 1 frame (00002) missing, in masks/discs",
        "more: there is no folder masks/more (2 frames expected)",
        masks(lambda: (M / "discs/00002.png").unlink(), lambda: shutil.rmtree(M / "more")),
    ),
    Fault(
        "a mask that cannot be decoded, and one of another size",
        "evaluate --masks masks --dataset data",
        6,
        "discs: 1 frame (00001) unreadable: masks/discs/00001.png cannot be decoded as a PNG: "
        "Truncated File Read",
        "discs: 1 frame (00002) of size 10x10 instead of 64x48, in masks/discs",
        masks(cut(M / "discs/00001.png", 60), picture(M / "discs/00002.png", GREY[:10, :10])),
    ),
    Fault(
        "a mask in colours, and one with an object id that nobody gave",
        "evaluate --masks masks --dataset data",
        6,
        "more: 1 frame (00001) unreadable: masks/more/00001.png holds colours (mode RGB), not "
        "object ids",
        "more: 1 frame (00002) with object id 77, where ids end at 1",
        masks(
            picture(M / "more/00001.png", np.dstack([GREY, GREY, GREY + 9])),
            picture(M / "more/00002.png", GREY + 77),
        ),
    ),
    Fault(
        "a submission with a mask missing",
        "pack --masks masks --dataset data --output submission.zip",
        6,
        "error: masks is not a valid submission for data: 1 problem",
        "Nothing was written.",
        masks(lambda: (M / "discs/00002.png").unlink()),
    ),
    Fault(
        "masks without a dataset",
        "evaluate --masks masks",
        2,
        "error: --masks and --tracker need --dataset",
        "`vosbench datasets` lists all.",
    ),
)

BROUGHT = tuple(Fault(*row) for row in ROWS)

SECTIONS = {
    "Names": NAMES,
    "Options and configuration": OPTIONS,
    "Plugins and trackers": PLUGINS,
    "Datasets": DATA,
    "Runs": RESULTS,
    "Masks": MASKS,
    "Files that people bring": BROUGHT,
}
FAULTS = [fault for faults in SECTIONS.values() for fault in faults]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small dataset and one run over it."""
    folder = tmp_path_factory.mktemp("made")
    for video in (
        moving_discs("discs", (48, 64), 4, {1: 0, 2: 0}),
        moving_discs("more", (48, 64), 4, {1: 0}),
    ):
        images = folder / "data" / "JPEGImages" / "480p" / video.name
        images.mkdir(parents=True)
        for index, image in enumerate(video.images):
            cv2.imwrite(str(images / f"{index:05d}.jpg"), image[..., ::-1])
        video.write_annotations(folder / "data" / "Annotations" / "480p")
    arguments = ["run", "--tracker", "copy-first", "--dataset", str(folder / "data")]
    result = CliRunner().invoke(main, [*arguments, "--results", str(folder / "results")])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A local HTTP server of the working folder."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the working folder, with nothing of the user's own around."""
    for name in ("data", "results"):
        shutil.copytree(made / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOSBENCH_DATA", raising=False)
    monkeypatch.setenv("VOSBENCH_CACHE", "cache")
    monkeypatch.setenv("VOSBENCH_CONFIG", "config.toml")
    return tmp_path


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_the_user_sees_what_is_wrong_and_nothing_is_lost(
    fault: Fault, place: Path, port: int, caplog
):
    fault.prepare()
    for path in Path().glob("*.py"):
        path.write_text(path.read_text().replace("{port}", str(port)))
    kept = (RUN / "masks/discs/00003.png").read_bytes()
    result = CliRunner().invoke(main, shlex.split(fault.command))
    shown = (result.output + caplog.text).replace(f"{place}/", "")
    assert result.exit_code == fault.code, shown
    assert fault.sees in shown
    assert fault.hint in shown
    assert "Traceback (most recent call last)" not in shown
    assert (RUN / "masks/discs/00003.png").read_bytes() == kept
    assert not list(place.parent.glob("outside.txt"))
    assert not Path("submission.zip").exists()


def page() -> str:
    """docs/faults.md as it must be."""
    parts = [
        "# Faults",
        "What can be wrong, and what vosbench says then. Each row is a test on the real command "
        "line. Every message names the file or option and the way out; nothing that was there is "
        "lost. The last column is the [exit code](formats.md#exit-codes).",
    ]
    for title, faults in SECTIONS.items():
        parts.append(f"## {title}")
        rows = ["| what is wrong | command | what the user sees | code |", "|---|---|---|---|"]
        for fault in faults:
            lines = [text.strip() for text in (fault.sees, fault.hint) if text]
            sees = "<br>".join(f"`` {line} ``" if "`" in line else f"`{line}`" for line in lines)
            rows.append(f"| {fault.what} | `vosbench {fault.command}` | {sees} | {fault.code} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def test_the_page_holds_every_row():
    if os.environ.get("VOSBENCH_UPDATE_DOCS"):
        PAGE.write_text(page(), encoding="utf-8")
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run this test with VOSBENCH_UPDATE_DOCS=1 and commit the page"
