/* The serial console: where the guest speaks when the control port is not there yet. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "init.h"

void say(const char *message)
{
	dprintf(STDERR_FILENO, "isoscope-init: %s\n", message);
}

void complain(const char *what, const char *name)
{
	dprintf(STDERR_FILENO, "isoscope-init: %s %s: %s\n", what, name, strerror(errno));
}

void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	_exit(1); /* and the kernel panics, which ends the machine too */
}

void fail(const char *message)
{
	say(message);
	power_off();
}

void fail_errno(const char *what, const char *name)
{
	complain(what, name);
	power_off();
}
