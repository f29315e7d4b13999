/* The loopback device and eth0, by the ioctls of netdevice(7). The address is the host's choice: no DHCP, no waiting. */
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init.h"

static int control_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail_errno("cannot open", "a socket");
	return fd;
}

static void bring_up(int fd, const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail_errno("cannot bring up", name);
}

static void set_address(int fd, unsigned long what, const char *name, struct in_addr address)
{
	struct ifreq request = {0};
	struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr = address};

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	memcpy(&request.ifr_addr, &inet, sizeof inet);
	if (ioctl(fd, what, &request) < 0)
		fail_errno("cannot set the address of", name);
}

static struct in_addr parse(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		fail("the host gave a malformed address");
	return address;
}

static void set_default_route(int fd, const char *gateway)
{
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = parse(gateway)};
	struct sockaddr_in any = {.sin_family = AF_INET};

	memcpy(&route.rt_gateway, &to, sizeof to);
	memcpy(&route.rt_dst, &any, sizeof any);
	memcpy(&route.rt_genmask, &any, sizeof any);
	if (ioctl(fd, SIOCADDRT, &route) < 0)
		fail_errno("cannot set the route to", gateway);
}

void network_loopback(void)
{
	int fd = control_socket();

	bring_up(fd, "lo");
	close(fd);
}

size_t network_describe(char *text, size_t size)
{
	char driver[128], mac[32];

	ssize_t length = readlink("/sys/class/net/eth0/device/driver", driver, sizeof driver - 1);
	if (length < 0)
		return 0;
	driver[length] = '\0';
	const char *name = strrchr(driver, '/') == NULL ? driver : strrchr(driver, '/') + 1;
	read_file("/sys/class/net/eth0/address", mac, sizeof mac);
	mac[strcspn(mac, "\n")] = '\0';
	int written = snprintf(text, size, "network_driver=%s%cnetwork_mac=%s", name, 0, mac);
	return written < 0 || (size_t)written >= size ? 0 : (size_t)written + 1;
}

void network_up(const char *address, const char *gateway, const char *mtu)
{
	char text[32] = "";
	int fd = control_socket();

	strncpy(text, address, sizeof text - 1);
	char *slash = strchr(text, '/');
	int prefix = slash == NULL ? 32 : atoi(slash + 1);
	if (slash != NULL)
		*slash = '\0';
	struct in_addr mask = {.s_addr = prefix <= 0 ? 0 : htonl(~0u << (32 - prefix))};

	devices_wait_for("/sys/class/net/eth0");
	if (mtu != NULL) {
		struct ifreq request = {.ifr_name = "eth0", .ifr_mtu = atoi(mtu)};
		if (ioctl(fd, SIOCSIFMTU, &request) < 0)
			fail_errno("cannot set the MTU of", "eth0");
	}
	set_address(fd, SIOCSIFADDR, "eth0", parse(text));
	set_address(fd, SIOCSIFNETMASK, "eth0", mask);
	bring_up(fd, "eth0");
	if (gateway != NULL)
		set_default_route(fd, gateway);
	close(fd);
}
