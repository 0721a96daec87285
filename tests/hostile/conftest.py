# SPDX-License-Identifier: Apache-2.0
import pytest

from siege import Siege


@pytest.fixture(scope="module")
def site_changes():
    """As in operation: at level debug the log would be the load."""
    return {"log": {"level": "info"}}


@pytest.fixture(scope="module")
def siege(site):
    return Siege(site)
