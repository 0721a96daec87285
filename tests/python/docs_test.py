# SPDX-License-Identifier: Apache-2.0
"""The documents against the programs: manual pages, README, examples, completion, installation."""

import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess

import pytest

from brski_peer.ports import free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = (REPOSITORY / os.environ.get("BUILD", "build")).resolve()
MAN = REPOSITORY / "docs" / "man"
SECTION = {
    "brski-certs": 1,
    "brski-voucher": 1,
    "registrarctl": 1,
    "masactl": 1,
    "brski-pledge": 8,
    "brski-registrar": 8,
    "brski-masa": 8,
}
CONFIGURED = ("brski-pledge", "brski-registrar", "brski-masa")
PAGES = sorted([f"{name}.{section}" for name, section in SECTION.items()]
               + [f"{name}.conf.5" for name in CONFIGURED])
README_TIMEOUT_S = 60


def run(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=30,
                          check=False, **more)


def help_of(program):
    done = run(BUILD / program, "--help")
    assert done.returncode == 0
    return done.stdout


def usage_of(program):
    """The help without the configuration that follows it."""
    return re.split(r"^(?:The configuration|Configuration)\b", help_of(program), flags=re.M)[0]


def plain(text):
    """roff without what makes letters bold and hyphens hyphens."""
    return re.sub(r"\\f.", "", text).replace("\\-", "-")


def page(name):
    return plain((MAN / name).read_text(encoding="utf-8"))


def section_of(text, title):
    """From .SH title to the next one."""
    return text.split(f"\n.SH {title}\n", 1)[1].split("\n.SH ", 1)[0]


def long_options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


# ---- manual pages ----


