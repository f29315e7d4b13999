/*
 * Process 1 of every guest. It brings the guest up, tells the host what the guest is, and then does as it is told.
 *
 * What it says on the serial console first is how the host knows that the kernel has done its part.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "frames.h"
#include "init.h"

#define ROOT_DISK "/dev/vda"
#define CONTROL_PORT "org.isoscope.control"

static size_t append(char *text, size_t have, size_t size, const char *key, const char *value)
{
	int n = snprintf(text + have, size - have, "%s=%.*s", key, (int)strcspn(value, "\n"), value);
	return n < 0 || have + (size_t)n + 1 >= size ? have : have + (size_t)n + 1;
}

/* Sent while the port still blocks: until the host's end is known to be open, it looks like one that was hung up. */
static void introduce(int port)
{
	char text[1024], value[128];
	struct utsname name;
	size_t length = 0;

	uname(&name);
	length = append(text, length, sizeof text, "kernel", name.release);
	length = append(text, length, sizeof text, "kernel_version", name.version);
	read_file("/proc/sys/kernel/random/boot_id", value, sizeof value);
	length = append(text, length, sizeof text, "boot_id", value);
	read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", value, sizeof value);
	length = append(text, length, sizeof text, "clocksource", value);
	snprintf(value, sizeof value, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	length = append(text, length, sizeof text, "cpus", value);
	frames_send(HELLO, 0, text, length);
	frames_flush(port);
	fcntl(port, F_SETFL, O_NONBLOCK);
}

int main(void)
{
	say("running");
	mount_early();
	devices_watch();
	modules_open();
	modules_load("boot");
	/* Words of the kernel's command line that it does not know are in its first process's environment. */
	const char *host = getenv("isoscope_host_root");
	if (host != NULL) {
		modules_load("host");
		mount_host_root(host);
	} else {
		mount_disk_root(ROOT_DISK);
	}
	switch_root();
	mount_late();
	int port = devices_open_port(CONTROL_PORT);
	introduce(port);
	agent(port);
}
