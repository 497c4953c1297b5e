"""Finding weights: by shipped name or by path, with an error that says what there is."""

import pytest

from vosbench.errors import UsageError
from vosbench_eosvos.weights import find_outline, find_weights, shipped


def test_a_path_is_taken_as_it_is(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"")
    assert find_weights(str(path)) == path


def test_every_shipped_name_is_found():
    for name, path in shipped().items():
        assert find_weights(name) == path
        assert path.is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no-such-weights", "there are no weights 'no-such-weights'"),
        ("folder/none.safetensors", "weights file folder/none.safetensors does not exist"),
    ],
)
def test_missing_weights_are_an_error_that_names_them_and_the_way_out(name, message):
    with pytest.raises(UsageError, match="-o weights=") as caught:
        find_weights(name)
    assert caught.value.message == message


def test_a_misspelt_outline_says_what_there_is():
    assert find_outline("outline-lite").is_file()
    with pytest.raises(UsageError, match=r"outline-lite.*-o outline=FILE.*outline=edges") as caught:
        find_outline("edge")
    assert "eosvos-lite" not in str(caught.value)
