/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_SWTPM_H
#define TOLLGATE_TEST_SWTPM_H

/* A software TPM of its own per test program, with an endorsement certificate from an authority of its own,
 * all below a temporary folder. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char swtpm_dir[64], swtpm_tcti[192];
static pid_t swtpm_pid;

static inline void swtpm_file(const char *name, const char *text)
{
	char path[160];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", swtpm_dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs(text, f);
	fclose(f);
}

static inline int swtpm_run(const char *fmt)
{
	char command[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)snprintf(command, sizeof(command), fmt, swtpm_dir, swtpm_dir, swtpm_dir, swtpm_dir);
#pragma GCC diagnostic pop
	return system(command);
}

static inline bool swtpm_manufacture(void)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "statedir = %s/ca\nsigningkey = %s/ca/key.pem\n"
		       "issuercert = %s/ca/issuer.pem\ncertserial = %s/ca/serial\n", swtpm_dir, swtpm_dir, swtpm_dir,
		       swtpm_dir);
	swtpm_file("ca.conf", text);
	swtpm_file("ca.options", "--platform-manufacturer Test --platform-version 1 --platform-model Test\n");
	(void)snprintf(text, sizeof(text), "create_certs_tool= /usr/bin/swtpm_localca\n"
		       "create_certs_tool_config = %s/ca.conf\ncreate_certs_tool_options = %s/ca.options\n"
		       "active_pcr_banks = sha256\n", swtpm_dir, swtpm_dir);
	swtpm_file("setup.conf", text);
	return swtpm_run("mkdir %s/ca %s/state && swtpm_setup --tpm2 --tpmstate %s/state --create-ek-cert "
			 "--pcr-banks sha256 --config %s/setup.conf >/dev/null 2>&1") == 0;
}

static inline bool swtpm_listens(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool ok;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%.100s", path);
	ok = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0;
	close(fd);
	return ok;
}

/* Starts it as after a power-on: registers cleared, memory kept. */
static inline bool swtpm_start(void)
{
	char state[160], server[160], ctrl[160], sock[160];

	(void)snprintf(state, sizeof(state), "dir=%s/state", swtpm_dir);
	(void)snprintf(server, sizeof(server), "type=unixio,path=%s/sock", swtpm_dir);
	(void)snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s/sock.ctrl", swtpm_dir);
	(void)snprintf(sock, sizeof(sock), "%s/sock", swtpm_dir);
	(void)snprintf(swtpm_tcti, sizeof(swtpm_tcti), "swtpm:path=%s", sock);
	swtpm_pid = fork();
	if (swtpm_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		assert_non_null(freopen("/dev/null", "w", stderr)); /* it tells of every connection */
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl", ctrl,
		       "--flags", "not-need-init,startup-clear", NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 1000 && swtpm_pid > 0; i++) {
		if (swtpm_listens(sock))
			return true;
		if (waitpid(swtpm_pid, NULL, WNOHANG) != 0)
			break;
		usleep(10000);
	}
	return false;
}

static inline void swtpm_stop(void)
{
	if (swtpm_pid > 0) {
		kill(swtpm_pid, SIGTERM);
		waitpid(swtpm_pid, NULL, 0);
	}
	swtpm_pid = 0;
	(void)swtpm_run("rm -f %s/sock %s/sock.ctrl");
}

/* False, with a reason, where there is no software TPM. */
static inline bool swtpm_begin(void)
{
	(void)setenv("TSS2_LOG", "all+NONE", 0); /* refusals are what the tests are about */
	if (system("command -v swtpm swtpm_setup swtpm_localca >/dev/null") != 0) {
		printf("skip: no swtpm: install swtpm and swtpm-tools\n");
		return false;
	}
	(void)snprintf(swtpm_dir, sizeof(swtpm_dir), "/tmp/tollgate-swtpm-XXXXXX");
	assert_non_null(mkdtemp(swtpm_dir));
	if (swtpm_manufacture() && swtpm_start())
		return true;
	printf("FAIL swtpm does not start in %s\n", swtpm_dir);
	abort();
}

static inline void swtpm_end(void)
{
	swtpm_stop();
	if (*swtpm_dir)
		(void)swtpm_run("rm -rf %s");
}

#endif
