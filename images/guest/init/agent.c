/*
 * Obeys the host: starts commands, carries their input and output, and reports their ends.
 *
 * Nothing is kept in unbounded memory. Output is read from a command only while the port takes it, so a command that
 * writes faster than the host reads is stopped by its own full pipe; input is asked for in credits.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frames.h"
#include "init.h"

#define MOST_TASKS 128

struct task {
	uint32_t stream; /* 0: free */
	struct child child;
	char *input; /* bytes on their way to the command: at most STDIN_WINDOW */
	size_t input_length;
	bool input_ended;
	bool terminal;
	bool ended;
	int status;             /* of wait(2), once it has ended */
	unsigned long oom_kills; /* in the whole guest, when it started */
};

static struct task tasks[MOST_TASKS];
static int port;

static struct task *find_task(uint32_t stream)
{
	for (int i = 0; i < MOST_TASKS; i++)
		if (tasks[i].stream == stream)
			return &tasks[i];
	return NULL;
}

static void send_failure(uint32_t stream, int error, const char *what)
{
	char payload[64];
	size_t length = strlen(what);

	memcpy(payload, &error, sizeof error);
	memcpy(payload + sizeof error, what, length);
	frames_send(FAILED, stream, payload, sizeof error + length);
}

static void run(uint32_t stream, char *text, size_t length)
{
	struct request request;
	const char *what = "request";
	struct task *task = find_task(0);

	errno = EAGAIN;
	if (task == NULL || stream == 0) {
		send_failure(stream, errno, "tasks");
		return;
	}
	*task = (struct task){.oom_kills = limits_oom_kills()};
	bool read = request_read(text, length, &request);
	if (!read)
		errno = EINVAL;
	if (read && child_start(&request, &task->child, &what)) {
		task->stream = stream;
		task->terminal = request.terminal;
		frames_send(STARTED, stream, NULL, 0);
	} else {
		send_failure(stream, errno, what);
	}
	request_free(&request);
}

/* Input */

static void close_input(struct task *task)
{
	/* The end of a terminal's input is a character, and its one descriptor is still needed for the output. */
	if (task->terminal && task->child.input >= 0) {
		if (write(task->child.input, "\004", 1) < 0)
			complain("cannot end", "the input");
	} else if (task->child.input >= 0) {
		close(task->child.input);
	}
	task->child.input = -1;
	task->input_length = 0;
}

static void take_input(struct task *task, const char *bytes, size_t length)
{
	if (length == 0) {
		task->input_ended = true;
		return;
	}
	if (task->input == NULL)
		task->input = malloc(STDIN_WINDOW);
	if (task->input == NULL || task->input_length + length > STDIN_WINDOW)
		fail("the host sent more input than it had credit for");
	memcpy(task->input + task->input_length, bytes, length);
	task->input_length += length;
}

static void pass_input(struct task *task)
{
	uint32_t passed;

	if (task->input_length > 0 && task->child.input >= 0) {
		ssize_t n = write(task->child.input, task->input, task->input_length);
		if (n < 0 && errno == EAGAIN)
			return;
		/* A command that has closed its input loses the rest, and the host is not kept waiting. */
		passed = n < 0 ? (uint32_t)task->input_length : (uint32_t)n;
		memmove(task->input, task->input + passed, task->input_length - passed);
		task->input_length -= passed;
		frames_send(CREDIT, task->stream, &passed, sizeof passed);
	} else if (task->input_length > 0) {
		passed = (uint32_t)task->input_length;
		task->input_length = 0;
		frames_send(CREDIT, task->stream, &passed, sizeof passed);
	}
	if (task->input_ended && task->input_length == 0 && task->child.input >= 0)
		close_input(task);
}

/*
 * Output, a piece at a time, so that no task starves the others; all that is left once the task has ended.
 * Returns whether there may be more. What somebody left behind by the task might still write is not waited for.
 */
static bool pass_output(struct task *task, int *fd, uint32_t type)
{
	static char bytes[CHUNK];
	ssize_t n = 1;

	if (*fd < 0)
		return false;
	for (bool once = true; n > 0 && frames_have_room(CHUNK) && (once || task->ended); once = false) {
		n = read(*fd, bytes, sizeof bytes);
		if (n > 0)
			frames_send(type, task->stream, bytes, (size_t)n);
	}
	if (n > 0)
		return true;
	if (n < 0 && errno == EAGAIN)
		return !task->ended;
	if (task->terminal)
		task->child.input = -1;
	close(*fd);
	*fd = -1;
	return false;
}

/* Ends */

static void report_end(struct task *task)
{
	bool signaled = WIFSIGNALED(task->status);
	int32_t code = signaled ? -1 : WEXITSTATUS(task->status);
	int32_t number = signaled ? WTERMSIG(task->status) : 0;
	/* Killed itself, or a shell that says that what it waited for was. */
	bool killed = number == SIGKILL || code == 128 + SIGKILL;
	int32_t end[3] = {code, number, killed && limits_oom_kills() > task->oom_kills};

	frames_send(EXIT, task->stream, end, sizeof end);
	if (!task->terminal && task->child.input >= 0)
		close(task->child.input);
	if (task->child.output >= 0)
		close(task->child.output);
	if (task->child.error >= 0)
		close(task->child.error);
	free(task->input);
	*task = (struct task){0};
}

