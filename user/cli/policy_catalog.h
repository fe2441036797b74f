/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_CATALOG_H
#define TOLLGATE_CLI_POLICY_CATALOG_H

#include "policy/cedar.h"
#include "user/base/buf.h"

struct catalog_model;

/* Reads a catalog in policy's terms. 0; -EINVAL with one error in *errors. */
int policy_catalog_load(const char *path, struct cedar_errors *errors, struct catalog_model **ret);

/* Appends the Cedar schema that the daemon holds policies to under this catalog. Same errors. */
int policy_catalog_schema(const char *path, struct cedar_errors *errors, struct buf *out);

#endif
