# SPDX-License-Identifier: Apache-2.0
"""The checks, a file for each role and topic; every module here is loaded."""
