# SPDX-License-Identifier: Apache-2.0
# One Makefile for everything. `make demo` and `make check` are all a newcomer needs.
#   V=1          show every command
#   BUILD=dir    build elsewhere (default build/)
#   SAN=1        AddressSanitizer + UndefinedBehaviorSanitizer

BUILD ?= build
PREFIX ?= /usr/local
prefix ?= $(PREFIX)
PKGS = libssl libcrypto libnghttp2 libevent_core libcurl jansson sqlite3 INIReader_none
PKGS := $(filter-out INIReader_none,$(PKGS))

CC ?= gcc
CFLAGS ?= -O2 -g
REQUIRED_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -pthread -Wall -Wextra -Werror -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wformat=2 -Wvla -Wundef -Wno-unused-parameter -Wimplicit-fallthrough \
	-fstack-protector-strong -fno-strict-aliasing -fPIE -MMD -MP $(PKG_CFLAGS)
REQUIRED_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -linih

ifdef SAN
BUILD := $(BUILD)/asan
CFLAGS = -O1 -g
REQUIRED_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
REQUIRED_LDFLAGS += -fsanitize=address,undefined
else
REQUIRED_CFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
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
lib_src = $(filter-out $(MAINS),$(sort $(wildcard $(1)/*.c)))

UNIT_SRC := $(sort $(wildcard tests/unit/*_test.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))

.PHONY: all clean
all: $(addprefix $(BUILD)/,$(PROGRAMS))

$(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(REQUIRED_CFLAGS) -c -o $@ $<

$(BUILD)/libcommon.a: $(call obj,$(COMMON_SRC))
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

define dir_lib
$(BUILD)/lib$(1).a: $(call obj,$(call lib_src,$(1)))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D); rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach d,$(DIRS),$(eval $(call dir_lib,$(d))))

define program
$(BUILD)/$(1): $(call obj,$(PROGRAM_$(1))/main.c) $(BUILD)/lib$(PROGRAM_$(1)).a $(BUILD)/libcommon.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(LDFLAGS) $$(REQUIRED_LDFLAGS) -o $$@ $$^ $$(LDLIBS)
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
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(REQUIRED_CFLAGS) $(LDFLAGS) $(REQUIRED_LDFLAGS) -o $@ $< \
		$(foreach d,$(DIRS),$(BUILD)/lib$(d).a) $(BUILD)/libcommon.a $(LDLIBS) -lcmocka

.PHONY: unit
unit: $(UNIT_BIN)
	@for t in $(UNIT_BIN); do $$t || exit 1; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
