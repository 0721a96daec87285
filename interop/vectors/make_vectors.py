#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes every file of this folder but the program and the text: messages, certificates, index.json.

    interop/vectors/make_vectors.py [FOLDER]

Keys are taken from keys/ and made where one is missing; times and numbers are fixed. ECDSA signatures
are random, so whoever runs it changes the octets of what is signed with such a key, and nothing else:
the set is checked in and made again only on purpose.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from in_cms import cms_invalid, cms_valid  # noqa: E402
from in_cose import cose_invalid, cose_valid  # noqa: E402
from unsigned import (  # noqa: E402
    audit_log, est_certs, est_csr, est_csrattrs, idevids, jpy, multipart, telemetry,
)
from vector_set import Set, World  # noqa: E402


def make(folder):
    out = Set(folder)
    world = World(out.keys)
    world.write(out)
    cms_invalid(out, world, cms_valid(out, world))
    cose_invalid(out, world, cose_valid(out, world))
    telemetry(out)
    audit_log(out, world)
    est_csr(out, world)
    est_csrattrs(out)
    est_certs(out, world)
    multipart(out, world)
    jpy(out)
    idevids(out, world)
    out.finish()
    return out


if __name__ == "__main__":
    made = make(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    print(f"{len(made.entries)} vectors")
