/*
 * rr serve tcp|udp PORT REQUEST RESPONSE
 * rr ask tcp|udp ADDRESS PORT REQUEST RESPONSE MILLISECONDS
 *
 * Requests and responses of different sizes, one at a time, as netperf's TCP_RR and UDP_RR have them: the client sends the
 * next request when the whole response to the last is there. A server serves one client. Datagrams may be lost: what is
 * not answered within a second is asked again and counted.
 */
#include "program.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define MOST 65000

static char buffer[MOST];

static int is_udp(const char *protocol)
{
	if (strcmp(protocol, "udp") && strcmp(protocol, "tcp")) {
		dprintf(STDERR_FILENO, "%s is neither tcp nor udp\n", protocol);
		exit(2);
	}
	return *protocol == 'u';
}

static int open_socket(int udp)
{
	int one = 1, fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
		die("socket");
	return fd;
}

static void no_delay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
		die("TCP_NODELAY");
}

/* Whether all of it came; 0 at the end of the stream. */
static int read_whole(int fd, size_t size)
{
	for (size_t got = 0; got < size;) {
		ssize_t more = read(fd, buffer + got, size - got);

		if (more < 0)
			die("read");
		if (!more)
			return 0;
		got += (size_t)more;
	}
	return 1;
}

static void write_whole(int fd, size_t size)
{
	if (write(fd, buffer, size) != (ssize_t)size)
		die("write");
}

static void serve(int udp, uint16_t port, size_t request, size_t response)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)}, client;
	socklen_t length = sizeof client;
	int fd = open_socket(udp), connection;

	if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0 || (!udp && listen(fd, 1) < 0))
		die("bind");
	say("{\"begin\":\"rr\"}\n");
	if (udp)
		for (;;) {
			length = sizeof client;
			if (recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&client, &length) != (ssize_t)request)
				continue;
			if (sendto(fd, buffer, response, 0, (struct sockaddr *)&client, length) < 0)
				die("sendto");
		}
	connection = accept4(fd, (struct sockaddr *)&client, &length, SOCK_CLOEXEC);
	if (connection < 0)
		die("accept");
	no_delay(connection);
	while (read_whole(connection, request))
		write_whole(connection, response);
}

/* One datagram and its answer. Returns how often it was lost. */
static uint64_t ask_datagram(int fd, size_t request, size_t response)
{
	for (uint64_t lost = 0;; lost++) {
		write_whole(fd, request);
		for (;;) {
			ssize_t got = read(fd, buffer, sizeof buffer);

			if (got == (ssize_t)response)
				return lost;
			if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
				break;
			if (got < 0)
				die("read");
		}
	}
}

static void ask(int udp, const char *address, uint16_t port, size_t request, size_t response, uint64_t span)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {.tv_sec = 1};
	uint64_t began, transactions = 0, lost = 0, took;
	int fd = open_socket(udp);

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		dprintf(STDERR_FILENO, "%s is no address\n", address);
		exit(2);
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		die("connect");
	if (udp && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
		die("SO_RCVTIMEO");
	if (!udp)
		no_delay(fd);
	began = now_ns();
	do {
		if (udp) {
			lost += ask_datagram(fd, request, response);
		} else {
			write_whole(fd, request);
			if (!read_whole(fd, response)) {
				dprintf(STDERR_FILENO, "the server is gone\n");
				exit(1);
			}
		}
		transactions++;
		took = now_ns() - began;
	} while (took < span);
	say("{\"transactions\":%llu,\"lost\":%llu,\"ns\":%llu}\n", (unsigned long long)transactions,
	    (unsigned long long)lost, (unsigned long long)took);
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "serve")) {
		serve(is_udp(argv[2]), (uint16_t)number(argv[3], 65535), number(argv[4], MOST), number(argv[5], MOST));
		return 0;
	}
	if (argc == 8 && !strcmp(argv[1], "ask")) {
		ask(is_udp(argv[2]), argv[3], (uint16_t)number(argv[4], 65535), number(argv[5], MOST), number(argv[6], MOST),
		    number(argv[7], DAY_MS) * 1000000);
		return 0;
	}
	dprintf(STDERR_FILENO, "usage: rr serve tcp|udp PORT REQUEST RESPONSE\n"
			       "       rr ask tcp|udp ADDRESS PORT REQUEST RESPONSE MILLISECONDS\n");
	return 2;
}
