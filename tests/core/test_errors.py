"""The errors carry what the command line needs: words, nearest names, exit codes."""

from linnet.core.errors import BadInput, Failed, Stopped, nearest, needs_extra


def test_nearest_offers_only_what_is_close():
    assert nearest("ful", ["full", "empty"]) == ' Did you mean "full"?'
    assert nearest("xyz", ["full", "empty"]) == ""


def test_needs_extra_says_how_to_install():
    error = needs_extra("datasets", "data", "reading Parquet")
    assert isinstance(error, BadInput)
    assert str(error) == 'reading Parquet needs the package datasets: pip install "linnet[data]"'


def test_the_kinds_are_told_apart():
    assert not issubclass(BadInput, Failed)
    assert Stopped("saved", exit_code=143).exit_code == 143
