# SPDX-License-Identifier: Apache-2.0
"""Honest and strict roles of the suite's own, to test the suite with.

Whatever a role does that a check looks at is a rule with a name; selftest.py switches one off and
expects that check to fail. How to add a rule: README.md.
"""
