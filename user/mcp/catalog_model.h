/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_CATALOG_MODEL_H
#define TOLLGATE_MCP_CATALOG_MODEL_H

#include "policy/mcp_model.h"
#include "user/base/cleanup.h"

struct catalog;

/* Servers, tools and methods as policy knows them (policy/mcp_model.h): the catalog's half of a model's
 * input. */
struct catalog_model;

/* Copies out of the catalog, which is not needed afterwards. 0, -ENOMEM or -EMSGSIZE. */
int catalog_model_new(const struct catalog *c, struct catalog_model **ret);
void catalog_model_free(struct catalog_model *m);
DEFINE_CLEANUP(struct catalog_model *, catalog_model_free)

/* Sets servers and methods of in; they live as long as m. */
void catalog_model_fill(const struct catalog_model *m, struct mcp_model_input *in);

#endif
