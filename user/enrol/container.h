/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CONTAINER_H
#define TOLLGATE_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct conf;
struct conf_agent;

#define CONTAINER_ID_DIGITS 64 /* of every engine's */
#define CONTAINER_IMAGE_MAX 512 /* a longer name is none that a selector could hold */

/* A container as its engine describes it. Filled by container_read(), released by container_done(). */
struct container {
	char id[CONTAINER_ID_DIGITS + 1];
	char image[CONTAINER_IMAGE_MAX]; /* as the engine writes it, "docker.io/library/node:22"; "": it does not say */
	json_t *labels; /* object: the container's labels and the annotations of its OCI configuration */
};

/* Which container a cgroup (a path below the cgroup2 mount) belongs to: the outermost component that podman, CRI-O,
 * Docker or containerd calls a container's cgroup. What lies inside can be named by the container itself. Gives the
 * length of the path up to and with that component, and the id; 0: none. */
size_t container_of_cgroup(const char *cgroup, char ret_id[static CONTAINER_ID_DIGITS + 1]);

/* Looks the container up in the stores of the engines (conf.container_stores). 1: found; 0: no store has it;
 * -errno: one has it and cannot be read, -EPERM: somebody else than root may write there. */
int container_read(const struct conf *c, const char *id, struct container *ret);
void container_done(struct container *c);

/* Whether the agent's selectors image and labels, if it has any, hold for the container; NULL: it is in none. */
bool container_fits(const struct conf_agent *a, const struct container *c);

/* Whether an agent is selected by its container. */
bool container_selects(const struct conf_agent *a);

#endif
