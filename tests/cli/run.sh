#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# netring run: what it refuses and why, what it lets through, what the child sees, precedence of -o, exit statuses. Real files all: a static
# binary, set-id copies, file capabilities, another machine. Whether the kernel starts a file in secure mode is asked of the kernel.
# Needs abs_top_srcdir, abs_top_builddir and SHIM_DIR.

set -u
# shellcheck source=tests/cli/tap.sh
. "${abs_top_srcdir:?}/tests/cli/tap.sh"

CC=${CC:-gcc}
NOBODY=65534

command -v "$CC" >/dev/null || skip_all "no C compiler"

# A place that other users may read, with copies of what they are to start.
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$top"
mkdir "$top/shim" "$top/bin" "$top/with:colon"
cp "${abs_top_builddir:?}/netring" "$top/netring"
cp -L "${SHIM_DIR:?}/libpcap.so.0.8" "$top/shim/libpcap.so.0.8"
ln -s libpcap.so.0.8 "$top/shim/libpcap.so"
ln -s libpcap.so.0.8 "$top/shim/libpcap.so.1"
cp "$top/shim/libpcap.so.0.8" "$top/with:colon/"
shim=$top/shim/libpcap.so.0.8
bin=$top/bin

unset LD_PRELOAD LD_LIBRARY_PATH
for name in $(env | sed -n 's/^\(NETRING_[A-Z_]*\)=.*/\1/p'); do
	[ "$name" = NETRING_TESTS_REQUIRED ] || unset "$name"
done

run() {
	"$top/netring" run -L "$top/shim" "$@"
}

# Programs

echo 'int main(void) { return 0; }' >"$top/plain.c"
cat >"$top/opener.c" <<'C'
#include <dlfcn.h>
#include <stdio.h>
int main(void)
{
	void *library = dlopen("libpcap.so", RTLD_NOW);
	const char *(*version)(void) = library ? (const char *(*)(void))dlsym(library, "pcap_lib_version") : 0;

	puts(version ? version() : "none");
	return !version;
}
C
echo 'extern const char *pcap_lib_version(void); const char *inner(void) { return pcap_lib_version(); }' >"$top/inner.c"
printf '%s\n' '#include <stdio.h>' 'extern const char *inner(void);' 'int main(void) { puts(inner()); return 0; }' >"$top/outer.c"

build() {
	"$CC" -o "$@" || { echo "Bail out! cannot build $1"; exit 1; }
}

build "$bin/plain" "$top/plain.c"
build "$bin/static" -static "$top/plain.c"
build "$bin/probe" "$abs_top_srcdir/tests/cli/probe.c" "$shim"
build "$bin/opener" "$top/opener.c"
mkdir "$top/lib"
build "$top/lib/libinner.so" -shared -fPIC "$top/inner.c" "$shim"
# shellcheck disable=SC2016 # $ORIGIN is the loader's
build "$bin/outer" "$top/outer.c" "$top/lib/libinner.so" -Wl,-rpath,'$ORIGIN/../lib' -Wl,-rpath-link,"$top/shim"
build "$bin/musl" "$abs_top_srcdir/tests/cli/probe.c" "$shim" -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
# Another machine, another class: one byte of the header says so.
cp "$bin/probe" "$bin/machine" && printf '\267' | dd of="$bin/machine" bs=1 seek=18 conv=notrunc 2>/dev/null
cp "$bin/probe" "$bin/class" && printf '\001' | dd of="$bin/class" bs=1 seek=4 conv=notrunc 2>/dev/null
head -c 100 "$bin/probe" >"$bin/cut" && chmod 755 "$bin/cut"
printf '#!/bin/sh\nexec "%s/probe" "$@"\n' "$bin" >"$bin/script" && chmod 755 "$bin/script"
printf 'exec "%s/probe" "$@"\n' "$bin" >"$bin/bare-script" && chmod 755 "$bin/bare-script"
cp "$bin/plain" "$bin/sudo"
cp "$bin/plain" "$bin/env-cleaner" && ln -s env-cleaner "$bin/launcher"
cp /bin/sh "$bin/python3.99" && ln -s /bin/sh "$bin/my-shell"
# A libpcap of its own, found by a run path that is stronger than LD_LIBRARY_PATH; and one under upstream's SONAME.
echo 'const char *pcap_lib_version(void) { return "its own"; }' >"$top/own.c"
mkdir "$top/own"
build "$top/own/libpcap.so.0.8" -shared -fPIC "$top/own.c" -Wl,-soname,libpcap.so.0.8
build "$bin/own" "$abs_top_srcdir/tests/cli/probe.c" "$top/own/libpcap.so.0.8" -Wl,--disable-new-dtags,-rpath,"$top/own"
build "$top/own/libpcap.so.1" -shared -fPIC "$top/own.c" -Wl,-soname,libpcap.so.1
build "$bin/upstream" "$abs_top_srcdir/tests/cli/probe.c" "$top/own/libpcap.so.1"
# The name of the library in a segment that is not read-only, as patchelf leaves it: bit W of the first LOAD header, which is at 64 + 56 * index.
cp "$bin/probe" "$bin/patched"
index=$(readelf -lW "$bin/patched" | awk '/^  Type/ { n = 0; next } /^  LOAD/ { print n; exit } /^  [A-Z]/ { n++ }')
printf '\006' | dd of="$bin/patched" bs=1 seek=$((64 + 56 * index + 4)) conv=notrunc 2>/dev/null
echo data >"$bin/data"

