"""What requests share."""

import asyncio

import pytest

from linnet.serve.refusals import Refused
from tests.serve.material import polite, service_over


def test_models_by_name_health_and_levels():
    async def whole():
        service = service_over(polite("a"), polite("b"))
        assert not service.healthy
        service.open_desks()
        try:
            assert service.healthy
            assert service.desk("b").host.name == "b"
            with pytest.raises(Refused, match="there are: a, b"):
                service.desk("c")
            levels = {(name, labels.get("model")): value for name, _, labels, value in service.levels()}
            assert levels["linnet_engine_slots", "a"] == 4
            assert levels["linnet_engine_active", "b"] == 0
            service.desks["a"].failed = True
            assert not service.healthy
            service.desks["a"].failed, service.draining = False, True
            assert not service.healthy
        finally:
            service.close()

    asyncio.run(whole())
