# SPDX-License-Identifier: Apache-2.0
"""Where a daemon of a test has its store: a file in its directory, or, with BRSKI_TEST_POSTGRES (the URI
of a server where schemas may be made), a schema of its own there. A directory has the same one each time."""
import contextlib
import hashlib
import os
import sqlite3
import subprocess

SERVER = "BRSKI_TEST_POSTGRES"


def on_server():
    return SERVER in os.environ


def schema_uri(server, schema):
    """An empty schema, or the one that was made before."""
    done = subprocess.run(["psql", "-qX", "-d", server, "-c", f'CREATE SCHEMA IF NOT EXISTS "{schema}"'],
                          capture_output=True, text=True, env=dict(os.environ, PGOPTIONS="-cclient_min_messages=error"))
    assert done.returncode == 0, done.stderr
    return f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"


def path(directory, name):
    if not on_server():
        return directory / f"{name}.db"
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:20]
    return schema_uri(os.environ[SERVER], f"{name}_{digest}")


def query(directory, name, sql):
    """Rows of a store as tuples, or what SQL does to it; the daemon may run."""
    if not on_server():
        with contextlib.closing(sqlite3.connect(path(directory, name), isolation_level=None)) as db:
            return db.execute(sql).fetchall()
    done = subprocess.run(["psql", "-qXAt", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-d", path(directory, name),
                           "-c", sql], capture_output=True, text=True, check=True)
    return [tuple(int(v) if v.lstrip("-").isdigit() else v for v in line.split("\x1f"))
            for line in done.stdout.splitlines()]
