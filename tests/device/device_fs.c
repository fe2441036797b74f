// SPDX-License-Identifier: Apache-2.0
/*
 * See device_fs.h. Semantics of configfs-tsm as a 6.12 kernel has them: an outblob before an inblob is EINVAL, a
 * write of more than 64 bytes EFBIG and still a new generation, sizes are zero, a report without a provider ENXIO.
 */
#define FUSE_USE_VERSION 35
#include "tests/device/device_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <linux/sev-guest.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define TSM "/sys/kernel/config/tsm/report"
#define ENTRIES_MAX 16
#define FUSE_MAGIC 0x65735546

struct tdx_request {
	uint8_t data[64], report[1024];
};
#define TDX_GET_REPORT _IOWR('T', 1, struct tdx_request)

struct entry {
	bool used;
	char name[64];
	unsigned generation;
	uint8_t in[64];
	size_t in_n;
};

struct tpm_handle {
	uint8_t answer[4096];
	size_t n, at;
};

static const struct device_fs *dev;
static struct entry entries[ENTRIES_MAX];
static unsigned disturbed;

static const char *const folders[] = { "/", "/dev", "/sys", "/sys/kernel", "/sys/kernel/config", "/sys/kernel/config/tsm", TSM };
static const char *const attributes[] = { "inblob", "outblob", "auxblob", "provider", "generation" };

/* The entry of TSM/NAME[/ATTRIBUTE], or NULL; *attribute is NULL for the folder itself. */
static struct entry *find(const char *path, const char **attribute)
{
	size_t n = strlen(TSM);
	const char *slash;

	*attribute = NULL;
	if (strncmp(path, TSM "/", n + 1) != 0)
		return NULL;
	path += n + 1;
	slash = strchr(path, '/');
	n = slash ? (size_t)(slash - path) : strlen(path);
	for (unsigned i = 0; i < ENTRIES_MAX; i++)
		if (entries[i].used && strlen(entries[i].name) == n && memcmp(entries[i].name, path, n) == 0) {
			for (size_t k = 0; slash && k < sizeof(attributes) / sizeof(*attributes); k++)
				if (strcmp(slash + 1, attributes[k]) == 0)
					*attribute = attributes[k];
			return slash && !*attribute ? NULL : &entries[i];
		}
	return NULL;
}

static bool is_device(const char *path)
{
	return (dev->sev_guest && strcmp(path, "/dev/sev-guest") == 0) ||
	       (dev->tdx_guest && strcmp(path, "/dev/tdx_guest") == 0) ||
	       (dev->tpm && strcmp(path, "/dev/tpmrm0") == 0);
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	const char *attribute;
	struct entry *e;

	*st = (struct stat){ .st_mode = S_IFDIR | 0755, .st_nlink = 2 };
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (strcmp(path, folders[i]) == 0)
			return 0;
	e = find(path, &attribute);
	if (e && !attribute)
		return 0;
	*st = (struct stat){ .st_mode = S_IFREG | 0600, .st_nlink = 1 };
	return e || is_device(path) ? 0 : -ENOENT;
}

static int make_folder(const char *path, mode_t mode)
{
	const char *name = path + strlen(TSM) + 1;

	if (strncmp(path, TSM "/", strlen(TSM) + 1) != 0 || strchr(name, '/') || strlen(name) >= sizeof(entries[0].name))
		return -EPERM;
	if (!dev->provider)
		return -ENXIO;
	for (unsigned i = 0; i < ENTRIES_MAX; i++)
		if (!entries[i].used) {
			entries[i] = (struct entry){ .used = true };
			memcpy(entries[i].name, name, strlen(name));
			return 0;
		}
	return -ENOMEM;
}

static int remove_folder(const char *path)
{
	const char *attribute;
	struct entry *e = find(path, &attribute);

	if (!e || attribute)
		return -ENOENT;
	e->used = false;
	return 0;
}

