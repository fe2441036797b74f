# SPDX-License-Identifier: Apache-2.0
# Tollgate. `make help` lists the targets. All output lies under $(BUILD).
BUILD ?= build
VERSION = $(shell sed -n 's/^.define TOLLGATE_VERSION "\(.*\)"/\1/p' user/main/version.h)
PREFIX ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
ARCH ?= $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
CC = gcc
CLANG ?= clang-14
AR = ar
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
SANITIZE ?=
V ?= 0

ifeq ($(V),0)
Q = @
say = @echo '  $(1)	$(2)';
else
Q =
say =
endif

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	-Wwrite-strings -Wimplicit-fallthrough -Wformat=2 -Wno-unused-parameter -Werror
HARDEN = -fstack-protector-strong -fstack-clash-protection -fPIE -fno-plt
ifeq ($(SANITIZE),)
HARDEN += -D_FORTIFY_SOURCE=2
endif
OPT ?= -O2
CFLAGS = -std=gnu11 -D_GNU_SOURCE $(OPT) -g $(WARN) $(HARDEN) -I. -I$(BUILD) -isystem $(LLHTTP_INC) $(SAN)
LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN)
ifneq ($(SANITIZE),)
SAN = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
LIBS = -lbpf -lelf -lz -lcrypto -ljansson -lseccomp -lyaml -lsqlite3 -lsystemd \
	-ltss2-esys -ltss2-tctildr -ltss2-mu -lcares

# A room is one folder and one archive. Its line names the rooms below it: what is not named does
# not link, so the arrows of docs/architecture.md hold by construction.
ROOMS = base proc conf kern enrol stdio net mcp gate notary query role cli policy attest
DEPS_base =
DEPS_proc = base
DEPS_policy = base
DEPS_attest = base
DEPS_conf = base
DEPS_kern = base
DEPS_enrol = kern conf proc base
DEPS_stdio = proc base
DEPS_net = llhttp base
DEPS_mcp = proc policy base
DEPS_notary = attest base
DEPS_query = notary base
DEPS_gate = mcp notary net stdio proc policy attest llhttp base
DEPS_role = enrol stdio net gate mcp notary query kern conf proc policy attest llhttp base
DEPS_cli = mcp notary query kern conf proc policy attest base

room_dir = $(if $(filter policy attest,$(1)),$(1),user/$(1))
room_src = $(wildcard $(call room_dir,$(1))/*.c)
room_obj = $(patsubst %.c,$(BUILD)/%.o,$(call room_src,$(1)))
room_lib = $(BUILD)/lib/$(1).a
closure = $(1) $(foreach d,$(DEPS_$(1)),$(call closure,$(d)))
libs_of = $(foreach d,$(call uniq,$(call closure,$(1))),$(call room_lib,$(d)))
uniq = $(if $(1),$(firstword $(1)) $(call uniq,$(filter-out $(firstword $(1)),$(1))))

PROGRAMS = $(BUILD)/tollgated $(BUILD)/tollgate

.PHONY: all check check-long check-vm flood bench bench-fence bench-log bench-policy cedar-tests diff-policy fuzz fuzz-build \
	models mutants tsan units install install-node install-libcedar deb clean help print-config
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL = all

all: $(PROGRAMS)

help:
	@echo 'all check check-long check-vm flood bench bench-fence bench-log bench-policy diff-policy fuzz models mutants tsan' \
		'install install-libcedar deb clean print-config'
	@echo 'variables: BUILD SANITIZE=address,undefined V=1 DESTDIR PREFIX ARCH; bench-log: RECORDS LOG_DIR'

print-config:
	@echo 'CC=$(CC) CLANG=$(CLANG) BPFTOOL=$(BPFTOOL) ARCH=$(ARCH) SANITIZE=$(SANITIZE) BUILD=$(BUILD)'

# --- kernel programs -----------------------------------------------------------------------------
BPF_SRC = $(wildcard bpf/*.bpf.c)
BPF_OBJ = $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.bpf.o,$(BPF_SRC))
BPF_SKEL = $(BUILD)/bpf/tollgate.skel.h
BPF_CFLAGS = -O2 -g -Wall -Werror -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Ivmlinux/$(ARCH) -I.

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) vmlinux/$(ARCH)/vmlinux.h
	$(call say,BPF,$@) mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/bpf/tollgate.linked.o: $(BPF_OBJ)
	$(call say,BPFLD,$@) $(BPFTOOL) gen object $@ $^

$(BPF_SKEL): $(BUILD)/bpf/tollgate.linked.o
	$(call say,SKEL,$@) $(BPFTOOL) gen skeleton $< name tollgate_bpf > $@

$(call room_obj,kern) $(call room_obj,enrol) $(call room_obj,role): | $(BPF_SKEL)

# --- rooms ---------------------------------------------------------------------------------------
$(BUILD)/%.o: %.c
	$(call say,CC,$<) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -c $< -o $@

# llhttp comes as C sources in a Debian package; it is compiled, never copied.
LLHTTP_DIR ?= /usr/share/llhttp
LLHTTP_INC ?= /usr/share/include
LLHTTP_OBJ = $(patsubst %,$(BUILD)/llhttp/%.o,llhttp api http)
$(BUILD)/llhttp/%.o: $(LLHTTP_DIR)/%.c
	$(call say,CC,$<) mkdir -p $(@D) && $(CC) -std=gnu11 -O2 -g $(HARDEN) $(SAN) -DLLHTTP_STRICT_MODE=1 \
		-I$(LLHTTP_INC)/llhttp -c $< -o $@
$(BUILD)/lib/llhttp.a: $(LLHTTP_OBJ)
	$(call say,AR,$@) mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

define room_rule
$(call room_lib,$(1)): $(call room_obj,$(1))
	$$(call say,AR,$$@) mkdir -p $$(@D) && rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rule,$(r))))

ALL_LIBS_D = $(call libs_of,role)
ALL_LIBS_C = $(call libs_of,cli)

$(BUILD)/tollgated: $(BUILD)/user/main/tollgated.o $(ALL_LIBS_D)
	$(call say,LD,$@) $(CC) $(LDFLAGS) $< -Wl,--start-group $(ALL_LIBS_D) -Wl,--end-group $(LIBS) -o $@

$(BUILD)/tollgate: $(BUILD)/user/main/tollgate.o $(ALL_LIBS_C)
	$(call say,LD,$@) $(CC) $(LDFLAGS) $< -Wl,--start-group $(ALL_LIBS_C) -Wl,--end-group $(LIBS) -o $@

# --- tests ---------------------------------------------------------------------------------------
# tests/unit/ROOM/test_X.c becomes $(BUILD)/tests/unit/ROOM/test_X, linked with ROOM and what lies below.
UNIT_SRC = $(wildcard tests/unit/*/test_*.c)
UNITS = $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
units: $(UNITS)