static bool others_left(void)
{
	for (int i = 0; i < MOST_TASKS; i++)
		if (tasks[i].stream != 0 && tasks[i].stream != MAIN_STREAM)
			return true;
	return false;
}

static void reap(void)
{
	int status;

	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		for (int i = 0; i < MOST_TASKS; i++)
			if (tasks[i].stream != 0 && tasks[i].child.pid == pid) {
				tasks[i].ended = true;
				tasks[i].status = status;
				if (tasks[i].stream == MAIN_STREAM)
					kill(-1, SIGKILL); /* as when the first process of a pid namespace ends */
			}
}

static void serve(struct task *task)
{
	if (task->stream == 0 || !frames_have_room(2 * CHUNK))
		return;
	pass_input(task);
	bool more = pass_output(task, &task->child.output, STDOUT);
	more = pass_output(task, &task->child.error, STDERR) || more;
	if (task->ended && !more && !(task->stream == MAIN_STREAM && others_left()))
		report_end(task);
}

/* The workload comes last, and so does its end: the host takes the guest down when it hears of it. */
static void serve_all(void)
{
	struct task *workload = NULL;

	for (struct task *task = tasks; task < tasks + MOST_TASKS; task++)
		if (task->stream == MAIN_STREAM)
			workload = task;
		else
			serve(task);
	if (workload != NULL)
		serve(workload);
}

/* What the host says */

static void signal_task(struct task *task, const char *payload, size_t length)
{
	int32_t number;

	if (length != sizeof number || task->ended)
		return;
	memcpy(&number, payload, sizeof number);
	kill(task->child.pid, number);
}

static void resize(struct task *task, const char *payload, size_t length)
{
	struct winsize size = {0};
	uint16_t rows_columns[2];

	if (length != sizeof rows_columns || !task->terminal || task->child.output < 0)
		return;
	memcpy(rows_columns, payload, sizeof rows_columns);
	size.ws_row = rows_columns[0];
	size.ws_col = rows_columns[1];
	ioctl(task->child.output, TIOCSWINSZ, &size);
}

static void obey(const struct header *header, char *payload)
{
	struct task *task = header->stream == 0 ? NULL : find_task(header->stream);
	uint32_t count;
	char network[256];

	switch (header->type) {
	case CONFIGURE:
		configure(payload, header->length);
		frames_send(CONFIGURED, 0, network, network_describe(network, sizeof network));
		frames_flush(port); /* before the RUN that may be waiting: the host times what lies between */
		break;
	case RUN:
		run(header->stream, payload, header->length);
		break;
	case STDIN:
		if (task != NULL)
			take_input(task, payload, header->length);
		break;
	case SIGNAL:
		if (task != NULL)
			signal_task(task, payload, header->length);
		break;
	case WINSIZE:
		if (task != NULL)
			resize(task, payload, header->length);
		break;
	case USAGE:
		count = limits_tasks();
		frames_send(USAGE_REPLY, header->stream, &count, sizeof count);
		break;
	case POWEROFF:
		power_off();
	default:
		fail("the host sent a frame of an unknown type");
	}
}

/* The loop */

static int watch_children(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fail_errno("cannot watch", "children");
	return fd;
}

static nfds_t watch_tasks(struct pollfd *watched)
{
	nfds_t count = 0;
	bool room = frames_have_room(2 * CHUNK);

	for (struct task *task = tasks; room && task < tasks + MOST_TASKS; task++) {
		if (task->stream == 0)
			continue;
		if (task->child.output >= 0)
			watched[count++] = (struct pollfd){.fd = task->child.output, .events = POLLIN};
		if (task->child.error >= 0)
			watched[count++] = (struct pollfd){.fd = task->child.error, .events = POLLIN};
		if (task->child.input >= 0 && task->input_length > 0)
			watched[count++] = (struct pollfd){.fd = task->child.input, .events = POLLOUT};
	}
	return count;
}

void agent(int control_port)
{
	static struct pollfd watched[2 + 3 * MOST_TASKS];
	struct signalfd_siginfo event;
	int children = watch_children();

	port = control_port;
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		serve_all();
		frames_flush(port);
		watched[0] = (struct pollfd){.fd = port, .events = POLLIN | (frames_pending() ? POLLOUT : 0)};
		watched[1] = (struct pollfd){.fd = children, .events = POLLIN};
		if (poll(watched, 2 + watch_tasks(watched + 2), -1) < 0 && errno != EINTR)
			fail_errno("cannot wait for", "events");
		if (watched[0].revents & POLLHUP)
			power_off(); /* nobody is left who could want anything of this guest */
		if (watched[0].revents & POLLIN)
			frames_receive(port, obey);
		if (watched[1].revents & POLLIN && read(children, &event, sizeof event) > 0)
			reap();
	}
}
