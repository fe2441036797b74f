/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NOTIFY_H
#define TOLLGATE_NOTIFY_H

/* Sends a state line to the service manager named by NOTIFY_SOCKET, as sd_notify(3) describes. Without
 * one, or when it cannot be reached, nothing happens. */
void notify_state(const char *state);

#endif