# Refusals

expect "no libpcap: ls" 2 'ls has no libpcap in it.*\(-f starts it anyway\)' run -- ls
expect "no libpcap: cat, with an argument that is a file" 2 'cat has no libpcap' run -- /bin/cat /etc/passwd
expect "no libpcap: a program of our own" 2 'plain has no libpcap' run "$bin/plain"
expect "static" 2 'static is statically linked' run "$bin/static"
expect "another machine" 2 'machine is a 64-bit AArch64 program, and netring.s library is for 64-bit' run "$bin/machine"
expect "another class" 2 'class is a 32-bit .* program, and' run "$bin/class"
expect "another C library" 2 'another C library .*ld-musl' run "$bin/musl"
expect "a cut ELF file" 2 'statically linked|no libpcap' run "$bin/cut"
expect "sudo" 2 'sudo removes LD_PRELOAD.*sudo netring run -- ' run "$bin/sudo" "$bin/probe"
expect "sudo behind a launcher" 2 'sudo removes LD_PRELOAD' run timeout 60 "$bin/sudo" "$bin/probe"
expect "a library folder with a colon" 2 'colon' "$top/netring" run -L "$top/with:colon" "$bin/probe"
expect "a library folder without the library" 2 "$bin/libpcap.so.0.8: No such file" "$top/netring" run -L "$bin" "$bin/probe"
expect "no library folder" 2 'nonexistent: No such file' "$top/netring" run -L "$top/nonexistent" "$bin/probe"

# Acceptances; the probe shows which libpcap it got.

mapped="^mapped=$shim\$"
expect "needs libpcap" 0 "$mapped" run "$bin/probe"
[ "$(run "$bin/probe" | grep -c ^mapped=)" -eq 1 ]
ok $? "no second libpcap is in the process"
expect "through PATH" 0 "$mapped" env PATH="$bin:$PATH" "$top/netring" run -L "$top/shim" probe
expect "needs libpcap, and brings its own" 0 "$mapped" run "$bin/own"
[ "$(run "$bin/own" | grep -c ^mapped=)" -eq 1 ]
ok $? "its own is not loaded"
expect "needs libpcap.so.1" 0 "$mapped" run "$bin/upstream"
[ "$(run "$bin/upstream" | grep -c ^mapped=)" -eq 1 ]
ok $? "the library is there once, by whatever name"
expect "needs libpcap through a library" 0 'libpcap version' run "$bin/outer"
expect "opens libpcap with dlopen" 0 'libpcap version' run "$bin/opener"
expect "launcher: timeout" 0 "$mapped" run -- timeout 60 "$bin/probe"
expect "launcher: env, nice, timeout" 0 "$mapped" run env nice timeout 60 "$bin/probe"
expect "shell -c" 0 "$mapped" run sh -c "'$bin/probe' x"
expect "script" 0 "$mapped" run "$bin/script"
expect "script without #!" 0 "$mapped" run "$bin/bare-script"
expect "interpreter with a version in its name" 0 "$mapped" run "$bin/python3.99" -c "'$bin/probe' x"
expect "a link to a shell" 0 "$mapped" run "$bin/my-shell" -c "'$bin/probe' x"
expect "needs libpcap, changed by patchelf" 0 "$mapped" run "$bin/patched"
expect "any program that gets one that captures as an argument" 0 '' run "$bin/launcher" 5 "$bin/probe"
expect "refused, forced" 0 '' run -f "$bin/plain"
expect "static, forced" 0 '' run --force "$bin/static"
expect "a relative library folder is made absolute" 0 "$mapped" sh -c "cd '$top' && ./netring run -L shim bin/probe"
for program in tcpdump tshark python3; do
	if command -v "$program" >/dev/null; then
		expect "real $program" 0 '[0-9]\.[0-9]' run "$program" --version
	else
		skip "real $program" "not installed"
	fi
