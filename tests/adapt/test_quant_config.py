"""The choices of a quantized copy: what follows from them, and what is refused."""

import pytest

from linnet.adapt.quant_config import QuantConfig
from linnet.core.errors import BadInput


def test_four_bits_are_calibrated_unless_asked_otherwise():
    assert QuantConfig(method="int4").calibrated
    assert not QuantConfig(method="int4", rounding="nearest").calibrated
    assert not QuantConfig().calibrated
    assert QuantConfig(method="int8", rounding="gptq").calibrated
    assert [QuantConfig(method=method).bits for method in ("int8", "int8-dynamic", "int4")] == [8, 8, 4]


@pytest.mark.parametrize("wrong", [{"method": "int3"}, {"group": 48}, {"damping": 0}, {"tables": "int2"}])
def test_what_is_no_choice_is_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        QuantConfig.build(wrong, "test")
