# SPDX-License-Identifier: Apache-2.0
"""Fixtures: hierarchies once per session, daemons once per module where their state does not matter.

When a test fails, what every program wrote during that test is added to its report.
"""
import itertools
import pathlib

import pytest

import harness
import stores
from brski_peer.masa import FakeMasa
from places import Site


def pytest_collection_modifyitems(items):
    for item in items:
        if stores.on_server() and item.get_closest_marker("file_store"):
            item.add_marker(pytest.mark.skip(reason="the store is no file"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Where everything of this session lives."""
    missing = [n for n in ("brski-certs", "brski-masa", "brski-registrar", "brski-pledge")
               if not pathlib.Path(harness.program(n)).exists()]
    if missing:
        pytest.fail(f"not built: {', '.join(missing)} in {harness.BUILD} (run make first)",
                    pytrace=False)
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def acme(lab):
    return harness.Manufacturer(lab / "acme", "Acme")


@pytest.fixture(scope="session")
def stranger(lab):
    """A manufacturer no registrar here knows."""
    return harness.Manufacturer(lab / "stranger", "Stranger")


@pytest.fixture(scope="session")
def domain(lab):
    return harness.Domain(lab / "domain")


@pytest.fixture(scope="session")
def other_domain(lab):
    return harness.Domain(lab / "other-domain", "Other Site")


@pytest.fixture(scope="module")
def place(request, lab):
    """A directory for this module's daemons."""
    path = lab / request.module.__name__
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def site_changes():
    """What a folder of tests wants otherwise in the configuration of the daemons."""
    return {}


@pytest.fixture(scope="module")
def site(place, acme, domain, site_changes):
    """The real MASA and the real registrar."""
    masa = harness.Masa(place / "masa", acme, changes=site_changes)
    registrar = harness.Registrar(place / "registrar", domain, [acme], changes=site_changes)
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(scope="module")
def coaps_site(place, acme, domain, site_changes):
    """The same, with a registrar that serves constrained devices as well."""
    masa = harness.Masa(place / "masa-coaps", acme, changes=site_changes)
    registrar = harness.Registrar(place / "registrar-coaps", domain, [acme], changes=site_changes,
                                  coaps=True)
    with harness.running(masa, registrar):
        yield Site(place, acme, domain, masa, registrar)


@pytest.fixture(scope="module")
def masa_fake_server(acme):
    with FakeMasa(acme.directory) as masa:
        yield masa


@pytest.fixture
def fake_masa(masa_fake_server):
    """The fake MASA, honest again at the start of each test."""
    masa_fake_server.be_honest()
    masa_fake_server.requests.clear()
    return masa_fake_server


@pytest.fixture(scope="module")
def fake_site_running(place, acme, domain, masa_fake_server):
    registrar = harness.Registrar(place / "registrar-fake-masa", domain, [acme])
    with harness.running(registrar):
        yield Site(place, acme, domain, masa_fake_server, registrar)


@pytest.fixture
def fake_site(fake_site_running, fake_masa):
    """The real registrar with the fake MASA."""
    return fake_site_running


_cells = itertools.count(1)


@pytest.fixture
def cell(lab):
    """A directory of one test's own, short enough for a Unix socket in it."""
    path = lab / f"cell-{next(_cells)}"
    path.mkdir()
    return path


# -- the programs' logs in the report of a failed test

_marks = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.stash[_marks] = {p: p.log_size() for p in harness.Process.known}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    before = item.stash.get(_marks, {})
    for process in harness.Process.known:
        said = process.log()[before.get(process, 0):]
        if said:
            report.sections.append((f"log of {process.log_path.parent.name}/{process.log_path.name}",
                                    said[-6000:]))
