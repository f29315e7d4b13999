/*
 * account COMMAND...
 *
 * Runs a command, and says how long it took and which CPU time this kernel put down for it and what it started
 * (getrusage(2)). The first line is out before the command begins, and the last when it has been waited for.
 * Ends with the command's own status, as a shell does.
 */
#include "program.h"

#include <sys/resource.h>
#include <sys/wait.h>

static uint64_t nanoseconds(struct timeval value)
{
	return (uint64_t)value.tv_sec * 1000000000 + (uint64_t)value.tv_usec * 1000;
}

static void become(char **command)
{
	execvp(command[0], command);
	dprintf(STDERR_FILENO, "%s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

int main(int argc, char **argv)
{
	struct rusage used;
	uint64_t began;
	pid_t child;
	int status;

	if (argc < 2) {
		dprintf(STDERR_FILENO, "usage: account COMMAND...\n");
		return 2;
	}
	say("{\"begin\":\"account\"}\n");
	began = now_ns();
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		become(argv + 1);
	if (wait4(child, &status, 0, &used) != child)
		die("wait4");
	say("{\"account\":{\"ns\":%llu,\"user\":%llu,\"system\":%llu,\"minor_faults\":%ld,\"major_faults\":%ld,"
	    "\"voluntary\":%ld,\"involuntary\":%ld}}\n",
	    (unsigned long long)(now_ns() - began), (unsigned long long)nanoseconds(used.ru_utime),
	    (unsigned long long)nanoseconds(used.ru_stime), used.ru_minflt, used.ru_majflt, used.ru_nvcsw, used.ru_nivcsw);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