static int open_file(const char *path, struct fuse_file_info *fi)
{
	struct stat st;
	int r = get_attributes(path, &st, fi);

	if (r < 0)
		return r;
	fi->direct_io = 1;
	if (strcmp(path, "/dev/tpmrm0") == 0) {
		fi->nonseekable = 1;
		fi->fh = (uint64_t)(uintptr_t)calloc(1, sizeof(struct tpm_handle));
		return fi->fh ? 0 : -ENOMEM;
	}
	return 0;
}

static int release_file(const char *path, struct fuse_file_info *fi)
{
	free((void *)(uintptr_t)fi->fh);
	return 0;
}

/* One command to the software TPM and its answer, over a connection of its own. */
static int ask_tpm(const void *command, size_t n, struct tpm_handle *h)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r = -EIO;
	size_t want = 10;

	h->n = h->at = 0;
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", dev->tpm);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 && write(fd, command, n) == (ssize_t)n)
		r = 0;
	while (r == 0 && h->n < want) { /* the length stands behind the tag */
		ssize_t got = read(fd, h->answer + h->n, sizeof(h->answer) - h->n);

		if (got <= 0)
			r = -EIO;
		h->n += got > 0 ? (size_t)got : 0;
		if (h->n >= 6)
			want = (size_t)h->answer[2] << 24 | (size_t)h->answer[3] << 16 | (size_t)h->answer[4] << 8 |
			       h->answer[5];
		if (want > sizeof(h->answer))
			r = -EIO;
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static int write_file(const char *path, const char *bytes, size_t n, off_t at, struct fuse_file_info *fi)
{
	const char *attribute;
	struct entry *e = find(path, &attribute);

	if (fi->fh) {
		int r = ask_tpm(bytes, n, (struct tpm_handle *)(uintptr_t)fi->fh);

		return r < 0 ? r : (int)n;
	}
	if (!e || strcmp(attribute, "inblob") != 0)
		return -EACCES;
	e->generation++;
	if (at != 0 || n > sizeof(e->in))
		return -EFBIG;
	memcpy(e->in, bytes, n);
	e->in_n = n;
	return (int)n;
}

static int give(const void *from, size_t n, char *to, size_t max, off_t at)
{
	if ((size_t)at >= n)
		return 0;
	if (max > n - (size_t)at)
		max = n - (size_t)at;
	memcpy(to, (const char *)from + at, max);
	return (int)max;
}

static int make_report(struct entry *e, uint8_t ret[DEVICE_BLOB_MAX], size_t *ret_n)
{
	int r = e->in_n == sizeof(e->in) ? dev->report(dev->arg, e->in, ret, ret_n) : -EINVAL;

	if (r == 0 && disturbed < dev->disturb) { /* somebody else uses the same entry */
		disturbed++;
		e->generation++;
	}
	return r;
}

static int read_file(const char *path, char *to, size_t max, off_t at, struct fuse_file_info *fi)
{
	static uint8_t blob[DEVICE_BLOB_MAX];
	static size_t blob_n;
	const char *attribute;
	struct entry *e = find(path, &attribute);
	char text[32];

	if (fi->fh) {
		struct tpm_handle *h = (struct tpm_handle *)(uintptr_t)fi->fh;
		int n = give(h->answer, h->n, to, max, (off_t)h->at);

		h->at += (size_t)n;
		return n;
	}
	if (!e)
		return -EACCES;
	if (strcmp(attribute, "outblob") == 0) {
		int r = at == 0 ? make_report(e, blob, &blob_n) : 0;

		return r < 0 ? r : give(blob, blob_n, to, max, at);
	}
	if (strcmp(attribute, "auxblob") == 0)
		return give(dev->aux, dev->aux_n, to, max, at);
	if (strcmp(attribute, "provider") == 0)
		(void)snprintf(text, sizeof(text), "%s\n", dev->provider);
	else if (strcmp(attribute, "generation") == 0)
		(void)snprintf(text, sizeof(text), "%u\n", e->generation);
	else
		return -EACCES;
	return give(text, strlen(text), to, max, at);
}

static int copy(pid_t pid, void *ours, uint64_t theirs, size_t n, bool out)
{
	struct iovec here = { ours, n }, there = { (void *)(uintptr_t)theirs, n };
	ssize_t done = out ? process_vm_writev(pid, &here, 1, &there, 1, 0) : process_vm_readv(pid, &here, 1, &there, 1, 0);

	return done == (ssize_t)n ? 0 : -EFAULT;
}

/* SNP_GET_EXT_REPORT: too small a buffer is told with the size that is needed. */
static int sev_ioctl(unsigned cmd, struct snp_guest_request_ioctl *g, void *at)
{
	static uint8_t blob[DEVICE_BLOB_MAX];
	const pid_t pid = fuse_get_context()->pid;
	struct snp_report_resp resp = { 0 };
	struct snp_ext_report_req req = { 0 };
	const bool ext = cmd == (unsigned)SNP_GET_EXT_REPORT;
	size_t n = 0;
	int r;

	if (!ext && cmd != (unsigned)SNP_GET_REPORT)
		return -ENOTTY;
	r = ext ? copy(pid, &req, g->req_data, sizeof(req), false) :
		  copy(pid, &req.data, g->req_data, sizeof(req.data), false);
	if (r == 0 && ext && req.certs_len < dev->aux_n) {
		req.certs_len = (uint32_t)(dev->aux_n + 4095) & ~4095u;
		g->exitinfo2 = 1ull << 32;
		r = copy(pid, &req, g->req_data, sizeof(req), true);
		if (r == 0) /* FUSE hands nothing back beside an error; the driver does */
			r = copy(pid, g, (uintptr_t)at, sizeof(*g), true);
		return r < 0 ? r : -EIO;
	}
	if (r == 0)
		r = dev->report(dev->arg, req.data.user_data, blob, &n);
	if (r == 0 && n + 32 > sizeof(resp.data))
		r = -EMSGSIZE;
	if (r < 0)
		return r;
	memcpy(resp.data + 4, &(uint32_t){ (uint32_t)n }, 4);
	memcpy(resp.data + 32, blob, n);
	r = copy(pid, &resp, g->resp_data, sizeof(resp), true);
	if (r == 0 && ext && dev->aux_n)
		r = copy(pid, (void *)(uintptr_t)dev->aux, req.certs_address, dev->aux_n, true);
	g->exitinfo2 = 0;
	return r;
}

static int do_ioctl(const char *path, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags, void *data)
{
	static uint8_t blob[DEVICE_BLOB_MAX];
	size_t n = 0;
	int r;

	if (strcmp(path, "/dev/sev-guest") == 0)
		return sev_ioctl(cmd, data, arg);
	if (strcmp(path, "/dev/tdx_guest") == 0 && cmd == (unsigned)TDX_GET_REPORT) {
		struct tdx_request *t = data;

		r = dev->report(dev->arg, t->data, blob, &n);
		if (r == 0)
			memcpy(t->report, blob, n < sizeof(t->report) ? n : sizeof(t->report));
		return r;
	}
	return -ENOTTY;
}

static int truncate_file(const char *path, off_t size, struct fuse_file_info *fi)
{
	return 0;
}

static const struct fuse_operations operations = {
	.getattr = get_attributes, .mkdir = make_folder, .rmdir = remove_folder, .open = open_file,
	.release = release_file, .read = read_file, .write = write_file, .ioctl = do_ioctl, .truncate = truncate_file,
};

int device_fs_serve(const struct device_fs *d, const char *mount)
{
	char name[] = "device_fs", foreground[] = "-f", single[] = "-s";
	char *argv[] = { name, foreground, single, (char *)(uintptr_t)mount, NULL };

	dev = d;
	return fuse_main(4, argv, &operations, NULL);
}

pid_t device_fs_start(const struct device_fs *d, const char *mount)
{
	struct statfs st;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		_exit(device_fs_serve(d, mount));
	}
	for (unsigned i = 0; i < 1000 && pid > 0; i++) {
		if (statfs(mount, &st) == 0 && st.f_type == FUSE_MAGIC)
			return pid;
		if (waitpid(pid, NULL, WNOHANG) != 0)
			break;
		usleep(10000);
	}
	return -1;
}

void device_fs_stop(pid_t pid, const char *mount)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	(void)umount2(mount, MNT_DETACH);
}