def test_every_program__has_its_pages_and_no_others():
    assert sorted(p.name for p in MAN.iterdir()) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page__is_shown_without_a_warning(name):
    if not shutil.which("man"):
        pytest.skip("no man here")
    done = run("man", "--warnings", "-l", MAN / name, env=dict(os.environ, MANPAGER="cat"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", SECTION)
def test_page__has_the_options_of_the_program_and_no_others(program):
    text = page(f"{program}.{SECTION[program]}")
    described = long_options(text.split("\n.SH EXAMPLES", 1)[0])
    assert described == long_options(usage_of(program))
    used = long_options(section_of(text, "EXAMPLES"))
    others = set().union(*(long_options(usage_of(p)) for p in SECTION))
    assert used <= others


@pytest.mark.parametrize("program", SECTION)
def test_page__has_the_exit_codes_of_the_program_and_no_others(program):
    text = section_of(page(f"{program}.{SECTION[program]}"), "EXIT STATUS")
    described = set(re.findall(r"^\.B (\d+)$", text, re.M))
    told = re.search(r"^exit (?:status|codes):(.*)\Z", usage_of(program), re.M | re.S | re.I)
    if told:
        assert described == set(re.findall(r"(?<![\w.])(\d+)(?= [a-z])", told[1]))
    else:
        assert described == {"0", "1", "2"}


def told_options(program):
    """{(section, key): default} of --help; None: required."""
    found, section = {}, None
    for line in help_of(program).splitlines():
        if match := re.fullmatch(r"\[(.+)\]", line):
            section = match[1]
        elif section and (match := re.fullmatch(r"(#?)(\w+) =(.*)", line)):
            found[section, match[2]] = match[3].strip() if match[1] else None
    return found


def described_options(program):
    found, section, key = {}, None, None
    for line in section_of(page(f"{program}.conf.5"), "OPTIONS").splitlines():
        if match := re.fullmatch(r"\.SS \[(.+)\]", line):
            section = match[1]
        elif match := re.fullmatch(r'\.BR (\w+) " = .+"', line):
            key = section, match[1]
            found[key] = "no default told"
        elif line == "Required.":
            found[key] = None
        elif line == "Unset by default.":
            found[key] = ""
        elif line == "Default:":
            found[key] = "Default:"
        elif key and found[key] == "Default:":
            found[key] = re.fullmatch(r'\.BR "(.*)" \.', line)[1]
    return found


def test_page_of_the_pledge__has_every_row_of_its_table_of_failures():
    rules = (REPOSITORY / "pledge" / "retry.c").read_text()
    rows = re.findall(r'\[(SETBACK_\w+)\] = \{"([^"]+)",.*?\s"([^"]+)"\}', rules, re.S)
    assert len(rows) > 20
    told = section_of(page("brski-pledge.8"), "WHEN SOMETHING FAILS")
    for name, what, clause in rows:
        if name != "SETBACK_NONE":
            clause = clause.replace("RFC 8995 ", "RFC 8995 section ").replace("Cloud ", "Cloud section ")
            assert f"\n{what} ({clause})" in told or (clause == "none" and f"\n{what}." in told), name


@pytest.mark.parametrize("program", CONFIGURED)
def test_configuration_page__has_every_option_with_its_default_and_no_others(program):
    told = told_options(program)
    assert len(told) > 10
    assert described_options(program) == told


@pytest.mark.parametrize("program", CONFIGURED)
def test_configuration_page__ends_with_the_shipped_example(program):
    example = (REPOSITORY / "docs" / "examples" / f"{program[len('brski-'):]}.conf").read_text()
    lines = [line for line in example.splitlines() if "SPDX" not in line]
    shown = section_of(page(f"{program}.conf.5"), "EXAMPLES")
    assert shown.splitlines() == [".EX", *lines, ".EE"]


# ---- a site to try things in: what README.md says under 'Onboard a device by hand' ----


def indented_blocks(text, title):
    part = text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    blocks, block = [], []
    for line in part.splitlines() + ["end"]:
        if line.startswith("    "):
            block.append(line[4:])
        elif block and line:
            blocks.append("\n".join(block).rstrip())
            block = []
    return blocks


# Every job of the shell is ended by its number, whatever became of the script.
PROLOGUE = """set -em
trap 'for p in $(jobs -p); do kill $p 2>/dev/null || :; done; wait' EXIT
"""


def examples_of(name):
    text = section_of(page(name), "EXAMPLES").replace("\\e", "\\")
    return re.findall(r"\.EX\n(.*?)\n\.EE", text, re.S)


def by_hand_script():
    """All of README's commands; before the servers are stopped, the pages' examples."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    *steps, stop = indented_blocks(text, "Onboard a device by hand")
    steps += indented_blocks(text, "Look inside a voucher")
    steps += ["echo the pages:", 'PATH="$PWD/build:$PATH"']
    for name in ("brski-voucher.1", "masactl.1", "brski-pledge.8", "registrarctl.1"):
        steps += examples_of(name)
    for name in ("brski-masa.8", "brski-registrar.8"):
        steps += [line for line in examples_of(name)[0].splitlines() if line.endswith("--check")]
    return PROLOGUE + "\n".join(steps + [stop, "wait", "echo the end"])


@pytest.fixture(scope="module", name="by_hand")
def _by_hand(tmp_path_factory):
    """The folder after every command was run in order, and what they said."""
    folder = tmp_path_factory.mktemp("by-hand")
    (folder / "build").symlink_to(BUILD)
    masa, registrar, coaps = free_port(), free_port(), free_port()
    script = by_hand_script().replace("9443", str(masa)).replace("8443", str(registrar))
    script = script.replace("5684", str(coaps))
    with subprocess.Popen(["bash", "-c", script], cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as shell:
        try:
            output, _ = shell.communicate(timeout=README_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.kill(shell.pid, signal.SIGTERM)
            output, _ = shell.communicate(timeout=15)
            pytest.fail(f"not done after {README_TIMEOUT_S} s:\n{output}")
    return folder, shell.returncode, output


def test_readme__by_hand__every_command_works_in_order(by_hand):
    _, _, output = by_hand
    readme, _, pages = output.partition("the pages:")
    assert pages, output
    assert re.search(r"^1 +ACME-1 +acme +- +pending", readme, re.M), output
    assert re.search(r"^joined: .*ACME-1", readme, re.M), output
    assert re.search(r"^connect: coaps://.* shows CN=Registrar", readme, re.M), output
    assert re.search(r"^joined: .*ACME-2", readme, re.M), output
    assert re.search(r"^enrolled$", readme, re.M), output
    assert '"signature": "valid"' in readme and '"chain": "valid"' in readme, output


def test_readme__import_of_our_own_manifest__warns_of_nothing(by_hand):
    _, _, output = by_hand
    assert "is ignored" not in output


def test_pages__every_example__works_where_the_readme_ends(by_hand):
    folder, code, output = by_hand
    assert code == 0 and output.rstrip().endswith("the end"), output
    assert not (folder / "pledge-state" / "current").exists()  # the last one was a reset


def test_certs_page__every_example__works(tmp_path):
    for script in examples_of("brski-certs.1"):
        done = run("bash", "-ec", script, cwd=tmp_path,
                   env=dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}"))
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "devices" / "ACME-2.crt").exists()
    assert (tmp_path / "registrar" / "registrar.crt").exists()


# ---- what the admin tools say about a wrong line ----


@pytest.mark.parametrize("arguments, said", [
    (["--foo"], "no such option: --foo"),
    (["-x"], "no such option: -x"),
    (["claims", "approve", "--all=1"], "this option takes no value: --all=1"),
    (["bogus"], "no such command: bogus"),
    (["claims", "bogus"], "no such command: claims bogus"),
    (["claims"], "a word is missing after claims"),
    (["claims", "list", "-o", "xml"], "no such output format: xml; there are table, json, csv and ids"),
])
def test_registrarctl__wrong_usage__names_the_word_as_it_was_typed(arguments, said):
    done = run(BUILD / "registrarctl", *arguments)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"registrarctl: {said}")


def test_registrarctl__help__shows_an_option_once_for_a_command():
    for line in usage_of("registrarctl").splitlines():
        assert len(re.findall("--all", line)) <= 1


@pytest.mark.parametrize("arguments, code, shown", [
    (["claims", "approve", "--help"], 0, {"claims approve"}),
    (["backup", "--help"], 0, {"backup"}),
    (["hooks", "--help"], 0, {f"hooks {v}" for v in ("list", "add", "test", "remove", "enable", "disable", "dead")}),
    (["jobs", "bogus"], 2, {"jobs list", "jobs show"}),
    (["jobs"], 2, {"jobs list", "jobs show"}),
    (["jobs", "list", "--foo"], 2, {"jobs list"}),
    (["bogus"], 2, set()),
])
def test_registrarctl__help__is_about_the_command_that_is_named(arguments, code, shown):
    done = run(BUILD / "registrarctl", *arguments)
    said = re.findall(r"^  registrarctl ([a-z]+(?: [a-z-]+)?)", done.stdout + done.stderr, re.M)
    assert (done.returncode, set(said)) == (code, shown)
    assert len((done.stdout + done.stderr).splitlines()) <= 16  # seen at one glance


# ---- example configurations ----


@pytest.mark.parametrize("program", CONFIGURED)
def test_example_configuration__is_understood_and_wants_only_its_files(tmp_path, program):
    example = tmp_path / "example.conf"
    shutil.copy(REPOSITORY / "docs" / "examples" / f"{program[len('brski-'):]}.conf", example)
    command = ["status"] if program == "brski-pledge" else ["--check"]
    done = run(BUILD / program, *command, "-c", example)
    assert done.returncode in (1, 2)  # the certificates it names are not there
    assert "no such file" in done.stderr, done.stderr
    assert "example.conf:" not in done.stderr  # nothing in it was wrong


def test_example_configuration__every_option_stands_in_help():
    for program in CONFIGURED:
        text = (REPOSITORY / "docs" / "examples" / f"{program[len('brski-'):]}.conf").read_text()
        keys = set(re.findall(r"^(\w+) =", text, re.M))
        assert keys <= {key for _, key in told_options(program)}


# ---- completion ----


def complete(tmp_path, *words):
    """What bash offers for the last word."""
    function = run("bash", "-c", 'source "$1"; complete -p "$2"', "-",
                   REPOSITORY / "completion" / "brski.bash", words[0]).stdout.split()[2]
    script = 'source "$1"; shift; f=$1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ' \
             '$f; [ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"'
    done = run("bash", "-c", script, "-", REPOSITORY / "completion" / "brski.bash", function,
               *words, cwd=tmp_path)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize("line, offered", [
    ("registrarctl st|", {"statistics", "status"}),
    ("registrarctl setup --st|", {"--state"}),
    ("registrarctl cl|", {"claims"}),
    ("registrarctl claims |", {"list", "show", "watch", "approve", "reject", "import", "export"}),
    ("registrarctl claims import de|", {"devices.csv"}),
    ("registrarctl -s x.sock claims a|", {"approve"}),
    ("registrarctl claims list --state p|", {"pending", "preapproved"}),
    ("registrarctl claims list --state = re|", {"rejected"}),
    ("registrarctl claims approve --a|", {"--all"}),
    ("registrarctl claims reject --r|", {"--reason"}),
    ("registrarctl claims reject --a|", set()),
    ("masactl devices |", {"import", "list", "show"}),
    ("masactl devices import de|", {"devices.csv"}),
    ("masactl owners add acme de|", {"devices.csv"}),
    ("masactl -o c|", {"csv"}),
    ("masactl -s x.sock |", {"setup", "devices", "owners", "destinations", "audit", "tokens", "backup", "restore", "doctor",
                                  "status"}),
    ("brski-pledge |", {"join", "status", "renew", "reset", "proxy"}),
    ("brski-pledge join --o|", {"--once"}),
    ("brski-pledge -c de|", {"devices.csv"}),
    ("brski-registrar --ch|", {"--check"}),
    ("brski-masa -c de|", {"devices.csv"}),
    ("brski-certs i|", {"idevid"}),
    ("brski-certs s|", {"standby"}),
    ("masactl --weight 5 destinations r|", {"registrar", "remove"}),
    ("registrarctl ca switch --to second --r|", {"--reason"}),
    ("brski-certs idevid --m|", {"--masa-url", "--model"}),
    ("brski-certs domain --m|", set()),
    ("brski-certs domain --key-type e|", {"ec-p256", "ec-p384", "ed25519"}),
    ("brski-certs domain --out de|", set()),
    ("brski-voucher i|", {"inspect"}),
    ("brski-voucher inspect --an|", {"--anchor"}),
    ("brski-voucher inspect de|", {"devices.csv"}),
])
def test_completion__of_a_line__offers_what_fits(tmp_path, line, offered):
    (tmp_path / "devices.csv").touch()
    assert complete(tmp_path, *line[:-1].split(" ")) == offered


def ctl_commands(program):
    """The NOUN [VERB] of its help."""
    found = re.findall(rf"^  {program} (\w+(?: [a-z-]+)?)", usage_of(program), re.M)
    return [command.split() for command in found]


@pytest.mark.parametrize("program", ["registrarctl", "masactl"])
def test_completion__of_the_admin_tools__offers_every_command(tmp_path, program):
    for words in ctl_commands(program):
        for n, word in enumerate(words):
            assert word in complete(tmp_path, program, *words[:n], "")


@pytest.mark.parametrize("program", SECTION)
def test_completion__offers_every_option_and_no_others(tmp_path, program):
    lines = {
        "brski-certs": [[c] for c in ("manufacturer", "masa", "idevid")],
        "brski-voucher": [["inspect"]],
        "registrarctl": ctl_commands("registrarctl"),
        "masactl": ctl_commands("masactl"),
    }.get(program, [[]])
    offered = set().union(*(complete(tmp_path, program, *line, "--") for line in lines))
    assert {word for word in offered if word.startswith("--")} == long_options(usage_of(program))


# ---- installation ----


@pytest.fixture(scope="module", name="installed")
def _installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    env = {k: v for k, v in os.environ.items() if k not in ("SAN", "MAKEFLAGS", "MAKEOVERRIDES")}
    done = subprocess.run(["make", "-o", "all", "install", f"DESTDIR={root}", "prefix=/usr",
                           f"BUILD={BUILD}"], cwd=REPOSITORY, capture_output=True, text=True,
                          timeout=60, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return root


def test_install__puts_every_file_in_its_place_and_nothing_else(installed):
    found = {str(p.relative_to(installed)): stat.S_IMODE(p.stat().st_mode)
             for p in installed.rglob("*") if p.is_file()}
    wanted = {f"usr/bin/{program}": 0o755 for program in SECTION}
    wanted |= {f"usr/share/man/man{name[-1]}/{name}": 0o644 for name in PAGES}
    wanted |= {f"usr/share/bash-completion/completions/{program}": 0o644 for program in SECTION}
    wanted |= {f"usr/share/doc/brski/examples/{name}.conf": 0o644
               for name in ("masa", "pledge", "registrar")}
    wanted |= {f"usr/share/doc/brski/examples/prometheus/{name}": 0o644
               for name in ("alerts.yml", "dashboard.json")}
    wanted |= {f"usr/lib/systemd/system/brski-{name}.service": 0o644 for name in ("masa", "proxy", "registrar")}
    wanted |= {"usr/lib/sysusers.d/brski.conf": 0o644}
    wanted |= {f"usr/share/brski/web/{p.relative_to(REPOSITORY / 'web')}": 0o644
               for p in (REPOSITORY / "web").rglob("*") if p.is_file()}
    assert found == wanted


def test_install__of_a_program__runs_from_there(installed):
    for program in SECTION:
        done = run(installed / "usr" / "bin" / program, "--version")
        assert done.returncode == 0 and done.stdout.startswith(f"{program} ")
