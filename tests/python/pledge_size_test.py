# SPDX-License-Identifier: Apache-2.0
"""A device's program has no code that only servers run."""
import os
import pathlib
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
SERVERS_ONLY = ("http_server_", "http1_conn", "http2_", "http_worker", "coap_server_", "dtls_listener_", "store_open", "store_read",
                "store_write", "issue_")


def functions(program):
    rows = (line.split() for line in subprocess.check_output(["nm", program], text=True).splitlines())
    return [row[2] for row in rows if len(row) == 3 and row[1] in "Tt"]


@pytest.mark.parametrize("prefix", SERVERS_ONLY)
def test_the_pledge_has_no_server_in_it(prefix):
    assert not [f for f in functions(BUILD / "brski-pledge") if f.startswith(prefix)]
    assert [f for f in functions(BUILD / "brski-registrar") if f.startswith(prefix)], "no such code any more"
