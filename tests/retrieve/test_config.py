"""The choices of chunks are bounded."""

import pytest

from linnet.core.errors import BadInput
from linnet.retrieve.config import ChunkConfig


@pytest.mark.parametrize("values", [{"tokens": 7}, {"overlap": -1}, {"token": 100}])
def test_what_makes_no_sense_is_refused(values):
    with pytest.raises(BadInput):
        ChunkConfig.build(values, "here")
