# SPDX-License-Identifier: Apache-2.0
# One Makefile for everything. `make demo` and `make check` are all a newcomer needs.
#   V=1          show every command
#   BUILD=dir    build elsewhere (default build/)
#   SAN=1        AddressSanitizer + UndefinedBehaviorSanitizer
#   TSAN=1       ThreadSanitizer

BUILD ?= build
prefix ?= /usr/local
bindir = $(prefix)/bin
mandir = $(prefix)/share/man
unitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
docdir = $(prefix)/share/doc/brski
webdir = $(prefix)/share/brski/web
completiondir = $(prefix)/share/bash-completion/completions
PYTHON = /usr/bin/python3
JOBS := $(shell nproc 2>/dev/null || echo 1)
VERSION = 0.1.0
PKGS = libssl libcrypto libnghttp2 libevent_core libcurl jansson sqlite3 libpq libargon2 avahi-core gmp

ifeq ($(origin CC),default)
CC = gcc
endif
CFLAGS ?= -O2 -g
REQUIRED_CFLAGS = -std=c11 -D_GNU_SOURCE -DBRSKI_VERSION='"$(VERSION)"' -I. -pthread -Wall -Wextra -Werror -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wvla -Wundef -Wno-unused-parameter -Wno-missing-field-initializers -Wimplicit-fallthrough \
	-fstack-protector-strong -fstack-clash-protection -fno-strict-aliasing -fPIE -ffunction-sections -fdata-sections \
	-MMD -MP $(PKG_CFLAGS)
REQUIRED_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,--gc-sections
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -linih

ifdef FUZZ
# for libFuzzer: FUZZ=libfuzzer; to see what the corpora reach: FUZZ=coverage
BUILD := $(BUILD)/$(FUZZ)
CC = clang
FUZZ_FLAGS_libfuzzer = -O2 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_FLAGS_coverage = -O0 -g -fprofile-instr-generate -fcoverage-mapping
CFLAGS = $(FUZZ_FLAGS_$(FUZZ))
LDFLAGS = $(FUZZ_FLAGS_$(FUZZ))
else ifdef SAN
BUILD := $(BUILD)/asan
CFLAGS = -O1 -g
REQUIRED_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
REQUIRED_LDFLAGS += -fsanitize=address,undefined
else ifdef TSAN
BUILD := $(BUILD)/tsan
CFLAGS = -O1 -g
REQUIRED_CFLAGS += -fsanitize=thread -fno-omit-frame-pointer
REQUIRED_LDFLAGS += -fsanitize=thread
else
REQUIRED_CFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
# An onboarding is 4000 small allocations, nearly all of them OpenSSL's: this allocator hands out
# what was freed last, which the caches still hold.
# Sanitizers bring an allocator of their own. ALLOCATOR= for the C library's.
ALLOCATOR ?= -l:libtcmalloc_minimal.so.4
ALLOCATOR_brski-registrar = $(ALLOCATOR)
ALLOCATOR_brski-masa = $(ALLOCATOR)
endif

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

LAYERS = base wire pki message net run
COMMON_SRC := $(foreach l,$(LAYERS),$(sort $(wildcard common/$(l)/*.c)))
DIRS = pledge registrar masa certs voucher ctl
PROGRAM_brski-pledge = pledge
PROGRAM_brski-registrar = registrar
PROGRAM_brski-masa = masa
PROGRAM_brski-certs = certs
PROGRAM_brski-voucher = voucher
MAIN_PROGRAMS = brski-pledge brski-registrar brski-masa brski-certs brski-voucher
CTL_PROGRAMS = registrarctl masactl
PROGRAMS = $(MAIN_PROGRAMS) $(CTL_PROGRAMS)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# a program's objects without the files that hold a main()
MAINS = $(foreach d,$(DIRS),$(d)/main.c) ctl/registrarctl.c ctl/masactl.c
lib_src = $(filter-out $(MAINS),$(sort $(wildcard $(1)/*.c $(1)/*/*.c)))

