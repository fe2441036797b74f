/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_ENTITIES_JSON_H
#define TOLLGATE_POLICY_ENTITIES_JSON_H

#include <jansson.h>

#include "policy/cedar.h"

/* Puts a JSON value as Cedar reads it without a schema: {"__entity": ...} and {"__extn": ...} are escapes when
 * they stand alone and have the shape; null, fractions and "__expr" are errors. */
void json_put(struct cedar_build *b, const json_t *v);

/* {"type": T, "id": I}, or that within "__entity". */
bool json_uid(const json_t *v, struct cedar_uid *ret);

/* Parses text strictly: no duplicate keys, nothing behind the value. NULL with the place in *error. */
json_t *json_strict(struct span text, struct cedar_error *error);

#endif
