# SPDX-License-Identifier: Apache-2.0
"""Stories of whole sites, and the one runner of them. README.md in the folder above says how to write one."""
