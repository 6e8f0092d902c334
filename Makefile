# make          build ./ppl
# make check    install what is missing, build, run every test
# make demo     install what is missing, build, run the first example
# The other targets: deps, unit, bench, fuzz, clean, install.

MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all deps check demo bench fuzz unit unit-programs clean install

PREFIX ?= /usr/local
CC := gcc
WARNINGS := -Wall -Wextra -Werror
CPPFLAGS := -I. -Iruntime -Ibuild -D_GNU_SOURCE
CFLAGS := -O2 -g -std=gnu11 -ffp-contract=off -fno-math-errno -fno-trapping-math -fopenmp-simd
build/runtime/tape/kernels_%.o build/single/runtime/tape/kernels_%.o: CFLAGS += -O3
# They go over all parameters.
build/runtime/infer/objective.o build/single/runtime/infer/objective.o: CFLAGS += -O3
build/runtime/infer/svi_steps.o build/single/runtime/infer/svi_steps.o: CFLAGS += -O3
# Compiled for each instruction set (runtime/base/isa.h). Moving the calls of one side of a choice into a branch, as the
# first two options do, would keep loops from becoming vectors (tests/layers looks).
LINES_FLAGS := -O3 -fno-tree-sink -fno-thread-jumps -fno-tree-loop-distribute-patterns
build/runtime/tape/lines_%.o build/single/runtime/tape/lines_%.o: CFLAGS += -ffp-contract=fast -Wno-psabi
build/runtime/tape/lines_pairs.%.o build/single/runtime/tape/lines_pairs.%.o: CFLAGS += -ffp-contract=off
ISAS := v1 v3 v4
ISA_v1 := $(LINES_FLAGS) -DISA=v1
ISA_v3 := $(LINES_FLAGS) -DISA=v3 -march=x86-64-v3
ISA_v4 := $(LINES_FLAGS) -DISA=v4 -march=x86-64-v4 -mprefer-vector-width=512
SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDLIBS := -lgsl -lopenblas -lgomp -ljansson -lpng -lz -lreadline -lsleefgnuabi -lm -lpthread
# The program has its libraries within itself: looking up the 12,000 symbols of OpenBLAS takes the dynamic loader 2 ms.
STATIC := -Wl,-O1 -Wl,-Bstatic -lgsl -lopenblas -lgomp -ljansson -lpng -lz -lreadline -ltinfo \
          -Wl,-Bdynamic -lsleefgnuabi -lm -lpthread

PACKAGES := build-essential flex bison libgsl-dev libopenblas-openmp-dev check libreadline-dev \
            libjansson-dev libpng-dev zlib1g-dev libsleef-dev pkg-config python3

