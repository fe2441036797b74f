/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_VERSION_H
#define TOLLGATE_VERSION_H

#define TOLLGATE_VERSION "0.1.0"

#endif
