"""`vosbench eosvos import-reference`: what is taken, and everything that is refused."""

import hashlib
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from vosbench.errors import UsageError
from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.importing import import_reference
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.weights import find_weights

KEYS = Path(__file__).parents[2] / "golden/r50/checkpoint_keys.json"


@pytest.fixture(scope="module")
def content(checkpoint):
    return torch.load(checkpoint, weights_only=True)


@pytest.fixture
def broken(content, tmp_path):
    """The checkpoint with tensors replaced (None: taken out); of the others, all of one value."""
    state = content["meta_optim_state_dict"]
    small = {k: torch.tensor(1e-3).expand(t.shape) for k, t in state.items()}  # in a small file

    def write(changes):
        state = {**small, **changes}
        path = tmp_path / "broken.model"
        kept = {k: v for k, v in state.items() if v is not None}
        torch.save({**content, "meta_optim_state_dict": kept}, path)
        return path

    return write


def test_the_synthetic_file_has_the_names_and_shapes_of_the_authors(content):
    found = [[k, list(t.shape)] for k, t in content["meta_optim_state_dict"].items()]
    assert found == json.loads(KEYS.read_text())


def test_every_value_arrives_without_the_background_rows(learned, recipe, checkpoint):
    assert sum(t.numel() for t in learned.state.values()) == 43_971_158
    assert sum(t.numel() for t in learned.rates.values()) == 90_988
    for name in ("box_delta.weight", "mask_head.10.bias", "rpn.head.conv.0.0.weight"):
        value = learned.state[name]
        assert torch.equal(value, torch.from_numpy(recipe.weight(name, tuple(value.shape))))
        assert torch.equal(learned.rates[name], torch.from_numpy(recipe.rate(name, len(value))))
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert learned.provenance["sha256"] == digest
    assert (learned.provenance["meta_iter"], learned.provenance["meta_epoch"]) == (7, 2)


def test_the_command_puts_them_where_the_trackers_look(checkpoint, monkeypatch, tmp_path):
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match="import-reference"):
        find_weights("eosvos-paper")
    answer = CliRunner().invoke(eosvos, ["import-reference", str(checkpoint)])
    assert answer.exit_code == 0, answer.output
    assert "43,971,158 parameters, 90,988 learning rates" in answer.output
    stored = LearnedOptimiser.load(find_weights("eosvos-paper"))
    assert stored.config.name == "paper" and stored.level == "neuron"
    assert stored.provenance["file"] == checkpoint.name


STEM = "backbone-body-conv1-weight"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({f"model_init_{STEM}": None}, f"no model_init_{STEM}"),
        ({f"log_init_lr_{STEM}": torch.zeros(64)}, "has shape"),
        ({f"log_init_lr_{STEM}": torch.full((64, 1, 1, 1), -1e-3)}, "below 0"),
        ({f"model_init_{STEM}": torch.full((64, 3, 7, 7), torch.nan)}, "finite"),
        ({f"model_init_{STEM}": torch.zeros(64, 3, 7, 7, dtype=torch.long)}, "finite"),
        ({"model_init_extra": torch.zeros(1)}, "unknown tensor model_init_extra"),
    ],
)
def test_anything_but_exactly_the_model_is_refused(changes, message, broken):
    with pytest.raises(UsageError, match=message):
        import_reference(broken(changes))


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_a_file_that_would_run_code_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bomb.model").write_bytes(pickle.dumps({"meta_optim_state_dict": Bomb()}))
    torch.save({"meta_optim_state_dict": Bomb()}, "bomb2.model")
    for name in ("bomb.model", "bomb2.model"):
        with pytest.raises(UsageError, match=r"e-osvos_models\.zip"):
            import_reference(Path(name))
    assert not Path("exploded").exists()


def test_other_files_are_refused_with_the_way_out(checkpoint, tmp_path):
    files = {"empty.model": b"", "text.model": b"hello\n" * 9}
    files["cut.model"] = checkpoint.read_bytes()[:1_000_000]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    torch.save({"state_dict": {}}, tmp_path / "other.model")
    torch.save([1, 2], tmp_path / "list.model")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("models/a/best.model", b"")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UsageError) as refused:
            import_reference(path)
        assert path.name in str(refused.value)
        assert refused.value.hint