done

# What the child sees

expect "LD_PRELOAD" 0 "^LD_PRELOAD=$shim\$" run "$bin/probe"
expect "LD_LIBRARY_PATH" 0 "^LD_LIBRARY_PATH=$top/shim\$" run "$bin/probe"
expect "LD_LIBRARY_PATH that was empty gets no empty item" 0 "^LD_LIBRARY_PATH=$top/shim\$" env LD_LIBRARY_PATH= "$top/netring" run -L "$top/shim" "$bin/probe"
expect "LD_LIBRARY_PATH that was set comes behind" 0 "^LD_LIBRARY_PATH=$top/shim:/a:/b\$" env LD_LIBRARY_PATH=/a:/b "$top/netring" run -L "$top/shim" "$bin/probe"
libm=$(ldconfig -p 2>/dev/null | sed -n 's/.*libm\.so\.6 .*=> //p' | head -n 1)
expect "LD_PRELOAD that was set comes behind" 0 "^LD_PRELOAD=$shim:${libm:=/lib/libm.so.6}\$" env LD_PRELOAD="$libm" "$top/netring" run -L "$top/shim" "$bin/probe"
expect "run inside run adds nothing" 0 "^LD_PRELOAD=$shim\$" run "$top/netring" run -L "$top/shim" "$bin/probe"
expect "argument 0 as it was typed" 0 '^argument 0=probe$' env PATH="$bin:$PATH" "$top/netring" run -L "$top/shim" probe
expect "options behind the program are the program's" 0 '^argument 2=--help$' run "$bin/probe" -o --help
expect "profile" 0 '^NETRING_PROFILE=low_memory$' run -p low_memory "$bin/probe"
expect "nothing is set that was not asked for" 0 '^NETRING_PROFILE=\(unset\)$' run "$bin/probe"

# -o

expect "-o with the prefix" 0 '^NETRING_BLOCK_COUNT=8$' run -o NETRING_BLOCK_COUNT=8 "$bin/probe"
expect "-o without it" 0 '^NETRING_BLOCK_COUNT=9$' run -oBLOCK_COUNT=9 "$bin/probe"
expect "the last -o counts" 0 '^NETRING_BLOCK_COUNT=7$' run -o BLOCK_COUNT=6 --option=BLOCK_COUNT=7 "$bin/probe"
expect "the environment counts more" 0 '^NETRING_BLOCK_COUNT=5$' env NETRING_BLOCK_COUNT=5 "$top/netring" run -L "$top/shim" -o BLOCK_COUNT=6 "$bin/probe"
expect "and a warning says so" 0 'warning: NETRING_BLOCK_COUNT=5 of the environment counts, not 6' env NETRING_BLOCK_COUNT=5 "$top/netring" run -L "$top/shim" -o BLOCK_COUNT=6 "$bin/probe"
output=$(NETRING_BLOCK_COUNT=5 run -o BLOCK_COUNT=5 "$bin/probe" 2>&1)
! printf '%s\n' "$output" | grep -q warning
ok $? "no warning when both say the same" "$output"
expect "-o with a bad value" 2 '^netring run: NETRING_BLOCK_COUNT=0: must be a number, 1..65536$' run -o BLOCK_COUNT=0 "$bin/probe"
expect "-o with an empty value" 2 'NETRING_LOG=: must be one of' run -o LOG= "$bin/probe"
expect "-o with an unknown name" 2 'unknown variable NETRING_BLOKC_COUNT, did you mean NETRING_BLOCK_COUNT\?' run -o BLOKC_COUNT=1 "$bin/probe"
expect "-o without a value" 2 '^netring run: -o BLOCK_COUNT: needs NAME=VALUE' run -o BLOCK_COUNT "$bin/probe"
expect "-p with an unknown profile" 2 'NETRING_PROFILE=low-memory: .*did you mean low_memory' run -p low-memory "$bin/probe"
expect "values that do not go together" 2 'NETRING_FRAME_SIZE=1M: must not be larger' run -o FRAME_SIZE=1M -o BLOCK_SIZE=64K "$bin/probe"
expect "nor with the environment" 2 'NETRING_FRAME_SIZE=1M: must not be larger' env NETRING_BLOCK_SIZE=64K "$top/netring" run -L "$top/shim" -o FRAME_SIZE=1M "$bin/probe"

