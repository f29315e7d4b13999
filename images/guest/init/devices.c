/* Waiting for devices, by the kernel's own announcements (kobject uevents, netlink(7)), never by looking again and again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init.h"

#define PATIENCE_MS 60000 /* for a device that the machine is known to have */

static int events = -1;

void devices_watch(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};

	events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	if (events < 0 || bind(events, (struct sockaddr *)&address, sizeof address) < 0)
		fail_errno("cannot watch", "devices");
}

static void wait_for_event(const char *what)
{
	struct pollfd ready = {.fd = events, .events = POLLIN};
	char event[8192];

	if (poll(&ready, 1, PATIENCE_MS) <= 0)
		fail_errno("waited in vain for", what);
	recv(events, event, sizeof event, 0); /* whatever it says: the caller looks again */
}

void devices_wait_for(const char *path)
{
	while (access(path, F_OK) < 0)
		wait_for_event(path);
}

/* The /dev name of the virtio-serial port that the host called `name`; the name comes after the port itself. */
static bool find_port(const char *name, char *device, size_t size)
{
	char path[300], text[128];
	bool found = false;
	DIR *ports = opendir("/sys/class/virtio-ports");

	if (ports == NULL)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(ports)) != NULL;) {
		snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
		if (entry->d_name[0] == '.' || read_file(path, text, sizeof text) <= 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		found = strcmp(text, name) == 0;
		snprintf(device, size, "/dev/%s", entry->d_name);
	}
	closedir(ports);
	return found;
}

int devices_open_port(const char *name)
{
	char device[300];

	while (!find_port(name, device, sizeof device))
		wait_for_event(name);
	int port = open(device, O_RDWR | O_CLOEXEC);
	if (port < 0)
		fail_errno("cannot open", device);
	close(events);
	return port;
}
