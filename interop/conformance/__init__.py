# SPDX-License-Identifier: Apache-2.0
"""A conformance suite for BRSKI: interop/README.md says how to use it and how to add to it."""
