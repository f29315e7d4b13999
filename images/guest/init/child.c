/* From a request to a running process, its descriptors in our hands. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <grp.h>

#include "init.h"

/* What the child tells us when it cannot become the command; execve(2) closes the pipe, and nothing is said. */
struct trouble {
	int error;
	char what[8];
};

static _Noreturn void give_up(int report, const char *what)
{
	struct trouble trouble = {.error = errno};

	strncpy(trouble.what, what, sizeof trouble.what - 1);
	if (write(report, &trouble, sizeof trouble) < 0)
		_exit(126);
	_exit(127);
}

static const char *lookup(char **environment, const char *name)
{
	size_t length = strlen(name);

	for (; *environment != NULL; environment++)
		if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

/* As execvpe(3), but with the PATH of the new environment, and a file that is no program is not handed to a shell. */
static void execute(char **arguments, char **environment)
{
	char path[4096];
	int error = ENOENT;
	const char *places = lookup(environment, "PATH");

	if (strchr(arguments[0], '/') != NULL || places == NULL || arguments[0][0] == '\0') {
		execve(arguments[0], arguments, environment);
		return;
	}
	for (size_t length; *places != '\0'; places += length + (places[length] == ':')) {
		length = strcspn(places, ":");
		int n = snprintf(path, sizeof path, "%.*s/%s", (int)length, places, arguments[0]);
		if (n < 0 || (size_t)n >= sizeof path)
			continue;
		execve(path, arguments, environment);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
	}
	errno = error;
}

/* HOME is the user's own unless the host gave one, and TERM says that there is a terminal; as docker-run(1) does. */
static char **with_defaults(const struct request *request, const struct user *user)
{
	static char home[300];
	size_t count = 0;

	while (request->environment[count] != NULL)
		count++;
	char **environment = calloc(count + 3, sizeof *environment);
	if (environment == NULL)
		return request->environment;
	memcpy(environment, request->environment, count * sizeof *environment);
	snprintf(home, sizeof home, "HOME=%s", user->home);
	if (lookup(request->environment, "HOME") == NULL)
		environment[count++] = home;
	if (request->terminal && lookup(request->environment, "TERM") == NULL)
		environment[count++] = "TERM=xterm";
	return environment;
}

static void enter(const char *directory, int report)
{
	if (chdir(directory) == 0)
		return;
	if (errno == ENOENT)
		make_directories(directory);
	if (chdir(directory) < 0)
		give_up(report, "cwd");
}

static void become(const struct user *user, int report)
{
	if (setgroups((size_t)user->group_count, user->groups) < 0 || setgid(user->gid) < 0 || setuid(user->uid) < 0)
		give_up(report, "user");
}

static _Noreturn void run(const struct request *request, int standard[3], int report)
{
	struct user user;
	sigset_t none;

	setsid();
	if (request->terminal && ioctl(standard[0], TIOCSCTTY, 0) < 0)
		give_up(report, "tty");
	for (int i = 0; i < 3; i++)
		if (dup2(standard[i], i) < 0)
			give_up(report, "stdio");
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!user_find(request->user, &user))
		give_up(report, "user");
	if (request->terminal && fchown(0, user.uid, (gid_t)-1) < 0)
		give_up(report, "tty");
	enter(request->directory, report); /* first, and as root: the directory may have to be made */
	become(&user, report);
	execute(request->arguments, with_defaults(request, &user));
	give_up(report, "exec");
}

static bool make_pipe(int *read_end, int *write_end)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	*read_end = ends[0];
	*write_end = ends[1];
	return true;
}

static bool open_pipes(const struct request *request, struct child *child, int standard[3])
{
	if (!request->input)
		standard[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	else if (!make_pipe(&standard[0], &child->input))
		return false;
	return standard[0] >= 0 && make_pipe(&child->output, &standard[1]) && make_pipe(&child->error, &standard[2]);
}

static bool open_terminal(const struct request *request, struct child *child, int standard[3])
{
	struct winsize size = {.ws_row = request->rows, .ws_col = request->columns};
	int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int unlock = 0;

	child->input = child->output = master;
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return false;
	standard[0] = standard[1] = standard[2] = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return standard[0] >= 0 && ioctl(master, TIOCSWINSZ, &size) == 0;
}

static void close_all(int *descriptors, int count)
{
	for (int i = 0; i < count; i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
}

static void abandon(struct child *child, const char *why, const char **what)
{
	int error = errno;

	close_all((int[]){child->input, child->output == child->input ? -1 : child->output, child->error}, 3);
	*what = why;
	errno = error;
}

/* Waits until the child has become the command, or says why it cannot; that is a moment, and bounded by execve(2). */
static bool became(int report, struct trouble *trouble)
{
	ssize_t n;

	do
		n = read(report, trouble, sizeof *trouble);
	while (n < 0 && errno == EINTR);
	return n == 0;
}

bool child_start(const struct request *request, struct child *child, const char **what)
{
	static struct trouble trouble;
	int standard[3] = {-1, -1, -1}, report, reporting;

	*child = (struct child){-1, -1, -1, -1};
	if (!(request->terminal ? open_terminal : open_pipes)(request, child, standard)) {
		close_all(standard, request->terminal ? 1 : 3);
		abandon(child, "stdio", what);
		return false;
	}
	if (!make_pipe(&report, &reporting))
		fail_errno("cannot make", "a pipe");
	child->pid = limits_fork();
	if (child->pid == 0)
		run(request, standard, reporting);
	close(reporting);
	close_all(standard, request->terminal ? 1 : 3);
	trouble = (struct trouble){errno, "fork"};
	bool started = child->pid > 0 && became(report, &trouble);
	close(report);
	if (!started) {
		errno = trouble.error;
		abandon(child, trouble.what, what);
		return false;
	}
	int descriptors[] = {child->input, child->output, child->error};
	for (int i = 0; i < 3; i++)
		if (descriptors[i] >= 0)
			fcntl(descriptors[i], F_SETFL, O_NONBLOCK);
	return true;
}
