/* Everything that the host asks to run lives in one cgroup, so that it can be limited and counted. */
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

#define GROUP "/sys/fs/cgroup/workload"

static void must_write(const char *path, const char *text)
{
	if (!write_file(path, text))
		fail_errno("cannot write", path);
}

void limits_make(const char *pids, const char *cpu_max)
{
	must_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpu +pids");
	if (mkdir(GROUP, 0755) < 0)
		fail_errno("cannot make", GROUP);
	if (pids != NULL)
		must_write(GROUP "/pids.max", pids);
	if (cpu_max != NULL)
		must_write(GROUP "/cpu.max", cpu_max);
}

/* A child that is born in the group: moving one there afterwards waits for RCU, which takes tens of milliseconds. */
pid_t limits_fork(void)
{
	static int group = -1;

	if (group < 0)
		group = open(GROUP, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct clone_args arguments = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)group,
	};
	return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

uint32_t limits_tasks(void)
{
	char text[32];

	read_file(GROUP "/pids.current", text, sizeof text);
	return (uint32_t)strtoul(text, NULL, 10);
}

unsigned long limits_oom_kills(void)
{
	static char text[16384];
	read_file("/proc/vmstat", text, sizeof text);
	const char *line = strstr(text, "\noom_kill ");
	return line == NULL ? 0 : strtoul(line + strlen("\noom_kill "), NULL, 10);
}