# Exit statuses and usage

expect "the program's own status" 42 '' run "$bin/probe" exit 42
run "$bin/script" >/dev/null 2>&1
ok $? "0 from a script"
# shellcheck disable=SC2016 # the inner shell's $$
expect "death by a signal" 143 '' sh -c '"$0" run -L "$1" sh -c "kill -TERM \$\$"' "$top/netring" "$top/shim"
expect "not found" 127 'cannot start no-such-program: No such file' env PATH=/usr/bin:/bin "$top/netring" run -L "$top/shim" no-such-program
expect "not found, with a slash" 127 'cannot start /no/such: No such file' run /no/such
expect "not executable" 126 'data: Permission denied' run "$bin/data"
expect "not executable, through PATH" 126 'cannot start data: Permission denied' env PATH="$bin:$PATH" "$top/netring" run -L "$top/shim" data
expect "a folder" 126 'Permission denied' run "$bin"
expect "an empty name" 127 'cannot start' run ""
expect "not found is said even when forced" 127 'No such file' run -f /no/such
expect "no program" 2 'the program to start is missing' run
expect "unknown short option" 2 'unknown option -z' run -z "$bin/probe"
expect "unknown short option among others" 2 'unknown option -z' run -fz "$bin/probe"
expect "unknown long option" 2 'unknown option --nope' run --nope "$bin/probe"
expect "option without its value" 2 '-L needs a value' "$top/netring" run -L
expect "run --help" 0 '^Usage: netring run' "$top/netring" run --help
expect "env --help" 0 '^Usage: netring env' "$top/netring" env --help
expect "version --help" 0 '^Usage: netring version' "$top/netring" version --help
expect "--help" 0 '^Usage: netring COMMAND' "$top/netring" --help
[ -z "$("$top/netring" run --help 2>&1 >/dev/null)" ]
ok $? "help goes to stdout"
[ -z "$("$top/netring" run -z 2>/dev/null)" ]
ok $? "complaints go to stderr"
expect "no command" 2 'a command is missing' "$top/netring"
expect "unknown command" 2 'unknown command rum, did you mean run\?' "$top/netring" rum
expect "unknown option" 2 'unknown option --nope' "$top/netring" --nope
expect "version" 0 '^embedded: libpcap version 1\.' "$top/netring" version -L "$top/shim"
expect "version, the library's path" 0 "^library: $shim\$" "$top/netring" version -L "$top/shim"
expect "version without the library" 1 'cannot use' "$top/netring" version -L "$top/bin"
expect "version with too much" 2 'unexpected argument x' "$top/netring" version x

# Secure mode: for each kind of file and user netring's verdict must be the kernel's. The forced run asks the kernel.

as_nobody() {
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups "$@"
}

as_nobody_with_ambient() {
	as_nobody --inh-caps +net_raw,+net_admin --ambient-caps +net_raw,+net_admin "$@"
}

as_root() {
	"$@"
}

as_root_without_new_privileges() {
	setpriv --no-new-privs "$@"
}

as_nobody_without_new_privileges() {
	as_nobody --no-new-privs "$@"
}

# agree USER FILE [EXPECTED]: EXPECTED is refused, accepted, or nothing where only the agreement matters.
agree() {
	forced=$("as_$1" "$top/netring" run -L "$top/shim" -f "$bin/$2" 2>&1)
	"as_$1" "$top/netring" run -L "$top/shim" "$bin/$2" >/dev/null 2>&1
	case $? in
	0) verdict=accepted ;;
	2) verdict=refused ;;
	*) verdict=broken ;;
	esac
	case $forced in
	*secure=1*) truth=refused ;;
	*secure=0*) truth=accepted ;;
	*) truth=unknown ;;
	esac
	[ "$verdict" = "$truth" ] && [ "$verdict" = "${3:-$verdict}" ]
	ok $? "$2 as $1 is ${3:-as the kernel says}" "netring: $verdict, kernel: $truth; $forced"
}

