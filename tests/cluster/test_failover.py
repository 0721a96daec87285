# SPDX-License-Identifier: Apache-2.0
"""The machine with the database dies while devices join: see failover.py."""
import pytest

from failover import HELD, RATE, SECONDS, Failover

RESUMED_S = 30


@pytest.mark.slow
def test_what_was_acknowledged_survives_the_leader_and_joins_go_on(tmp_path):
    result = Failover(tmp_path).run()
    assert result.acknowledged["voucher"] >= RATE * SECONDS, result
    assert result.acknowledged["approval"] == HELD, result
    assert not result.lost and not result.twice, (result.lost[:20], result.twice[:20])
    assert result.report["failures"] == 0, result.report
    assert result.report["redials"] > 0, "nobody noticed that the leader died"
    assert result.resumed_s <= RESUMED_S, result
