# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# The Debian packages netring needs, in one place, and how to install those that are missing. For demo.sh and test.sh.

# To build. gcc does not bring the C library's headers unless recommended packages are installed, so they are named.
# shellcheck disable=SC2034 # used by the scripts that read this file
PACKAGES_BUILD=(autoconf automake gcc libc6-dev make pkg-config
	libbpf-dev libdbus-1-dev libmnl-dev libpcap-dev liburing-dev)

# To show it.
# shellcheck disable=SC2034
PACKAGES_DEMO=(ethtool iproute2 tcpdump)

# To test it, besides the programs in tests/clients/packages.txt.
# shellcheck disable=SC2034
PACKAGES_TEST=(check clang clang-format cppcheck libclang-rt-dev mandoc npm python3 python3-jsonschema shellcheck strace tmux valgrind
	xfsprogs)

# npm may have come with a nodejs that is not Debian's; Debian's npm would not go with it.
package_installed() {
	[ "$1" != npm ] || ! command -v npm >/dev/null || return 0
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# packages_listed_in FILE: one a line, with comments; nothing if there is no such file.
packages_listed_in() {
	[ ! -e "$1" ] || sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$1"
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" </dev/null
}

# Some of the test programs are services too. While this file says so, none of them is started by being installed.
PACKAGES_POLICY=/usr/sbin/policy-rc.d

packages_forbid_services() {
	[ ! -e "$PACKAGES_POLICY" ] || return 0
	printf '#!/bin/sh\n# netring: no service starts while packages for tests are installed\nexit 101\n' >"$PACKAGES_POLICY" &&
		chmod 755 "$PACKAGES_POLICY"
}

packages_allow_services() {
	! grep -qs '^# netring:' "$PACKAGES_POLICY" || rm -f "$PACKAGES_POLICY"
}

# packages_install PACKAGE…: those that are missing. Without any missing it does not touch the network.
packages_install() {
	local package missing=() status=0
	for package in "$@"; do
		package_installed "$package" || missing+=("$package")
	done
	[ "${#missing[@]}" -gt 0 ] || return 0
	echo "Installing: ${missing[*]}"
	packages_forbid_services
	apt update && apt install -y --no-install-recommends "${missing[@]}" || status=$?
	packages_allow_services
	return "$status"
}