# test_alloc decides which allocation of the code below it fails (tests/unit/alloc.h).
ALLOC_WRAP = $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray strdup strndup)
comma = ,
define unit_rule
$(BUILD)/tests/unit/$(1)/test_%: tests/unit/$(1)/test_%.c $(call libs_of,$(1))
	$$(call say,TEST,$$@) mkdir -p $$(@D) && $(CC) $(CFLAGS) -Wno-missing-prototypes -MMD -MP -MF $$@.d $$< \
		$(LDFLAGS) $$(if $$(filter alloc,$$*),$$(ALLOC_WRAP)) $$(if $$(filter devices,$$*),$$(DEVICE_FS) -lfuse3) \
		-Wl,--start-group $(call libs_of,$(1)) -Wl,--end-group -lcmocka $(LIBS) -o $$@
endef
$(foreach r,$(ROOMS),$(eval $(call unit_rule,$(r))))
$(BUILD)/tests/unit/policy/test_corpus: | cedar-tests

# tests/cedar/cedar_X.c: programs that put cases to the Cedar engine; tests/bench/policy_bench.c measures it.
CEDAR_LIBS = $(call libs_of,policy)
CEDAR_TESTS = $(patsubst tests/cedar/%.c,$(BUILD)/tests/%,$(wildcard tests/cedar/cedar_*.c))
CEDAR_LINK = $(LDFLAGS) -Wl,--start-group $(CEDAR_LIBS) -Wl,--end-group $(LIBS)
cedar-tests: $(CEDAR_TESTS) $(BUILD)/bench/policy_bench
units: cedar-tests
$(BUILD)/tests/cedar_%: tests/cedar/cedar_%.c $(BUILD)/tests/cedar/load.o $(CEDAR_LIBS)
	$(call say,TEST,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(filter %.c %.o,$^) $(CEDAR_LINK) -o $@
$(BUILD)/bench/policy_bench: tests/bench/policy_bench.c $(BUILD)/tests/cedar/load.o $(CEDAR_LIBS)
	$(call say,BENCH,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(filter %.c %.o,$^) $(CEDAR_LINK) -o $@

# Judges files of claims, bundles, records and golden hashes.
$(BUILD)/tests/claim_vectors: tests/trace/claim_vectors.c $(call libs_of,attest)
	$(call say,TEST,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d $< $(LDFLAGS) \
		-Wl,--start-group $(call libs_of,attest) -Wl,--end-group $(LIBS) -o $@
units: $(BUILD)/tests/claim_vectors

# Device nodes of machines that are not here (tests/device/device_fs.h), for a unit test and as a program.
DEVICE_FS = $(BUILD)/tests/device/device_fs.o
$(DEVICE_FS): CFLAGS += -D_FILE_OFFSET_BITS=64
$(BUILD)/tests/unit/attest/test_devices: $(DEVICE_FS)
$(BUILD)/tests/device_tpm: tests/device/device_tpm.c $(DEVICE_FS)
	$(call say,TEST,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d $^ $(LDFLAGS) -lfuse3 -o $@
units: $(BUILD)/tests/device_tpm

# The daemon, modified to state the digest of the genuine one.
$(BUILD)/tests/lying_tollgated: tests/device/lying_digest.c $(BUILD)/user/main/tollgated.o $(ALL_LIBS_D) \
		$(BUILD)/tollgated
	$(call say,TEST,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -Wl,--wrap=sha256_fd \
		$(filter %.c %.o,$^) -Wl,--start-group $(ALL_LIBS_D) -Wl,--end-group $(LIBS) -o $@
units: $(BUILD)/tests/lying_tollgated

# tests/fuzz/ROOM_X.c: one LLVMFuzzerTestOneInput; seeds in tests/fuzz/corpus/ROOM_X/. The rooms are compiled once
# more for them, with clang and its instrumentation.
FUZZERS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_SECONDS ?= 60
FUZZ_CC = $(CLANG) -std=gnu11 -D_GNU_SOURCE -O1 -g -I. -I$(BUILD) -isystem $(LLHTTP_INC) -I$(LLHTTP_INC)/llhttp \
	-DLLHTTP_STRICT_MODE=1 -fno-sanitize-recover=all -MMD -MP
FUZZ_SAN = address,undefined
fuzz_room = $(firstword $(subst _, ,$(1)))
fuzz_libs = $(foreach d,$(call uniq,$(call closure,$(call fuzz_room,$(1)))),$(BUILD)/fuzz/lib/$(d).a)

$(BUILD)/fuzz/obj/%.o: %.c | $(BPF_SKEL)
	$(call say,FUZZCC,$<) mkdir -p $(@D) && $(FUZZ_CC) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -c $< -o $@
$(BUILD)/fuzz/obj/llhttp/%.o: $(LLHTTP_DIR)/%.c
	$(call say,FUZZCC,$<) mkdir -p $(@D) && $(FUZZ_CC) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -c $< -o $@

define fuzz_lib_rule
$(BUILD)/fuzz/lib/$(1).a: $(2)
	$$(call say,AR,$$@) mkdir -p $$(@D) && rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call fuzz_lib_rule,$(r),$(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(call room_src,$(r))))))
$(eval $(call fuzz_lib_rule,llhttp,$(patsubst %,$(BUILD)/fuzz/obj/llhttp/%.o,llhttp api http)))

define fuzz_rule
$(BUILD)/fuzz/$(1): tests/fuzz/$(1).c $(call fuzz_libs,$(1))
	$$(call say,FUZZ,$$@) mkdir -p $$(@D) && $(FUZZ_CC) -MF $$@.d -fsanitize=fuzzer,$(FUZZ_SAN) $$< \
		-Wl,--start-group $(call fuzz_libs,$(1)) -Wl,--end-group $(LIBS) -o $$@
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rule,$(f))))
fuzz-build: $(FUZZERS:%=$(BUILD)/fuzz/%)
fuzz: fuzz-build
	scripts/fuzz $(BUILD) $(FUZZ_SECONDS)

