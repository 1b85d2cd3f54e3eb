"""Clients of small servers for the tests of this folder."""

import pytest
from starlette.testclient import TestClient

from linnet.serve.app import create_app
from tests.serve.material import base, calculating, polite, service_over


@pytest.fixture(scope="module")
def client():
    """Return a client of a server with a polite model, one that calculates, and one that cannot chat."""
    service = service_over(polite(), calculating(), base())
    with TestClient(create_app(service), base_url="http://localhost") as client:
        client.service = service
        yield client
