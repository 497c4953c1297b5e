"""The table of variants as the harness sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.errors import UsageError
from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.variants import ABLATION, ABLATION_WEIGHTS, VARIANTS, Settings, specs
from vosbench_eosvos.weights import find_weights

PUBLISHED = [
    "eosvos-1",
    "eosvos-10",
    "eosvos-50",
    "eosvos-100",
    "eosvos-10-ona",
    "eosvos-50-ona",
    "eosvos-100-ona",
    "eosvos-10-single-lr",
    "eosvos-10-neuron-lr",
    "eosvos-10-gn-lovasz",
    "eosvos-10-boxprop",
    "eosvos-paper-10",
    "eosvos-paper-10-ona",
    "eosvos-paper-50",
    "eosvos-paper-50-ona",
    "eosvos-paper-100",
    "eosvos-paper-100-ona",
]


def test_every_variant_is_registered_once():
    assert [spec.name for spec in specs()] == PUBLISHED


@pytest.mark.parametrize("spec", list(specs()), ids=lambda spec: spec.name)
def test_a_variant_fixes_options_that_exist_and_its_name_says_so(spec):
    settings = Settings.from_options(spec.resolve_options({}))
    steps = int(spec.name.removeprefix("eosvos-").removeprefix("paper-").split("-")[0])
    assert settings.iterations == steps
    assert settings.online == spec.name.endswith("-ona")
    assert set(VARIANTS[spec.name][1]) <= {option.name for option in spec.options}


@pytest.mark.parametrize("spec", list(specs()), ids=lambda spec: spec.name)
def test_the_weights_of_every_variant_ship_or_it_is_said_where_they_are(spec):
    weights = Settings.from_options(spec.resolve_options({})).weights
    if spec.name.startswith("eosvos-paper-"):
        with pytest.raises(UsageError, match=r"e-osvos_models\.zip.*import-reference"):
            find_weights(weights)
    else:
        assert find_weights(weights).is_file()


def test_the_ablation_is_the_papers_with_rows_between():
    places = [place for place in ABLATION.values() if place is not None]
    assert places == list(range(6))
    names = {row.split("+")[0] for row in ABLATION}
    assert names <= {spec.name for spec in specs()} | {"handcrafted-10"}


def test_options_are_parsed_and_checked():
    spec = next(specs())
    given = {"iterations": "7", "online": "yes", "online_frames": "recent"}
    settings = Settings.from_options(spec.resolve_options(given))
    assert (settings.iterations, settings.online, settings.online_frames) == (7, True, "recent")
    with pytest.raises(UsageError, match="online_frames"):
        spec.resolve_options({"online_frames": "all"})
    with pytest.raises(UsageError, match=r"average=1\.5 is no share"):
        Settings(average=1.5)
    with pytest.raises(UsageError, match="no option 'learning_rate'"):
        spec.resolve_options({"learning_rate": "1"})


def test_registering_imports_no_torch():
    code = """if True:
        import click, sys, vosbench_eosvos
        group = click.Group()
        vosbench_eosvos.vosbench_register_commands(group)
        vosbench_eosvos.vosbench_register_trackers(lambda spec: None)
        sys.exit("eosvos" not in group.commands or "torch" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_variant_and_option_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "eosvos.md").read_text()
    names = [*VARIANTS, *(option.name for option in Settings.options())]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_ablation_takes_weights_of_another_model_from_a_folder(tmp_path):
    def ablate():
        arguments = ["ablate", "--dataset", "demo", "--weights", str(tmp_path), "--no-run"]
        return CliRunner().invoke(eosvos, [*arguments, "--results", str(tmp_path)])

    assert set(ABLATION_WEIGHTS) == {row.split("+")[0] for row in ABLATION}
    for name in dict.fromkeys(ABLATION_WEIGHTS.values()):
        refused = ablate().exception
        assert isinstance(refused, UsageError) and f"{name}.safetensors" in str(refused)
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    assert "is not there" not in str(ablate().exception)
