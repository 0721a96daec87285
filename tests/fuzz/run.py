#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run the fuzz targets, or measure what their corpora reach.

    tests/fuzz/run.py fuzz     --build DIR --seconds N [TARGET...]
    tests/fuzz/run.py coverage --build DIR [--missing] [TARGET...]

fuzz: one target after the other, at low priority; new inputs are kept in DIR/corpus/TARGET, what
crashes in DIR/crashes. Prints executions a second of CPU time. Exit 1 when a target failed, or was
slow twice: on a busy machine even a CPU second is not always worth the same, and the start may be all
that it gets to; the second run has more time.
coverage: lines of the target's parsers that its committed corpus reaches; exit 1 below the floor.
"""
import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FLOOR = 90            # per cent of lines; what is left are failed allocations
RATE_FLOOR = 1000     # executions a second of CPU: below it hardly anything is found
SECOND_TRY = 5        # times the time
INPUT_MAX = 16384

# target → its parsers: file, and the functions in it that are not the parser's (None: none)
PARSERS = {
    "ask_answer": {"registrar/notify/ask_answer.c": r"ask_answer_verify|parse_timestamp"},
    "cloud_places": {"registrar/cloud/places.c": None, "registrar/cloud/regions.c": r"regions_load"},
    "audit_log": {"common/message/audit_log.c": None},
    "cms": {"common/pki/cms.c": r"cms_verify_own", "common/pki/cms_alg.c": r"cms_alg_of_key|cms_alg_sign$"},
    "cbor": {"common/wire/cbor.c": None, "common/wire/cbor_walk.c": None, "common/wire/cbor_json.c": r"no_memory"},
    "cose": {"common/pki/cose.c": r"cose_open|cose_verify_own", "common/pki/cose_alg.c": r"of_key|from_der|take_integer",
             "common/pki/cose_seal.c": r"seal|^sign$|put_|choose_certs"},
    "coap_block": {"common/wire/coap_block.c": None},
    "coap_client": {"common/net/coap_client.c": None, "common/net/coap_client_request.c": None},
    "coap_message": {"common/wire/coap_message.c": None,
                     "common/wire/coap_format.c": r"coap_code_from_status"},
    "config": {"common/run/config.c": r"describe", "common/run/config_value.c": r"describe|config_value_format"},
    "core_link": {"common/wire/core_link.c": None},
    "crl_list": {"common/pki/crl_list.c": None},
    "csr": {"common/pki/csr.c": None, "common/pki/csr_satisfies.c": None,
            "registrar/est_body.c": r"est_wrapping_for"},
    "csrattrs": {"common/pki/csrattrs.c": None},
    "csv": {"common/wire/csv.c": None, "registrar/import.c": r"result_name|clear|spoil"},
    "datetime": {"common/wire/datetime.c": None},
    "dns_message": {"common/net/dns_message.c": r"dns_name_parse|dns_name_is_under"},
    "dns_sd": {"common/net/dns_sd.c": r"browse|question", "common/net/service_names.c": r"grasp|usual_if_none"},
    "enroll": {"registrar/subject.c": None, "registrar/enroll_rules.c": r"client|refuse|expired|ldevid|idevid|allowed"},
    "est_reply": {"pledge/est_reply.c": None},
    "grasp": {"common/net/grasp.c": None},
    "http1": {"common/net/http1.c": r"http1_take_body|http1_started", "common/net/http1_head.c": None},
    "http1_reply": {"common/net/http1_reply.c": None},
    "http2": {"common/net/http2.c": r"http2_expired|http2_wants_input|http2_is_busy",
              "common/net/http2_stream.c": r"on_deadline", "common/net/http_route.c": r"refusal_of"},
    "idevid": {"common/pki/idevid.c": r"issuer_of_ca", "common/pki/cert_plain.c": None,
               "common/pki/cert.c": r"cert_from_x509|cert_verify|cert_x509|cert_signed_by",
               "common/pki/name.c": r"name_format|^add$|is_printable_string"},
    "inspect": {"voucher/inspect.c": None, "voucher/input.c": r"input_load", "voucher/render.c": r"render_put|render_certs", "voucher/render_cose.c": None},
    "jpy": {"common/wire/jpy.c": None},
    "ocsp_request": {"common/pki/ocsp.c": None, "common/pki/extension.c": None},
    "proxy_protocol": {"common/net/proxy_protocol.c": None},
    "masa_request": {"masa/authenticate.c": None, "masa/domain.c": r"domain_key|domain_id_text|cache_new|cache_free|path_free|cache_key|remember",
                     "common/message/voucher_format.c": r"voucher_seal|content_seal|media_type|accept|is_a_pledges|names_of|name_in|answer"},
    "match": {"registrar/admin/match.c": None},
    "multipart_core": {"common/wire/multipart_core.c": None},
    "media_type": {"common/wire/media_type.c": None},
    "pkcs7_certs": {"common/pki/pkcs7_certs.c": None},
    "pledge_state": {"pledge/state.c": r"csr|install|reset|report_done|write_|sync_dir|turn_current|put_next_key|update_cacerts|"
                                       r"make_next_dir|state_drop|remove_enrolled|current_path|is_enrolled|next_key|"
                                       r"configuration|load_enrolled|state_open|state_close",
                     "pledge/lines.c": None, "pledge/pending.c": None},
    "registrar_request": {"registrar/admit.c": r"admit_media|admit_device|admit_reserve|admit_recall|"
                                               r"touch|same_request|notice|pending|format|release|reserved"},
    "signature": {"common/pki/p256.c": None, "common/pki/key_spki.c": r"key_spki_bits"},
    "status_report": {"common/message/status_report.c": r"by_media_type|parse_typed", "common/message/status_report_cbor.c": None},
    "uri": {"common/wire/uri.c": None, "common/wire/percent.c": None},
    "voucher": {"pledge/accept.c": None, "registrar/vet.c": None},
    "voucher_cbor": {"common/message/voucher_cbor.c": None, "common/message/voucher_leaves.c": None},
    "voucher_json": {"common/message/voucher.c": None, "common/wire/json.c": r"json_get_string",
                     "common/wire/json_plain.c": None,
                     "common/wire/base64.c": r"encode_wrapped|url_encode|spaced"},
}


def targets(wanted):
    known = sorted(p.name[:-len("_fuzz.c")] for p in HERE.glob("*_fuzz.c"))
    for name in wanted:
        if name not in known:
            sys.exit(f"no target {name}; there are: {' '.join(known)}")
    return wanted or known


def fuzz_one(build, name, seconds):
    grown, crashes = build / "corpus" / name, build / "crashes"
    grown.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    command = ["nice", "-n", "10", str(build / "fuzz" / f"{name}_fuzz"), str(grown),
               str(HERE / "corpus" / name), f"-max_total_time={seconds}", f"-max_len={INPUT_MAX}",
               "-print_final_stats=1", "-timeout=10", "-rss_limit_mb=1024",
               f"-artifact_prefix={crashes}/{name}-"]
    words = HERE / "dict" / f"{name}.dict"
    if words.exists():
        command.append(f"-dict={words}")
    # what ASan remembers of each allocation costs more than most parsers
    env = dict(os.environ, ASAN_OPTIONS="malloc_context_size=2:quarantine_size_mb=16")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = done.stderr.decode(errors="replace")
    runs = int((re.findall(r"stat::number_of_executed_units: (\d+)", text) or ["0"])[-1])
    return done.returncode, runs, runs / max(cpu, 0.001), text


def fuzz(args):
    failed = 0
    for name in targets(args.targets):
        code, runs, rate, text = fuzz_one(args.build, name, args.seconds)
        if code == 0 and rate < RATE_FLOOR:
            code, runs, rate, text = fuzz_one(args.build, name, SECOND_TRY * args.seconds)
        slow = f"  SLOW (below {RATE_FLOOR})" if code == 0 and rate < RATE_FLOOR else ""
        bad = code != 0 or slow
        failed += bool(bad)
        print(f"{'FAILED' if bad else '    ok'} {name:18} {runs:9} runs {rate:7.0f} a CPU second{slow}", flush=True)
        if code != 0:
            print(text[-6000:], flush=True)
    return 1 if failed else 0


def tool(name):
    for candidate in (f"{name}-14", name):
        if subprocess.run(["which", candidate], stdout=subprocess.DEVNULL).returncode == 0:
            return candidate
    sys.exit(f"{name} is missing (package llvm)")


def function_lines(report, skip):
    """(lines, missed) of the functions that count, from llvm-cov report -show-functions."""
    lines = missed = 0
    holes = []
    for row in report.splitlines():
        cells = row.split()
        # name, regions, missed, cover, lines, missed, cover[, branches...]
        if len(cells) < 7 or not cells[4].isdigit() or cells[0] == "TOTAL":
            continue
        function = cells[0].split(":")[-1]
        if skip and re.search(skip, function):
            continue
        lines += int(cells[4])
        missed += int(cells[5])
        if int(cells[5]):
            holes.append(f"{function} {cells[5]}/{cells[4]}")
    return lines, missed, holes


def coverage_one(build, name):
    raw, data = build / f"{name}.profraw", build / f"{name}.profdata"
    binary = build / "fuzz" / f"{name}_fuzz"
    done = subprocess.run([str(binary)], env=dict(os.environ, LLVM_PROFILE_FILE=str(raw)),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"{name}: {done.stdout.decode(errors='replace')[-3000:]}")
    subprocess.run([tool("llvm-profdata"), "merge", "-o", str(data), str(raw)], check=True)
    raw.unlink()
    for file, skip in PARSERS[name].items():
        report = subprocess.run(
            [tool("llvm-cov"), "report", str(binary), f"-instr-profile={data}", "-show-functions", str(ROOT / file)],
            stdout=subprocess.PIPE, check=True).stdout.decode()
        yield file, *function_lines(report, skip)


def coverage(args):
    failed = 0
    for name in targets(args.targets):
        if name not in PARSERS:
            sys.exit(f"{name}: which files are its parser? say so in PARSERS")
        for file, lines, missed, holes in coverage_one(args.build, name):
            percent = 100 * (lines - missed) / lines if lines else 0
            bad = percent < FLOOR
            failed += bad
            print(f"{'BELOW' if bad else '   ok'} {name:18} {file:34} {percent:5.1f} % of {lines} lines", flush=True)
            if args.missing and holes:
                print("        " + ", ".join(holes))
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["fuzz", "coverage"])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--missing", action="store_true", help="name the functions with lines not reached")
    args = parser.parse_intermixed_args()
    args.build = args.build.resolve()
    return fuzz(args) if args.what == "fuzz" else coverage(args)


if __name__ == "__main__":
    sys.exit(main())
