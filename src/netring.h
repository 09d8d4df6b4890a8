/* SPDX-License-Identifier: BSD-3-Clause */
/* placeholder replaced in the next commit */
#ifndef NETRING_H
#define NETRING_H
struct netring_error {
	char text[512];
};
#endif
