"""From masks on disk to scores, exactly as the official programs compute them, but faster, and
with every problem named at once.

    evaluation = evaluate(dataset, Path("masks"))
    evaluation.write(Path("scores"))
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.errors import EvaluationError
from vosbench.evaluation.score import AnySpec, SequenceScores, score_sequence
from vosbench.metrics.protocols import Protocol, find_protocol
from vosbench.processes import end_with_parent

if TYPE_CHECKING:
    from vosbench.evaluation.tables import Evaluation

__all__ = ["Evaluation", "Progress", "evaluate", "evaluate_all"]

#: Called with the name of each sequence that is done and its number of frames.
Progress = Callable[[str, int], None]

_PLUGIN_PREFIX = "vosbench_plugin_"
FRAME_OBJECTS_PER_PROCESS = 1000  # fewer are not worth starting a process, which takes a second


def __getattr__(name: str) -> Any:
    if name == "Evaluation":  # needs pandas, which workers import this module without
        from vosbench.evaluation.tables import Evaluation

        return Evaluation
    raise AttributeError(f"module 'vosbench.evaluation' has no attribute {name!r}")


def evaluate(
    dataset: Dataset,
    masks: Path,
    protocol: str | None = None,
    jobs: int = 1,
    metrics: Sequence[AnySpec] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Score the masks `masks/<sequence>/<frame>.png` against the annotations of `dataset`.

    A sequence that cannot be scored whatever the predictions (too short, no object where the
    protocol wants one, a broken annotation) is left out: `missing` names it, a warning says why.

    Args:
        masks: folder, or a JSON file: see `vosbench.datasets.predictions`.
        dataset: what is scored: all of its sequences, see `vosbench.datasets.registry.select`.
        protocol: name of a built-in protocol or a plugin's; the dataset's own by default.
        jobs: processes at once, at most; small datasets are done by fewer.
        metrics: measures besides J and F: `MetricSpec`s of one frame, `SequenceMetricSpec`s.

    Raises:
        EvaluationError: they cannot be scored; holds every problem of every sequence. Or a
            scoring process was killed.
        UsageError: there is no such protocol.
    """
    (outcome,) = evaluate_all(dataset, [masks], protocol, jobs, metrics, progress)
    if isinstance(outcome, EvaluationError):
        raise outcome
    return outcome


def evaluate_all(
    dataset: Dataset,
    folders: Sequence[Path],
    protocol: str | None = None,
    jobs: int = 1,
    metrics: Sequence[AnySpec] = (),
    progress: Progress | None = None,
) -> list[Evaluation | EvaluationError]:
    """`evaluate` for several folders of masks over one dataset, reading and preparing the
    annotations once. Gives scores, or what went wrong, for each folder in turn.

    Raises:
        EvaluationError: the dataset has no annotations or no sequences, or a scoring process was
            killed.
        UsageError: there is no such protocol.
    """
    from vosbench.evaluation.tables import Evaluation

    rules = find_protocol(protocol or dataset.protocol)
    if not dataset.annotated:
        raise unscorable(dataset)
    if not dataset.sequences:
        raise EvaluationError(f"there is no sequence of {dataset.name} to score")
    there = [folder for folder in folders if folder.exists()]
    scored: dict[str, list[SequenceScores]] = {}
    for video, results in _scores(dataset.sequences, there, rules, jobs, metrics):
        scored[video.name] = results
        if progress is not None:
            progress(video.name, len(video))
    outcomes: list[Evaluation | EvaluationError] = []
    for folder in folders:
        if folder not in there:
            outcomes.append(EvaluationError(f"the folder of masks {folder} does not exist"))
            continue
        column = there.index(folder)
        results = [scored[video.name][column] for video in dataset.sequences]
        problems = tuple(problem for result in results for problem in result.problems)
        gaps = [result for result in results if result.unscorable]
        if len(gaps) == len(results) or any(r.problems for r in results if not r.unscorable):
            count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
            outcomes.append(
                EvaluationError(
                    f"{folder} cannot be scored under {rules.name}: {count}",
                    "" if len(gaps) == len(results) else "--skip NAME leaves a sequence out.",
                    problems,
                )
            )
        else:
            good = {result.sequence: result for result in results if not result.unscorable}
            videos = tuple(video for video in dataset.sequences if video.name in good)
            part = replace(dataset, sequences=videos, whole=dataset.size)
            outcome = Evaluation.from_scores(part, rules, list(good.values()), metrics)
            outcome.missing += [result.sequence for result in gaps]
            outcome.warnings += [f"not scored: {problem}" for r in gaps for problem in r.problems]
            outcomes.append(outcome)
    return outcomes


def unscorable(dataset: Dataset) -> EvaluationError:
    """The error for a dataset without annotations besides the masks that it gives away."""
    if dataset.withheld:
        return EvaluationError(
            f"the annotations of {dataset.name} are not public, so it cannot be scored here",
            "`vosbench pack` prepares a submission to its evaluation server.",
        )
    return EvaluationError(
        f"{dataset.root} holds only the first mask of each object: there is nothing to score "
        "against",
        "Masks of later frames, in Annotations/, make it scorable; `vosbench show` shows results.",
    )


def _scores(
    videos: Sequence[VideoSequence],
    folders: Sequence[Path],
    rules: Protocol,
    jobs: int,
    metrics: Sequence[AnySpec],
) -> Iterator[tuple[VideoSequence, list[SequenceScores]]]:
    """Each sequence with its scores, in the order in which they are done."""
    work = {v.name: len(v.annotations) * len(v.objects) * len(folders) for v in videos}
    jobs = min(jobs, len(videos), sum(work.values()) // FRAME_OBJECTS_PER_PROCESS)
    if jobs <= 1:
        for video in videos:
            yield video, score_sequence(video, folders, rules, metrics)
        return
    # The longest first, so that no process is left with a long one at the end.
    videos = sorted(videos, key=lambda v: work[v.name], reverse=True)
    of_plugin = type(rules).__module__.startswith(_PLUGIN_PREFIX)
    files = [
        module.__file__
        for name, module in sys.modules.items()
        if (metrics or of_plugin) and name.startswith(_PLUGIN_PREFIX) and module.__file__
    ]
    with ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(files,),
    ) as pool:
        futures = {
            pool.submit(score_sequence, video, folders, rules, metrics): video for video in videos
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise EvaluationError(
                f"one of {jobs} scoring processes was killed, as the system does when memory "
                "runs out",
                "Use fewer --jobs: one needs the least memory.",
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare(files: Sequence[str]) -> None:
    """Make metrics and protocols of plugin files known to a worker, which ends when we do."""
    from vosbench.plugins import load_file

    end_with_parent()
    for file in files:
        load_file(Path(file))
