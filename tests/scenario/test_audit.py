# SPDX-License-Identifier: Apache-2.0
"""The audit log: everything that happened is in it, and nobody changes it unseen.

The database is changed here as somebody could who has its file: triggers dropped, rows edited, hashes
made anew by this file's own code. What the registrar's key has signed cannot be made anew."""
import base64
import datetime
import hashlib
import json
import pathlib
import shutil
import sqlite3

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import harness
from brski_peer import forge
from places import Site

pytestmark = pytest.mark.file_store

NOT_WHOLE = "the audit log is NOT whole"
FIELDS = ("exchange", "manufacturer", "serial", "by", "step", "outcome", "reason")
COLUMNS = ("exchange", "manufacturer", "serial", "actor", "step", "outcome", "reason")


def unix_time(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def chain_hash(previous, *fields):
    """As common/pki/hash_chain.h says it."""
    text = b"".join(b"-" if f is None else b"%d:%s" % (len(f), f)
                    for f in (None if f is None else str(f).encode() for f in fields))
    return hashlib.sha256((previous or bytes(32)) + text).digest()


@pytest.fixture(scope="module")
def lived_in(place, acme, domain):
    """A stopped site where devices joined, were held, approved and rejected; its store is sealed."""
    masa = harness.Masa(place / "masa", acme)
    registrar = harness.Registrar(place / "registrar", domain, [acme],
                                  changes={f"manufacturer {acme.name}": {"admit": "hold"}})
    site = Site(place, acme, domain, masa, registrar)
    with harness.running(masa, registrar):
        site.joined, site.rejected = site.device(), site.device()
        for device in (site.joined, site.rejected):
            with site.peer(device) as peer:
                assert peer.request_voucher().status == 202
        registrar.ctl("claims", "approve", site.joined.serial, "--reason", "delivery 42")
        registrar.ctl("claims", "reject", site.rejected.serial, "--reason", "not ours")
        assert site.pledge(site.joined).join().returncode == 0
        site.head = registrar.ctl("audit", "verify").stdout.split()[-1]
    return site


FIRST_STORE = pathlib.Path(__file__).with_name("first_store.sql")


class Copy:
    """The lived-in site's registrar over a copy of its store."""

    def __init__(self, site, cell):
        self.site, self.store = site, cell / "registrar.db"
        with sqlite3.connect(site.registrar.directory / "registrar.db") as db:
            db.execute("VACUUM INTO ?", (str(self.store),))
        self.registrar = harness.Registrar(cell, site.domain, [site.manufacturer])

    def sql(self, *statements):
        """Change the store with nothing in the way; several statements, or (statement, values)."""
        db = sqlite3.connect(self.store)
        db.create_function("chain_hash", -1, chain_hash)
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for s in statements:
            db.execute(*((s,) if isinstance(s, str) else s))
        db.commit()
        rows = db.execute("SELECT id FROM journal ORDER BY id").fetchall()
        db.close()
        return [row[0] for row in rows]

    def as_of_the_first_release(self):
        """What it had then: the same rows in a store of its making."""
        now = self.store.rename(self.store.with_suffix(".now"))
        old = sqlite3.connect(self.store, isolation_level=None)
        old.executescript(FIRST_STORE.read_text())
        tables = [name for (name,) in old.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        old.execute("ATTACH ? AS now", (str(now),))
        kind, = old.execute("PRAGMA now.application_id").fetchone()
        for table in tables:
            columns = ", ".join(column[1] for column in old.execute(f"PRAGMA main.table_info({table})"))
            old.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}")
        old.execute(f"PRAGMA main.application_id = {kind}")
        old.execute("PRAGMA main.user_version = 1")
        old.close()

    def chain_again(self, first=1):
        """All hashes from a line on as the chain wants them."""
        db = sqlite3.connect(self.store)
        rows = db.execute(f"SELECT id, at, {', '.join(COLUMNS)} FROM journal ORDER BY id").fetchall()
        previous = None
        for row in rows:
            if row[0] >= first:
                db.execute("UPDATE journal SET hash = ? WHERE id = ?",
                           (chain_hash(previous, *row), row[0]))
            previous = db.execute("SELECT hash FROM journal WHERE id = ?", (row[0],)).fetchone()[0]
        db.commit()
        db.close()

    def verify(self, *options):
        with harness.running(self.registrar):
            return self.registrar.ctl("audit", "verify", *options, check=None)


@pytest.fixture
def copy(lived_in, cell):
    return Copy(lived_in, cell)


def lines_of(registrar):
    return json.loads(registrar.ctl("audit", "list", "--last", "1000", "-o", "json").stdout)


# -- what is in it

def test_everything_that_happened_is_one_chain(copy):
    with harness.running(copy.registrar):
        lines = lines_of(copy.registrar)
    previous = None
    for number, line in enumerate(lines, 1):
        assert line["sequence"] == number
        at = unix_time(line["time"])
        previous = chain_hash(previous, number, at, *(line[f] for f in FIELDS))
        assert line["hash"] == previous.hex(), line
    mine = [line for line in lines if line["serial"] == copy.site.joined.serial]
    assert [(x["step"], x["outcome"]) for x in mine][:3] == [
        ("claim", "pending"), ("claim", "approved"), ("voucher", "delivered")]
    assert mine[1]["by"] == "unix:uid=0" and mine[1]["reason"] == "delivery 42"
    assert {"enroll", "enroll-status"} <= {x["step"] for x in mine}, mine
    no = [x for x in lines if x["serial"] == copy.site.rejected.serial and x["outcome"] == "rejected"]
    assert len(no) == 1 and no[0]["reason"] == "not ours" and no[0]["by"] == "unix:uid=0"


def test_decisions_are_on_the_timeline_of_the_device(copy):
    with harness.running(copy.registrar):
        shown = json.loads(
            copy.registrar.ctl("devices", "show", copy.site.joined.serial, "-o", "json").stdout)
    decision = [x for x in shown["journal"] if x["outcome"] == "approved"]
    assert decision and decision[0]["by"] == "unix:uid=0"


def test_untouched_log_is_whole_and_grows_on(copy):
    done = copy.verify("--expect", copy.site.head)
    assert done.returncode == 0 and "the audit log is whole" in done.stdout, done
    with harness.running(copy.registrar):
        copy.registrar.ctl("claims", "approve", copy.site.rejected.serial)
        again = copy.registrar.ctl("audit", "verify", "--expect", copy.site.head)
    assert again.stdout.split()[-1] != copy.site.head


def test_head_is_signed_by_the_registrar_as_the_format_says(copy):
    with harness.running(copy.registrar):
        export = [json.loads(x) for x in copy.registrar.ctl("audit", "export").stdout.splitlines()]
    heads = [x for x in export if "head" in x]
    assert heads and export[:len(heads)] == heads
    head = heads[-1]
    text = f"brski log head\nregistrar\n{head['sequence']}\n{unix_time(head['time'])}\n{head['hash']}\n"
    signer = x509.load_pem_x509_certificate(head["certificates"].encode())
    signer.public_key().verify(base64.b64decode(head["signature"]), text.encode(),
                               ec.ECDSA(hashes.SHA256()))
    assert signer == x509.load_pem_x509_certificate(copy.registrar.certificate.read_bytes())


# -- who changes it is seen

def edit(copy):
    copy.sql("UPDATE journal SET outcome = 'approved', reason = NULL WHERE outcome = 'rejected'")


def edit_actor_and_chain_again(copy):
    copy.sql("UPDATE journal SET actor = 'unix:uid=1000' WHERE outcome = 'approved'")
    copy.chain_again()


def edit_the_time(copy):
    copy.sql("UPDATE journal SET at = at - 86400 WHERE outcome = 'approved'")


def delete_one(copy):
    copy.sql("DELETE FROM journal WHERE outcome = 'rejected'")


def delete_one_and_close_the_gap(copy):
    ids = copy.sql("DELETE FROM journal WHERE outcome = 'rejected'")
    copy.sql(*[("UPDATE journal SET id = ? WHERE id = ?", (new, old))
               for new, old in enumerate(ids, 1) if new != old])
    copy.chain_again()


def delete_the_first(copy):
    copy.sql("DELETE FROM journal WHERE id = 1")


def cut_off_the_end(copy):
    copy.sql("DELETE FROM journal WHERE id > 3")


def swap_two(copy):
    copy.sql("UPDATE journal SET id = -2 WHERE id = 2", "UPDATE journal SET id = 2 WHERE id = 3",
             "UPDATE journal SET id = 3 WHERE id = -2")


def insert_one(copy):
    copy.sql("INSERT INTO journal (id, at, step, outcome, hash) SELECT max(id) + 2, at, 'claim', "
             "'approved', hash FROM journal")


def take_the_hashes_away(copy):
    copy.sql("UPDATE journal SET hash = NULL, reason = 'forged' WHERE id <= 2")


def take_all_heads_away(copy):
    copy.sql("DELETE FROM head")


def sign_with_a_device(copy):
    """A device of the site has a certificate of the same CA, and whoever has its key can sign."""
    edit_actor_and_chain_again(copy)
    state = copy.site.directory / f"pledge-{copy.site.joined.serial}" / "state" / "current"
    copy.sql("DELETE FROM head WHERE sequence < (SELECT max(sequence) FROM head)")
    db = sqlite3.connect(copy.store)
    sequence, at = db.execute("SELECT sequence, at FROM head").fetchone()
    digest = db.execute("SELECT hash FROM journal WHERE id = ?", (sequence,)).fetchone()[0]
    key = forge.load(state / "ldevid.key", state / "ldevid.crt").key
    text = f"brski log head\nregistrar\n{sequence}\n{at}\n{digest.hex()}\n"
    db.execute("UPDATE head SET hash = ?, signature = ?, certificates = ?",
               (digest, key.sign(text.encode(), ec.ECDSA(hashes.SHA256())),
                (state / "ldevid.crt").read_text()))
    db.commit()
    db.close()


@pytest.mark.parametrize("tamper, what", [
    (edit, "hash does not follow"),
    (edit_actor_and_chain_again, "not the one that was signed"),
    (edit_the_time, "hash does not follow"),
    (delete_one, "stands behind line"),
    (delete_one_and_close_the_gap, "the log ends with line"),
    (delete_the_first, "no signed head says"),
    (cut_off_the_end, "the log ends with line 3"),
    (swap_two, "hash does not follow"),
    (insert_one, "stands behind line"),
    (take_the_hashes_away, "hash does not follow"),
    (sign_with_a_device, "which is no registrar"),
], ids=lambda x: x.__name__ if callable(x) else "")
def test_change_of_the_store_shows(copy, tamper, what):
    tamper(copy)
    done = copy.verify()
    assert done.returncode == 1, done
    assert NOT_WHOLE in done.stderr and what in done.stderr, done.stderr


def test_store_without_heads_is_told_of_at_the_start_and_does_not_hold_an_earlier_head(copy):
    edit_actor_and_chain_again(copy)
    take_all_heads_away(copy)
    done = copy.verify("--expect", copy.site.head)
    assert done.returncode == 1 and "no signed head" in done.stderr, done
    assert "alert-journal-altered" in copy.registrar.log()


def test_change_before_the_start_is_an_alert(copy):
    cut_off_the_end(copy)
    copy.verify()
    assert "alert-journal-altered" in copy.registrar.log()


def test_change_behind_a_running_registrar_is_not_signed_over(copy):
    with harness.running(copy.registrar):
        copy.registrar.ctl("claims", "approve", copy.site.rejected.serial)
        assert copy.registrar.ctl("audit", "verify").returncode == 0
        edit_actor_and_chain_again(copy)
        take_all_heads_away(copy)
        done = copy.registrar.ctl("audit", "verify", check=None)
    assert done.returncode == 1 and "audit log was changed" in copy.registrar.log(), done


def test_nobody_changes_or_deletes_a_line_by_the_stores_own_rules(copy):
    db = sqlite3.connect(copy.store)
    db.create_function("chain_hash", -1, chain_hash)
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        db.execute("UPDATE journal SET reason = 'x' WHERE id = 1")
    db.execute("INSERT INTO journal (id, at) SELECT max(id) + 1, 0 FROM journal")
    with pytest.raises(sqlite3.IntegrityError, match="signed before"):
        db.execute("DELETE FROM journal WHERE id = (SELECT max(id) FROM journal)")
    db.close()


# -- an export, elsewhere

@pytest.fixture(scope="module")
def export(lived_in, place):
    with harness.running(lived_in.registrar):
        text = lived_in.registrar.ctl("audit", "export").stdout
    return text.splitlines()


def verify_export(lived_in, cell, lines, anchors=None, *more):
    path = cell / "audit.ndjson"
    path.write_text("".join(line + "\n" for line in lines))
    return harness.run(harness.program("registrarctl"), "audit", "verify", path, "--anchors",
                       anchors or lived_in.domain.file("root.crt"), *more)


def changed(lines, number, **members):
    """The line with this sequence number, with other members."""
    out = []
    for line in lines:
        item = json.loads(line)
        if "head" not in item and item["sequence"] == number:
            item.update(members)
        out.append(json.dumps(item))
    return out


def test_export_is_verified_without_the_service(lived_in, cell, export):
    done = verify_export(lived_in, cell, export)
    assert done.returncode == 0 and "the audit log is whole" in done.stdout, done
    done = verify_export(lived_in, cell, export, None, "--expect", lived_in.head)
    assert done.returncode == 0, done


@pytest.mark.parametrize("spoil, what", [
    (lambda x: changed(x, 2, reason="delivery 43"), "line 2: its hash does not follow"),
    (lambda x: changed(x, 3, by=None), "line 3: its hash does not follow"),
    (lambda x: [y for y in x if '"sequence":3,' not in y.replace(" ", "") or '"head"' in y],
     "line 4 stands behind line 2"),
    (lambda x: x[:-1], "the log ends with line"),
    (lambda x: [y for y in x if '"head"' not in y], "no head of the log is signed"),
    (lambda x: [x[-1], *x[:-1]], ""),
    (lambda x: [*x, "{"], "of the file"),
    (lambda x: [x[0].replace('"signature":"', '"signature":"AAAA'), *x[1:]], "head"),
], ids=["text", "actor", "missing", "cut", "headless", "moved", "not-json", "signature"])
def test_spoilt_export_is_not_whole(lived_in, cell, export, spoil, what):
    done = verify_export(lived_in, cell, spoil(export))
    assert done.returncode == 1 and NOT_WHOLE in done.stderr and what in done.stderr, done


def test_export_of_another_site_is_not_believed(lived_in, cell, export, other_domain):
    done = verify_export(lived_in, cell, export, other_domain.file("root.crt"))
    assert done.returncode == 1 and NOT_WHOLE in done.stderr, done


def test_head_that_was_noted_and_is_not_in_the_export_shows(lived_in, cell, export):
    sequence, digest = lived_in.head.split(":")
    other = f"{sequence}:{'00' if digest[:2] != '00' else '11'}{digest[2:]}"
    done = verify_export(lived_in, cell, export, None, "--expect", other)
    assert done.returncode == 1 and "hash expected" in done.stderr, done


def test_usage_is_said(lived_in, cell):
    ctl = harness.program("registrarctl")
    for words in (["x.ndjson"], ["--expect", "12"], ["--expect", "1:zz"]):
        assert harness.run(ctl, "audit", "verify", *words).returncode == 2
    done = harness.run(ctl, "audit", "verify", cell / "none", "--anchors",
                       lived_in.domain.file("root.crt"))
    assert done.returncode == 1 and "No such file" in done.stderr


# -- an old store

def test_store_of_before_the_chain_is_taken_over(lived_in, cell):
    """As a release before this one left it: lines without hashes, no heads."""
    copy = Copy(lived_in, cell)
    copy.as_of_the_first_release()
    with harness.running(copy.registrar):
        copy.registrar.ctl("claims", "approve", lived_in.rejected.serial)
        done = copy.registrar.ctl("audit", "verify")
    assert "older than the chain" in done.stdout, done
    shutil.copy(copy.store, cell / "again.db")
    copy.sql("UPDATE journal SET reason = 'x' WHERE hash IS NOT NULL")
    assert copy.verify().returncode == 1