if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null || ! command -v setcap >/dev/null; then
	skip "secure mode" "needs root, setpriv and setcap"
	finish
	exit
fi

# Where secure mode takes LD_LIBRARY_PATH away the probe still has to start.
build "$bin/probe" "$abs_top_srcdir/tests/cli/probe.c" "$shim" -Wl,-rpath,"$top/shim"
for kind in setuid-root setuid-nobody setgid-root setgid-nobody setgid-locking caps-effective caps-permitted caps-inheritable caps-effective-inheritable; do
	cp "$bin/probe" "$bin/$kind"
done
chmod 4755 "$bin/setuid-root"
chown "$NOBODY" "$bin/setuid-nobody" && chmod 4755 "$bin/setuid-nobody"
chmod 2755 "$bin/setgid-root"
chown ":$NOBODY" "$bin/setgid-nobody" && chmod 2755 "$bin/setgid-nobody"
chown ":$NOBODY" "$bin/setgid-locking" && chmod 2745 "$bin/setgid-locking"
setcap cap_net_raw,cap_net_admin+ep "$bin/caps-effective"
setcap cap_net_raw,cap_net_admin+p "$bin/caps-permitted"
setcap cap_net_raw,cap_net_admin+i "$bin/caps-inheritable"
setcap cap_net_raw,cap_net_admin+ei "$bin/caps-effective-inheritable"

agree root probe accepted
agree nobody probe accepted
agree nobody_with_ambient probe accepted
agree root setuid-root accepted
agree root setuid-nobody refused
agree root setgid-nobody refused
agree root caps-effective accepted
agree root caps-permitted accepted
agree nobody setuid-root refused
agree nobody setuid-nobody accepted
agree nobody setgid-root refused
agree nobody setgid-nobody accepted
agree root setgid-locking accepted
agree nobody caps-effective refused
agree nobody caps-permitted refused
agree nobody caps-inheritable accepted
agree nobody caps-effective-inheritable refused
agree nobody_with_ambient caps-effective refused
agree nobody_with_ambient caps-permitted refused
agree nobody_with_ambient caps-inheritable refused
agree root_without_new_privileges setuid-nobody
agree nobody_without_new_privileges setuid-root
agree nobody_without_new_privileges caps-effective

expect "the reason: set-uid" 2 'setuid-root is set-uid or set-gid' as_nobody "$top/netring" run -L "$top/shim" "$bin/setuid-root"
expect "the reason: capabilities" 2 'caps-effective has file capabilities' as_nobody "$top/netring" run -L "$top/shim" "$bin/caps-effective"
expect "a launcher of a program with capabilities" 2 'caps-effective has file capabilities' as_nobody "$top/netring" run -L "$top/shim" timeout 60 "$bin/caps-effective"
mkdir "$top/wireshark" && cp "$bin/probe" "$top/wireshark/tshark" && cp "$bin/caps-effective" "$top/wireshark/dumpcap"
expect "tshark beside a dumpcap without capabilities" 0 "$mapped" as_nobody "$top/netring" run -L "$top/shim" "$top/wireshark/tshark"
setcap cap_net_raw,cap_net_admin+eip "$top/wireshark/dumpcap"
expect "tshark beside a dumpcap with them" 2 'tshark captures through dumpcap: .*has file capabilities' as_nobody "$top/netring" run -L "$top/shim" "$top/wireshark/tshark"
expect "the same as root" 0 "$mapped" run "$top/wireshark/tshark"
cp /bin/sh "$bin/su" && chmod 4755 "$bin/su"
expect "a launcher that is set-uid itself" 2 'su is set-uid' as_nobody "$top/netring" run -L "$top/shim" "$bin/su" -c true
cp "$bin/plain" "$bin/setuid-launcher" && chmod 4755 "$bin/setuid-launcher"
expect "the same, of a program that is unknown" 2 'setuid-launcher is set-uid' as_nobody "$top/netring" run -L "$top/shim" "$bin/setuid-launcher" "$bin/probe"
# The table is read with secure_getenv.
cp "$top/netring" "$bin/setuid-netring" && chmod 4755 "$bin/setuid-netring"
expect "set-uid programs ignore the environment" 0 '^NETRING_BLOCK_COUNT +64 +default' as_nobody env NETRING_BLOCK_COUNT=5 "$bin/setuid-netring" env

finish
