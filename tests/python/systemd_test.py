# SPDX-License-Identifier: Apache-2.0
"""The service units: what systemd itself says of them, and what must not be lost in an edit."""
import pathlib
import re
import shutil
import subprocess

import pytest

UNITS = sorted((pathlib.Path(__file__).resolve().parents[2] / "systemd").glob("*.service"))
EXPOSURE_MAX = 20  # tenths; systemd calls everything below 2.5 safe


@pytest.fixture(params=UNITS, ids=lambda p: p.stem)
def unit(request, tmp_path):
    """As `make install` writes it, with a program that exists."""
    path = tmp_path / request.param.name
    text = request.param.read_text()
    path.write_text(re.sub(r"@bindir@/\S+", "/bin/true", text))
    return path


def test_each_daemon_has_a_unit():
    assert [u.stem for u in UNITS] == ["brski-masa", "brski-proxy", "brski-registrar"]


@pytest.mark.parametrize("line", [
    "Type=notify", "WatchdogSec=30s", "Restart=on-failure",
    "NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes",
    "CapabilityBoundingSet=", "UMask=0077", "LimitCORE=0"])
def test_what_the_service_relies_on_is_there(unit, line):
    assert line in unit.read_text().splitlines()


@pytest.mark.parametrize("name", ["brski-masa", "brski-registrar"])
def test_what_has_a_configuration_to_reload_does(name):
    unit, = (u for u in UNITS if u.stem == name)
    assert "ExecReload=/bin/kill -HUP $MAINPID" in unit.read_text().splitlines()


def test_proxy_cannot_read_the_keys_of_the_device():
    """They are root's alone; what the proxy reads is public."""
    unit, = (u for u in UNITS if u.stem == "brski-proxy")
    lines = unit.read_text().splitlines()
    assert "User=brski-proxy" in lines and not any(l.startswith("AmbientCapabilities") for l in lines)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_every_line(unit):
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                          text=True, timeout=60)
    about_us = [line for line in said.stderr.splitlines() if unit.name in line]
    assert not about_us and said.returncode == 0, said.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_exposure_is_low(unit):
    said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           f"--threshold={EXPOSURE_MAX}", unit], capture_output=True, text=True,
                          timeout=60)
    assert said.returncode == 0, said.stdout[-1500:] + said.stderr