check: all units
	scripts/check-tree $(BUILD)

mutants: all
	scripts/mutants

# The long form of a peer test: more connections than anyone may open.
flood: all
	BUILD=$(BUILD) IDLE_CONNECTIONS=100000 tests/peer/peer_http.py idle_connections

models:
	scripts/models

# Programs with threads, under the thread sanitizer: the others have one each.
THREADED = enrol/test_listener kern/test_scope notary/test_read_ahead policy/test_authorize query/test_query
tsan:
	$(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread $(patsubst %,$(BUILD)/tsan/tests/unit/%,$(THREADED))
	set -e; for test in $(THREADED); do $(BUILD)/tsan/tests/unit/$$test; done

# What check does for a minute, for as long as it deserves.
check-long: all units fuzz-build
	scripts/check-long $(BUILD)

check-vm: all
	scripts/check-vm $(BUILD)
	scripts/check-package $(BUILD)

# tests/bench/ROOM_bench.c measures a room from inside, linked like a unit test of it; the policy's stands above.
BENCHES = $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(filter-out %/policy_bench.c,$(wildcard tests/bench/*_bench.c)))
$(BENCHES): $(BUILD)/bench/%_bench: tests/bench/%_bench.c $(foreach r,gate notary query kern,$(call libs_of,$(r)))
	$(call say,BENCH,$@) mkdir -p $(@D) && $(CC) $(CFLAGS) -Wno-missing-prototypes -MMD -MP -MF $@.d $< \
		$(LDFLAGS) -Wl,--start-group $(call libs_of,$*) -Wl,--end-group -lcmocka $(LIBS) -o $@

bench: all $(BENCHES)
	scripts/bench $(BUILD)

# In a network namespace of its own.
bench-fence: $(BUILD)/bench/kern_bench
	unshare --net -- sh -c 'ip link set lo up && exec $(BUILD)/bench/kern_bench'

bench-policy: cedar-tests
	scripts/bench-policy $(BUILD)

# The log at scale. RECORDS=10000000 LOG_DIR=/var/tmp is the long form: some 13 GB there for a while.
RECORDS ?= 200000
LOG_DIR ?= /tmp
bench-log: $(BUILD)/bench/query_bench
	$(BUILD)/bench/query_bench $(RECORDS) $(LOG_DIR)

# DIFF: options of cedar_diff, such as --seed 7 --requests 100000.
diff-policy: cedar-tests
	scripts/deps --cedar
	$(BUILD)/tests/cedar_diff $(DIFF) build/cedar

# --- libcedar: policy/ and what it stands on, for others to use ------------------------------------
LIBCEDAR = $(BUILD)/lib/libcedar.a
CEDAR_HEADERS = policy/cedar.h policy/cedar_schema.h policy/cedar_text.h user/base/buf.h user/base/cleanup.h user/base/span.h
$(LIBCEDAR): $(call room_obj,policy) $(call room_obj,base)
	$(call say,AR,$@) mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^

install-libcedar: $(LIBCEDAR)
	install -D -m 644 $(LIBCEDAR) $(DESTDIR)$(PREFIX)/lib/libcedar.a
	set -e; for h in $(CEDAR_HEADERS); do install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/libcedar/$$h; done
	install -d -m 755 $(DESTDIR)$(PREFIX)/lib/pkgconfig
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: libcedar' 'Description: Cedar policies, language version 4.5' \
		'Version: $(VERSION)' 'Libs: -L$${prefix}/lib -lcedar' 'Requires.private: libcrypto' \
		'Cflags: -I$${prefix}/include/libcedar' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/libcedar.pc

# --- installation --------------------------------------------------------------------------------
MAN = $(wildcard man/*.[1578])
UNITDIR = $(PREFIX)/lib/systemd/system
install: install-node install-libcedar

# What a node needs. A configuration that is there already stays as it is.
install-node: all
	install -D -m 755 $(BUILD)/tollgated $(DESTDIR)$(PREFIX)/sbin/tollgated
	install -D -m 755 $(BUILD)/tollgate $(DESTDIR)$(PREFIX)/bin/tollgate
	set -e; for m in $(MAN); do s=$${m##*.}; \
		install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$$s/$${m##*/}; done
	install -D -m 644 scripts/deb/tollgated.service $(DESTDIR)$(UNITDIR)/tollgated.service
	install -D -m 644 scripts/deb/run-tollgate-bpf.mount $(DESTDIR)$(UNITDIR)/run-tollgate-bpf.mount
	install -D -m 644 scripts/deb/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/tollgate.conf
	install -D -m 644 scripts/deb/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/tollgate.conf
	install -D -m 755 scripts/deb/unguard $(DESTDIR)$(PREFIX)/lib/tollgate/unguard
	install -D -m 755 scripts/deb/upgrade $(DESTDIR)$(PREFIX)/lib/tollgate/upgrade
	install -D -m 644 scripts/deb/tollgate.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tollgate
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/tollgate/policy.d
	set -e; at=$(DESTDIR)$(SYSCONFDIR)/tollgate; [ -e $$at/tollgate.conf ] || { \
		install -m 644 scripts/deb/tollgate.conf $$at/tollgate.conf; \
		install -m 644 scripts/deb/policy.cedar $$at/policy.d/00-conversation.cedar; \
		[ -e $$at/catalog.json ] || { echo '[]' > $$at/catalog.json; chmod 644 $$at/catalog.json; }; }

deb: all
	scripts/deb/build $(BUILD)

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
