# SPDX-License-Identifier: Apache-2.0
import pathlib

import pytest

from siege import Siege

HERE = pathlib.Path(__file__).parent


def pytest_collection_modifyitems(items):
    """During every attack a device has to join in time: nothing else may take its time."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="module")
def site_changes():
    """As in operation: at level debug the log would be the load."""
    return {"log": {"level": "info"}}


@pytest.fixture(scope="module")
def siege(site):
    return Siege(site)