UNIT_SRC := $(sort $(wildcard tests/unit/*_test.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))

.PHONY: all clean
all: $(addprefix $(BUILD)/,$(PROGRAMS))

$(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(REQUIRED_CFLAGS) -c -o $@ $<

# it has this file in it
$(BUILD)/obj/registrar/admin/openapi.o: docs/openapi/registrar.json

$(BUILD)/libcommon.a: $(call obj,$(COMMON_SRC))
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

define dir_lib
$(BUILD)/lib$(1).a: $(call obj,$(call lib_src,$(1)))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D); rm -f $$@
	$$(Q)$$(AR) qcs $$@ $$^ # q: folders have files of one name
endef
$(foreach d,$(DIRS),$(eval $(call dir_lib,$(d))))

define program
$(BUILD)/$(1): $(call obj,$(PROGRAM_$(1))/main.c) $(BUILD)/lib$(PROGRAM_$(1)).a $(BUILD)/libcommon.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) $$(REQUIRED_LDFLAGS) -o $$@ $$^ $$(ALLOCATOR_$(1)) $$(LDLIBS)
endef
$(foreach p,$(MAIN_PROGRAMS),$(eval $(call program,$(p))))

define ctl_program
$(BUILD)/$(1): $(call obj,ctl/$(1).c) $(BUILD)/libctl.a $(BUILD)/libcommon.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) $$(REQUIRED_LDFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach p,$(CTL_PROGRAMS),$(eval $(call ctl_program,$(p))))

# unit tests: one cmocka program per module, linked with the real libraries and nothing faked
$(BUILD)/tests/%: tests/unit/%.c $(foreach d,$(DIRS),$(BUILD)/lib$(d).a) $(BUILD)/libcommon.a
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(REQUIRED_CFLAGS) $(LDFLAGS) $(REQUIRED_LDFLAGS) -o $@ $< $(filter %.o,$^) \
		$(foreach d,$(DIRS),$(BUILD)/lib$(d).a) $(BUILD)/libcommon.a $(LDLIBS) -lcmocka

# fuzz targets: linked with libFuzzer, or with a main() that replays their corpora
FUZZ_TARGETS := $(patsubst tests/fuzz/%_fuzz.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_BIN := $(patsubst %,$(BUILD)/fuzz/%_fuzz,$(FUZZ_TARGETS))
FUZZ_HELPERS := $(call obj,tests/fuzz/fuzz.c tests/fuzz/fuzz_signed.c tests/fuzz/fuzz_der.c \
	tests/fuzz/fuzz_cbor.c)
FUZZ_MAIN = $(if $(filter libfuzzer,$(FUZZ)),-fsanitize=fuzzer,$(call obj,tests/fuzz/replay.c))
FUZZ_SECONDS ?= 60
$(BUILD)/obj/tests/fuzz/%.o: REQUIRED_CFLAGS += -DFUZZ_DIR='"$(CURDIR)/tests/fuzz"'
.SECONDARY: $(FUZZ_HELPERS) $(call obj,tests/fuzz/replay.c) \
	$(patsubst %,$(BUILD)/obj/tests/fuzz/%_fuzz.o,$(FUZZ_TARGETS))
$(BUILD)/fuzz/%_fuzz: $(BUILD)/obj/tests/fuzz/%_fuzz.o $(FUZZ_HELPERS) $(call obj,tests/fuzz/replay.c) \
		$(foreach d,$(DIRS),$(BUILD)/lib$(d).a) $(BUILD)/libcommon.a
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(REQUIRED_LDFLAGS) -o $@ $< $(FUZZ_HELPERS) $(FUZZ_MAIN) \
		$(foreach d,$(DIRS),$(BUILD)/lib$(d).a) $(BUILD)/libcommon.a $(LDLIBS)
$(BUILD)/fuzz/seal: $(call obj,tests/fuzz/seal.c) $(FUZZ_HELPERS) $(BUILD)/libcommon.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(REQUIRED_LDFLAGS) -o $@ $^ $(LDLIBS)

# makes one chosen write or allocation of a program fail: part of one unit test, preloaded by
# tests/crash; never sanitized itself, and its thread's own at a fixed place: it is there before the
# sanitizers, which take over __tls_get_addr(), are
FAULT_LIB = $(BUILD)/tools/fault.so
FAULT_OBJ = $(BUILD)/obj/tests/fault/fault.o
$(FAULT_OBJ): REQUIRED_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -Wshadow -fPIC -ftls-model=initial-exec -MMD -MP
$(FAULT_LIB): $(FAULT_OBJ)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -o $@ $<
$(BUILD)/tests/memory_test: $(FAULT_OBJ)

# small programs that let tests in other languages reach into the libraries
TOOL_BIN := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/tools/*.c)))
$(BUILD)/tools/%: tests/tools/%.c $(BUILD)/libcommon.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(REQUIRED_CFLAGS) $(LDFLAGS) $(REQUIRED_LDFLAGS) -o $@ $< $(BUILD)/libcommon.a $(LDLIBS)

# attackers in C, for what Python cannot say
ATTACKER_BIN := $(patsubst tests/hostile/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/hostile/*.c)))
$(ATTACKER_BIN): $(BUILD)/tools/%: tests/hostile/%.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(REQUIRED_CFLAGS) $(LDFLAGS) $(REQUIRED_LDFLAGS) -o $@ $< $(LDLIBS)

# counts what a program holds of the heap: preloaded by tests/bench
HEAP_LIB = $(BUILD)/tools/heap.so
$(HEAP_LIB): tests/bench/heap.c
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -fPIC -shared -o $@ $<

# set the clock of a program, write down its TLS secrets, tell what it loads: preloaded by tests and scenarios
CLOCK_LIB = $(BUILD)/tools/clock.so
KEYLOG_LIB = $(BUILD)/tools/keylog.so
LOADS_LIB = $(BUILD)/tools/loads.so
$(CLOCK_LIB): tests/clock/clock.c
$(KEYLOG_LIB): tests/keylog/keylog.c
$(LOADS_LIB): tests/loads/loads.c
$(CLOCK_LIB) $(KEYLOG_LIB) $(LOADS_LIB):
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -fPIC -shared -o $@ $<

# what people and machines run
.PHONY: deps deps-dev demo demo-up demo-down check check-all check-slow check-built slow-built unit lint bench sanitize install
deps:
	@scripts/deps build
deps-dev:
	@scripts/deps build test dev

# Each installs what is missing first, in a make of its own, so that pkg-config is asked afterwards.
demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(BUILD) scripts/demo run
demo-up: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(BUILD) scripts/demo up
demo-down:
	@scripts/demo down

FOLDERS = $(wildcard tests/python tests/scenario tests/hostile tests/crash tests/cluster tests/web)
check:
	@scripts/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) check-built
check-built: all $(UNIT_BIN) $(FUZZ_BIN) $(TOOL_BIN) $(ATTACKER_BIN) $(FAULT_LIB) $(CLOCK_LIB) $(KEYLOG_LIB) $(LOADS_LIB) $(BUILD)/bench/loadgen
	@BUILD=$(BUILD) $(PYTHON) scripts/run-tests $(UNIT_BIN) $(FUZZ_BIN) -- $(FOLDERS)
check-all: check check-slow sanitize tsan bench conformance scenarios peers

# both daemons under ThreadSanitizer at 32 clients with reloads
.PHONY: tsan
tsan: deps
	@$(MAKE) --no-print-directory TSAN=1 tsan-built
.PHONY: tsan-built
tsan-built: all $(BUILD)/bench/loadgen
	@BUILD=$(BUILD) $(PYTHON) tests/bench/threads.py

# what takes minutes: tests marked slow
check-slow:
	@scripts/deps build test cluster
	@$(MAKE) --no-print-directory -j$(JOBS) slow-built
slow-built: all $(UNIT_BIN) $(TOOL_BIN) $(ATTACKER_BIN) $(FAULT_LIB) $(CLOCK_LIB) $(BUILD)/bench/loadgen
	@BUILD=$(BUILD) $(PYTHON) scripts/run-tests --slow -- $(FOLDERS)

# the conformance suite on our own programs; REPORT=dir keeps what it saw, ARGS for its options
.PHONY: conformance
conformance:
	@scripts/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) all $(CLOCK_LIB) $(KEYLOG_LIB) $(FAULT_LIB)
	@export BUILD=$(BUILD); failed=0; \
	$(PYTHON) interop/brski-conformance scenarios --pace fast $(if $(REPORT),--report $(REPORT)/scenarios) || failed=1; \
	scripts/own-network $(PYTHON) interop/brski-conformance ours --strict $(if $(REPORT),--report $(REPORT)) $(ARGS) || failed=1; \
	exit $$failed

# whole sites in stories, on namespaces (where root) and on loopback; then each has to notice what breaks it
.PHONY: scenarios
scenarios:
	@scripts/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) all $(CLOCK_LIB) $(KEYLOG_LIB) $(FAULT_LIB)
	@BUILD=$(BUILD) $(PYTHON) interop/brski-conformance scenarios --selftest $(ARGS)
	@BUILD=$(BUILD) $(PYTHON) interop/brski-conformance scenarios --place both \
		$(if $(REPORT),--report $(REPORT)/scenarios) $(ARGS)

# other people's programs with ours (interop/peers): those of Debian, and each whose build is named
PEERS = $(if $(GLOBALSIGN_EST),globalsign-est=$(GLOBALSIGN_EST)) $(if $(LIBEST),libest=$(LIBEST)) $(if $(NQMINDS),nqminds=$(NQMINDS)) \
	$(if $(OT_REGISTRAR),ot-registrar=$(OT_REGISTRAR)) $(if $(MINERVA),minerva=$(MINERVA))
.PHONY: peers
peers:
	@scripts/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@BUILD=$(BUILD) interop/peers/all $(PEERS)

unit: all $(UNIT_BIN)
	@BUILD=$(BUILD) $(PYTHON) scripts/run-tests $(UNIT_BIN)

# unit and scenario tests under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
sanitize:
	@scripts/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=1 check-built

# every fuzz target for FUZZ_SECONDS; TARGETS="a b" for some; new inputs stay under build/
.PHONY: fuzz fuzz-coverage fuzz-built fuzz-replay
fuzz:
	@scripts/deps build test dev
	@$(MAKE) --no-print-directory FUZZ=libfuzzer fuzz-built
	@$(PYTHON) tests/fuzz/run.py fuzz --build $(BUILD)/libfuzzer --seconds $(FUZZ_SECONDS) $(TARGETS)
# lines of each parser that its corpus reaches; fails below the floor
fuzz-coverage:
	@scripts/deps build test dev
	@$(MAKE) --no-print-directory FUZZ=coverage fuzz-built
	@$(PYTHON) tests/fuzz/run.py coverage --build $(BUILD)/coverage $(TARGETS)
fuzz-built: $(FUZZ_BIN)
fuzz-replay: $(FUZZ_BIN)
	@$(PYTHON) scripts/run-tests $(FUZZ_BIN)

lint:
	@scripts/deps build test dev
	@$(MAKE) --no-print-directory lint-built
.PHONY: lint-built
lint-built:
	@scripts/lint

# with a million devices at the end, whose store stays under build/ for the next time (3 GB)
bench:
	@scripts/deps build test cluster
	@$(MAKE) --no-print-directory all $(BUILD)/bench/loadgen $(BUILD)/bench/floor $(BUILD)/bench/chain $(HEAP_LIB) \
		$(BUILD)/tools/wire $(BUILD)/tools/coaps_abuse
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench_scale.py
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench_inventory.py
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench_failover.py
# of these only: 100,000 known devices against 1,000; adds its figure to bench.json
.PHONY: bench-scale
bench-scale: deps
	@$(MAKE) --no-print-directory all $(BUILD)/bench/loadgen
	@BUILD=$(BUILD) $(PYTHON) tests/bench/bench_scale.py

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libcommon.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(REQUIRED_CFLAGS) $(LDFLAGS) $(REQUIRED_LDFLAGS) -o $@ $< \
		$(filter %/libmasa.a,$^) $(BUILD)/libcommon.a $(LDLIBS)
$(BUILD)/bench/chain: $(BUILD)/libmasa.a

install: all
	install -d $(DESTDIR)$(bindir) $(addprefix $(DESTDIR)$(mandir)/man,1 5 8) \
		$(DESTDIR)$(docdir)/examples $(DESTDIR)$(completiondir)
	install -m 755 $(addprefix $(BUILD)/,$(PROGRAMS)) $(DESTDIR)$(bindir)
	install -m 644 docs/man/*.1 $(DESTDIR)$(mandir)/man1
	install -m 644 docs/man/*.5 $(DESTDIR)$(mandir)/man5
	install -m 644 docs/man/*.8 $(DESTDIR)$(mandir)/man8
	install -d $(DESTDIR)$(unitdir) $(DESTDIR)$(sysusersdir)
	for unit in systemd/*.service; do \
		sed 's|@bindir@|$(bindir)|' $$unit >$(DESTDIR)$(unitdir)/$${unit##*/} && \
		chmod 644 $(DESTDIR)$(unitdir)/$${unit##*/} || exit 1; done
	install -m 644 systemd/brski.sysusers $(DESTDIR)$(sysusersdir)/brski.conf
	install -m 644 docs/examples/*.conf $(DESTDIR)$(docdir)/examples
	install -d $(DESTDIR)$(docdir)/examples/prometheus
	install -m 644 docs/examples/prometheus/* $(DESTDIR)$(docdir)/examples/prometheus
	install -d $(DESTDIR)$(webdir)/pages
	install -m 644 $(wildcard web/*.*) $(DESTDIR)$(webdir)
	install -m 644 web/pages/* $(DESTDIR)$(webdir)/pages
	$(foreach p,$(PROGRAMS),install -m 644 completion/brski.bash $(DESTDIR)$(completiondir)/$(p) &&) true

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
