"""The compiled pass is built once, by the compiler that is there, and says in one line what is missing."""

import ctypes
import shutil

import pytest

from linnet.core.errors import BadInput
from linnet.infer import native

compiler = next(filter(None, map(shutil.which, native.COMPILERS)), None)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Build into a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    native.library.cache_clear()
    yield tmp_path
    native.library.cache_clear()


def test_without_a_compiler(monkeypatch, own_cache):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInput, match="needs a C compiler"):
        native.library()
    monkeypatch.setenv("CC", "/no/such/compiler")
    with pytest.raises(BadInput, match=r"/no/such/compiler: cannot compile the pass: .*No such file"):
        native.library()
    assert not list(own_cache.rglob("*.so"))


@pytest.mark.skipif(compiler is None, reason="needs a C compiler")
def test_a_complaint_is_one_line_and_leaves_nothing(own_cache):
    with pytest.raises(BadInput, match=r"cannot compile the pass: .*no-such-flag") as caught:
        native.build(str(compiler), own_cache / "x.so", "-fno-such-flag")
    assert "\n" not in str(caught.value)
    assert not list(own_cache.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(compiler is None, reason="needs a C compiler")
def test_it_is_built_once_and_the_structures_are_as_large_as_its_own(own_cache):
    native.library()
    (built,) = own_cache.rglob("*.so")
    before = built.stat().st_mtime_ns
    native.library.cache_clear()
    found = native.library()
    assert built.stat().st_mtime_ns == before
    for place, made in enumerate((native.Linear, native.Block, native.Net, native.Run, native.Pass)):
        found.linnet_size.restype = ctypes.c_int64
        assert found.linnet_size(place) == ctypes.sizeof(made)