# -- Sources: found by themselves; the parser and the embedded library are generated --
GRAMMAR := $(patsubst lang/%.y,build/lang/%.c,$(wildcard lang/grammar.y))
LEXER := $(patsubst lang/%.l,build/lang/%.c,$(wildcard lang/lexer.l))
GENERATED := $(GRAMMAR) $(LEXER) build/stdlib.c
ALL_SOURCES := $(sort $(wildcard lang/*.c runtime/*/*.c))
LINES := $(sort $(wildcard runtime/*/lines_*.c))
SOURCES := $(filter-out $(LINES),$(ALL_SOURCES))
STDLIB := $(sort $(wildcard stdlib/*.ppl))
UNIT := $(patsubst tests/unit/%.c,build/asan/unit/%,$(sort $(wildcard tests/unit/test_*.c)))

LINES_OBJECTS := $(foreach isa,$(ISAS),$(LINES:%.c=build/%.$(isa).o))
OBJECTS := $(SOURCES:%.c=build/%.o) $(LINES_OBJECTS) $(GENERATED:.c=.o)
ASAN_OBJECTS := $(OBJECTS:build/%=build/asan/%)
ASAN_LIBRARY := $(filter-out build/asan/runtime/cli/main.o,$(ASAN_OBJECTS))

# The runtime in single precision: what knows of `real` once more, with -DREAL_FLOAT, as one object of which only the
# commands are visible.
SINGLE := $(filter-out runtime/base/% runtime/tape/scalars.c $(addprefix runtime/cli/,check.c commands.c completion.c fmt.c main.c manual.c options.c program.c screen.c), \
                       $(filter runtime/%,$(SOURCES)))
SINGLE_OBJECTS := $(SINGLE:%.c=build/single/%.o) $(patsubst build/%,build/single/%,$(filter-out build/runtime/base/%,$(LINES_OBJECTS)))
SINGLE_COMMANDS := command_run command_repl

all: ppl

ppl: $(OBJECTS) build/single.o
	@echo link $@
	@$(CC) $(CFLAGS) -o $@ $^ $(STATIC)

build/asan/ppl: $(ASAN_OBJECTS)
	@echo link $@
	@$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(LDLIBS)

# Generated C is not ours to style.
$(GENERATED:.c=.o) $(GENERATED:build/%.c=build/asan/%.o): WARNINGS := -Wall -Wno-unused-function -Wno-sign-compare

define ISA_RULES
build/%.$(1).o: %.c Makefile
	@mkdir -p $$(@D)
	@echo cc $$< "($(1))"
	@$$(CC) $$(CPPFLAGS) $$(WARNINGS) $$(CFLAGS) $$(ISA_$(1)) -MMD -MP -c -o $$@ $$<

build/single/%.$(1).o: %.c Makefile
	@mkdir -p $$(@D)
	@echo cc $$< "($(1), single precision)"
	@$$(CC) $$(CPPFLAGS) -DREAL_FLOAT $$(WARNINGS) $$(CFLAGS) $$(ISA_$(1)) -MMD -MP -c -o $$@ $$<

# Sanitized loops do not become vectors: tests are to see the same numbers.
build/asan/%.$(1).o: build/%.$(1).o
	@mkdir -p $$(@D)
	@cp $$< $$@
endef
$(foreach isa,$(ISAS),$(eval $(call ISA_RULES,$(isa))))

build/%.o: %.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	@echo cc $<
	@$(CC) $(CPPFLAGS) $(WARNINGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/%.o: build/%.c Makefile | $(GENERATED)
	@echo cc $<
	@$(CC) $(CPPFLAGS) $(WARNINGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/single/%.o: %.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	@echo cc $< "(single precision)"
	@$(CC) $(CPPFLAGS) -DREAL_FLOAT $(WARNINGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/single.o: $(SINGLE_OBJECTS)
	@echo link $@
	@ld -r -o $@ $^
	@objcopy $(foreach c,$(SINGLE_COMMANDS),--redefine-sym $c=$c_single) $@
	@objcopy $(foreach c,$(SINGLE_COMMANDS),--keep-global-symbol=$c_single) $@

build/asan/%.o: %.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	@echo cc $< "(sanitized)"
	@$(CC) $(CPPFLAGS) $(WARNINGS) $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

build/asan/%.o: build/%.c Makefile | $(GENERATED)
	@mkdir -p $(@D)
	@echo cc $< "(sanitized)"
	@$(CC) $(CPPFLAGS) $(WARNINGS) $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

build/lang/grammar.c: lang/grammar.y
	@mkdir -p $(@D)
	@echo bison $<
	@bison -Wall --defines=build/lang/grammar.h -o $@ $<

build/lang/lexer.c: lang/lexer.l
	@mkdir -p $(@D)
	@echo flex $<
	@flex --header-file=build/lang/lexer.h -o $@ $<

build/stdlib.c: stdlib/embed.awk $(STDLIB) stdlib/reference.txt stdlib
	@mkdir -p $(@D)
	@echo embed stdlib
	@LC_ALL=C awk -f stdlib/embed.awk $(STDLIB) stdlib/reference.txt > $@

-include $(OBJECTS:.o=.d) $(SINGLE_OBJECTS:.o=.d) $(ASAN_OBJECTS:.o=.d) $(UNIT:=.d)

# -- Tests --
build/asan/unit/%: tests/unit/%.c $(ASAN_LIBRARY)
	@mkdir -p $(@D)
	@echo cc $< "(sanitized)"
	@$(CC) $(CPPFLAGS) $(WARNINGS) -Wno-unused-parameter $(CFLAGS) $(SANITIZE) -MMD -MP -MF $@.d -o $@ $< \
	    $(ASAN_LIBRARY) -lcheck -lsubunit -lrt $(LDLIBS)

unit-programs: $(UNIT)

build/fuzz/fuzz: $(wildcard tests/fuzz/*.c tests/fuzz/*.h) $(ASAN_LIBRARY)
	@mkdir -p $(@D)
	@echo cc tests/fuzz "(sanitized)"
	@$(CC) $(CPPFLAGS) -Itests/fuzz $(WARNINGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c %.o,$^) $(LDLIBS)

unit:
	@$(MAKE) unit-programs
	@tests/run.sh --unit

check:
	@$(MAKE) deps
	@$(MAKE) all unit-programs build/asan/ppl build/fuzz/fuzz
	@tests/run.sh

demo:
	@$(MAKE) deps
	@$(MAKE) all
	./ppl run examples/eight_schools/eight_schools.ppl

# Programs that the benchmarks time: gradients of ours, the same by hand in C.
build/bench/gradient: tests/bench/gradient.c $(filter-out build/runtime/cli/main.o,$(OBJECTS)) build/single.o
	@mkdir -p $(@D)
	@echo cc $<
	@$(CC) $(CPPFLAGS) -Itests/bench $(WARNINGS) $(CFLAGS) -o $@ $^ $(STATIC)

build/bench/floor: tests/bench/floor.c tests/bench/protocol.h Makefile
	@mkdir -p $(@D)
	@echo cc $<
	@$(CC) $(WARNINGS) -O3 -march=native -std=gnu11 -fopenmp-simd -fno-math-errno -fno-trapping-math \
	    -mprefer-vector-width=512 -o $@ $< -lmvec -lm

build/bench/measured: tests/bench/measured.c
	@mkdir -p $(@D)
	@echo cc $<
	@$(CC) $(WARNINGS) -O2 -std=gnu11 -o $@ $<

# Kernels against their budgets, in both precisions.
build/bench/kernels: tests/bench/kernels.c $(filter-out build/runtime/cli/main.o,$(OBJECTS)) build/single.o
	@mkdir -p $(@D)
	@echo cc $<
	@$(CC) $(CPPFLAGS) $(WARNINGS) $(CFLAGS) -o $@ $^ $(STATIC)

build/bench/kernels_single: tests/bench/kernels.c $(filter build/runtime/base/%,$(OBJECTS)) \
                            $(filter build/single/runtime/tape/% build/single/runtime/tensor/%,$(SINGLE_OBJECTS)) \
                            $(addprefix build/single/runtime/infer/,optimizer.o $(ISAS:%=lines_optimizer.%.o))
	@mkdir -p $(@D)
	@echo cc $< "(single precision)"
	@$(CC) $(CPPFLAGS) -DREAL_FLOAT $(WARNINGS) $(CFLAGS) -o $@ $^ $(STATIC)

bench: ppl $(addprefix build/bench/,gradient floor measured kernels kernels_single)
	tests/bench/run.sh $(BENCH)

fuzz: build/fuzz/fuzz
	FUZZ_SECONDS=$${FUZZ_SECONDS:-300} tests/fuzz/run.sh

# -- The machine --
deps:
	@missing=; for p in $(PACKAGES); do \
	    dpkg -s "$$p" 2>/dev/null | grep -q '^Status: install ok installed' || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "installing$$missing"; sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    $$sudo apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing; \
	fi

build/install/%: ppl
	@mkdir -p $(@D)
	@./ppl $(INSTALLED.$*) > $@
INSTALLED.ppl.1 := manual
INSTALLED.ppl.bash := completion bash
INSTALLED._ppl := completion zsh

SHARE := $(DESTDIR)$(PREFIX)/share
install: ppl build/install/ppl.1 build/install/ppl.bash build/install/_ppl
	install -D -m 755 ppl $(DESTDIR)$(PREFIX)/bin/ppl
	install -D -m 644 build/install/ppl.1 $(SHARE)/man/man1/ppl.1
	install -D -m 644 build/install/ppl.bash $(SHARE)/bash-completion/completions/ppl
	install -D -m 644 build/install/_ppl $(SHARE)/zsh/site-functions/_ppl
	install -D -m 644 -t $(SHARE)/vim/vimfiles/syntax lang/editors/vim/syntax/ppl.vim
	install -D -m 644 -t $(SHARE)/vim/vimfiles/ftdetect lang/editors/vim/ftdetect/ppl.vim
	install -D -m 644 -t $(SHARE)/vim/vimfiles/ftplugin lang/editors/vim/ftplugin/ppl.vim

clean:
	rm -rf build ppl
