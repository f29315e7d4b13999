/* Frames in and out of a non-blocking port, in bounded memory. */
#include "frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

static char out[8 * CHUNK];
static size_t out_start, out_end;

static struct header in_header;
static size_t in_have; /* bytes of the header and payload that have come */
static char *in_payload;

bool frames_have_room(size_t length)
{
	return sizeof out - (out_end - out_start) >= sizeof(struct header) + length;
}

void frames_send(uint32_t type, uint32_t stream, const void *payload, size_t length)
{
	struct header header = {type, stream, (uint32_t)length};

	if (!frames_have_room(length))
		fail("the buffer of frames overflows");
	if (sizeof out - out_end < sizeof header + length) {
		memmove(out, out + out_start, out_end - out_start);
		out_end -= out_start;
		out_start = 0;
	}
	memcpy(out + out_end, &header, sizeof header);
	if (length > 0)
		memcpy(out + out_end + sizeof header, payload, length);
	out_end += sizeof header + length;
}

bool frames_pending(void)
{
	return out_start < out_end;
}

void frames_flush(int port)
{
	while (frames_pending()) {
		ssize_t n = write(port, out + out_start, out_end - out_start);
		if (n < 0)
			return; /* EAGAIN; that the host has gone is seen by poll(2) */
		out_start += (size_t)n;
	}
	out_start = out_end = 0;
}

/* Where the next bytes go and how many fit there: first the header, then a payload of the length that it gives. */
static char *wanted(size_t *length)
{
	if (in_have < sizeof in_header) {
		*length = sizeof in_header - in_have;
		return (char *)&in_header + in_have;
	}
	if (in_payload == NULL) {
		if (in_header.length > LARGEST)
			fail("the host sent a frame that is too long");
		in_payload = malloc(in_header.length + 1);
		if (in_payload == NULL)
			fail("no memory for a frame");
	}
	*length = sizeof in_header + in_header.length - in_have;
	return in_payload + (in_have - sizeof in_header);
}

void frames_receive(int port, frame_handler *handle)
{
	size_t length;

	/* One frame at a time, and only while its answer has room: what is not read here waits with the host. */
	while (frames_have_room(CHUNK)) {
		char *place = wanted(&length);
		if (length > 0) {
			ssize_t n = read(port, place, length);
			if (n <= 0)
				return;
			in_have += (size_t)n;
			continue;
		}
		in_payload[in_header.length] = '\0';
		handle(&in_header, in_payload);
		free(in_payload);
		in_payload = NULL;
		in_have = 0;
	}
}
