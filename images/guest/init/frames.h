/*
 * What the host and the guest say to each other over the virtio-serial port `org.isoscope.control`.
 * isoscope/backends/vm/protocol.py is the other end; keep the two alike.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame is this header, little-endian, and `length` bytes. `stream` names a task: its run, its output, its end. */
struct header {
	uint32_t type;
	uint32_t stream;
	uint32_t length;
};

enum {
	/* From the host. Texts are a row of "key=value", each ended by a NUL. */
	CONFIGURE = 1, /* text: hostname, address, ... see configure.c; once, and first */
	RUN = 2,       /* text: arg, env, cwd, user, stdin, tty, rows, cols; see request.c */
	STDIN = 3,     /* bytes for the task's standard input, never more than it has credit for; none: end of file */
	SIGNAL = 4,    /* int32 number */
	USAGE = 5,     /* asks for a USAGE_REPLY */
	WINSIZE = 6,   /* uint16 rows, uint16 columns of the task's terminal */
	POWEROFF = 7,

	/* From the guest. */
	HELLO = 16,       /* text: what the guest is */
	CONFIGURED = 17,  /* everything is up; the next RUN is obeyed at once */
	STARTED = 18,     /* execve(2) succeeded */
	FAILED = 19,      /* int32 errno, then the name of what failed: exec, cwd, user, ... */
	STDOUT = 20,      /* bytes */
	STDERR = 21,      /* bytes */
	EXIT = 22,        /* int32 code, int32 signal, int32 killed for want of memory; all output has been sent before */
	CREDIT = 23,      /* uint32 bytes of standard input that the task has taken */
	USAGE_REPLY = 24, /* uint32 tasks of the workload */
};

#define MAIN_STREAM 1       /* the workload itself; every other stream is an exec */
#define STDIN_WINDOW 65536u /* bytes of standard input that may be on the way to one task */
#define CHUNK 32768u        /* most bytes in one STDOUT or STDERR frame; virtio_console takes no more at a time */
#define LARGEST 4194304u    /* most bytes in any frame: arguments and environment have to fit execve(2)'s limits */

/* Frames on their way out wait in a buffer of fixed size: whoever has something to say asks for room first. */
bool frames_have_room(size_t length);
void frames_send(uint32_t type, uint32_t stream, const void *payload, size_t length);
bool frames_pending(void);
void frames_flush(int port);

/* Reads what has come; calls `handle` for each whole frame. The payload is followed by a NUL that is not counted. */
typedef void frame_handler(const struct header *, char *payload);
void frames_receive(int port, frame_handler *handle);

#endif
