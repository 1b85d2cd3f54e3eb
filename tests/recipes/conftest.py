"""What all tests of recipes share: the machine's limit is not measured, which takes longer than their trainings."""

import pytest


@pytest.fixture(scope="package", autouse=True)
def no_measuring():
    """Take a number for the limit of matrix products; fixtures of a module train too."""
    from linnet.train import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "matmul_limit", lambda *_: 1e11)
        yield
