// SPDX-License-Identifier: Apache-2.0
/*
 * libmicrohttpd, loaded by the one role that uses it. Linked, it and the ten libraries it brings (TLS, of which the
 * audit socket has none) would be relocated into every role: a third of a megabyte each, and most of the time that an
 * injector takes to be ready.
 */
#include "user/query/mhd.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define LIBRARY "libmicrohttpd.so.12"

struct mhd mhd;

static bool find(void *library, const char *name, void *ret, size_t size)
{
	void *at = dlsym(library, name);

	if (!at)
		return false;
	memcpy(ret, &at, size); /* ISO C has no cast between pointers to objects and to functions */
	return true;
}

int mhd_load(void)
{
	struct mhd found;
	bool all = true;
	void *library;

	if (mhd.run)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return -ELIBACC;
#define MHD_FIND(name) all = all && find(library, "MHD_" #name, &found.name, sizeof(found.name));
	MHD_FUNCTIONS(MHD_FIND)
#undef MHD_FIND
	if (!all) {
		dlclose(library);
		return -ELIBACC;
	}
	mhd = found;
	return 0;
}
