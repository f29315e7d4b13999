/* What the host decided about this guest. Everything here happens once, after the root is there and before any task. */
#include <string.h>
#include <unistd.h>

#include "init.h"

const char *next_text(const char *at, const char *end, const char *key)
{
	size_t length = strlen(key);

	for (; at < end; at += strlen(at) + 1)
		if (strncmp(at, key, length) == 0 && at[length] == '=')
			return at + length + 1;
	return NULL;
}

/* "TAG:ro:file:TARGET"; or "rw", or "directory". */
static void share(char *text)
{
	char *target = text;
	const char *tag = strsep(&target, ":");
	const char *mode = strsep(&target, ":");
	const char *kind = strsep(&target, ":");

	if (target == NULL || target[0] != '/')
		fail("the host named a share badly");
	mount_shared(tag, target, strcmp(mode, "ro") == 0, strcmp(kind, "file") == 0);
}

static void write_or_complain(const char *path, const char *text)
{
	if (text != NULL && !write_file(path, text))
		complain("cannot write", path);
}

void configure(char *text, size_t length)
{
	const char *end = text + length;
	const char *hostname = next_text(text, end, "hostname");
	const char *address = next_text(text, end, "address");

	if (hostname != NULL && sethostname(hostname, strlen(hostname)) < 0)
		complain("cannot set the host name", hostname);
	write_or_complain("/etc/hostname", next_text(text, end, "etc_hostname"));
	write_or_complain("/etc/hosts", next_text(text, end, "etc_hosts"));
	write_or_complain("/etc/resolv.conf", next_text(text, end, "etc_resolv_conf"));
	limits_make(next_text(text, end, "pids"), next_text(text, end, "cpu_max"));
	network_loopback();
	if (address != NULL) {
		modules_load("net");
		network_up(address, next_text(text, end, "gateway"), next_text(text, end, "mtu"));
	}
	const char *tag = next_text(text, end, "share");
	if (tag != NULL)
		modules_load("share");
	while (tag != NULL) {
		char *one = (char *)tag;
		tag = next_text(tag + strlen(tag) + 1, end, "share"); /* before the text is cut to pieces */
		share(one);
	}
}
