/*
 * Process 1 of a guest that is booted for the sake of booting: it ends the machine, or stays, and runs nothing.
 *
 * What is written to the port is the machine's end at once: QEMU's isa-debug-exit, https://www.qemu.org/docs/master/.
 * The kernel's way to power a machine off would be timed otherwise.
 */
#include <stdlib.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <unistd.h>

#define PORT 0xf4
#define DONE 0x2a /* QEMU ends with the status DONE * 2 + 1, which is none of its own */

int main(void)
{
	/* Words of the kernel's command line that it does not know are in its first process's environment. */
	if (getenv("isoscope_stays") != NULL) {
		static const char up[] = "up\n";

		if (write(STDOUT_FILENO, up, sizeof up - 1) > 0)
			for (;;)
				pause();
	} else if (ioperm(PORT, sizeof(int), 1) == 0) {
		outl(DONE, PORT);
	}
	reboot(RB_POWER_OFF); /* with a status that says that something went wrong */
	return 1;
}
