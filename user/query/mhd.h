/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_MHD_H
#define TOLLGATE_QUERY_MHD_H

#include <microhttpd.h>

/* The functions of libmicrohttpd that are used, by the names they have there. */
#define MHD_FUNCTIONS(f) \
	f(add_response_header) f(create_response_from_buffer) f(create_response_from_callback) f(destroy_response) \
	f(get_connection_info) f(get_connection_values_n) f(get_daemon_info) f(get_timeout) f(queue_response) \
	f(resume_connection) f(run) f(start_daemon) f(stop_daemon) f(suspend_connection)

#define MHD_MEMBER(name) __typeof__(&MHD_##name) name;
extern struct mhd {
	MHD_FUNCTIONS(MHD_MEMBER)
} mhd;
#undef MHD_MEMBER

/* Loads the library, once; before that no function is there. 0, or -ELIBACC when it is missing or lacks one of them. */
int mhd_load(void);

#endif
