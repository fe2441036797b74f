/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_EXT_CALL_H
#define TOLLGATE_POLICY_EXT_CALL_H

#include "policy/value.h"

enum ext_result {
	EXT_OK = 0,
	EXT_BAD_ARITY,
	EXT_BAD_TYPE, /* the fault says which argument, and what it should be */
	EXT_BAD_VALUE, /* text that is not well-formed, or a result out of range */
	EXT_NO_MEMORY,
};

struct ext_fault {
	uint32_t at, expected; /* tag bits */
};

/* Calls a function on n values, the receiver first; the result takes the place of the first. */
enum ext_result ext_call(struct arena *mem, enum ext_fn fn, struct cval *args, uint32_t n,
			 struct ext_fault *ret_fault);

#endif
