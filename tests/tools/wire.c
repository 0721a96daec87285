/* SPDX-License-Identifier: Apache-2.0 */
/* A long and bad cable, for tests: carries Ethernet frames between two interfaces of the namespace
 * it runs in, each after a delay, drops some by chance and those that are too large.
 *
 *   wire [-d MS] [-j MS] [-l PERCENT] [-m MTU] [-s SEED] INTERFACE INTERFACE
 *
 * Delay, further delay drawn for each frame (which brings some out of order), loss, largest IP
 * packet: all for each way. On SIGUSR1 the cable is cut, on SIGUSR2 mended. Says "ready", and on
 * SIGTERM how many frames of each way went through and how many were lost. Offloads stay as they
 * are: the header that says which checksum the kernel has not made yet travels along
 * (PACKET_VNET_HDR). */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#define FRAME_MAX  70000 /* a frame that the card would have to cut, and its header */
#define VNET_LEN   10	 /* struct virtio_net_hdr */
#define FLIGHT_MAX 8192	 /* frames on their way at a time; more are lost, as in a full queue */

struct frame {
	int64_t due_us;
	size_t len;
	uint8_t *octets;
};

struct way {
	int from, to;
	struct frame flight[FLIGHT_MAX]; /* sorted by due_us */
	size_t count;
	unsigned long carried, lost;
};

struct cable {
	int64_t delay_us, jitter_us;
	double loss;
	size_t mtu;
	uint64_t seed;
	struct way ways[2];
};

static volatile sig_atomic_t over, cut;

static void on_signal(int number)
{
	if (number == SIGTERM || number == SIGINT)
		over = 1;
	else
		cut = number == SIGUSR1;
}

static void fail(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Evenly from 0 to below 1. */
static double draw(struct cable *c)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	c->seed ^= c->seed << 17;
	return (double)(c->seed >> 11) / (double)(UINT64_C(1) << 53);
}

static int open_end(const char *interface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int yes = 1, room = 4 << 20;

	at.sll_ifindex = (int)if_nametoindex(interface);
	if (fd < 0 || !at.sll_ifindex ||
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) != 0 ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		fail(interface);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return fd;
}

static void put(struct cable *c, struct way *w, const uint8_t *octets, size_t len)
{
	struct frame f = {.due_us = now_us() + c->delay_us, .len = len};
	size_t at = w->count;

	if (c->jitter_us)
		f.due_us += (int64_t)(draw(c) * (double)c->jitter_us);
	f.octets = malloc(len);
	if (!f.octets)
		fail("memory");
	memcpy(f.octets, octets, len);
	for (; at > 0 && w->flight[at - 1].due_us > f.due_us; at--)
		w->flight[at] = w->flight[at - 1];
	w->flight[at] = f;
	w->count++;
}

static void take_in(struct cable *c, struct way *w)
{
	static uint8_t octets[FRAME_MAX];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(w->from, octets, sizeof(octets), 0, (struct sockaddr *)&from,
			&from_len)) > VNET_LEN) {
		from_len = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue; /* what we have put there ourselves */
		if (cut || w->count == FLIGHT_MAX || (size_t)n > VNET_LEN + ETH_HLEN + c->mtu ||
			draw(c) < c->loss)
			w->lost++;
		else
			put(c, w, octets, (size_t)n);
	}
}

static void let_out(struct way *w)
{
	int64_t now = now_us();
	size_t n = 0;

	for (; n < w->count && w->flight[n].due_us <= now; n++) {
		if (!cut && write(w->to, w->flight[n].octets, w->flight[n].len) >= 0)
			w->carried++;
		else
			w->lost++;
		free(w->flight[n].octets);
	}
	memmove(w->flight, w->flight + n, (w->count - n) * sizeof(*w->flight));
	w->count -= n;
}

static struct timespec until_due(const struct cable *c)
{
	int64_t wait_us = 1000000, now = now_us();

	for (int i = 0; i < 2; i++)
		if (c->ways[i].count > 0 && c->ways[i].flight[0].due_us - now < wait_us)
			wait_us = c->ways[i].flight[0].due_us - now;
	if (wait_us < 0)
		wait_us = 0;
	return (struct timespec){.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
}

static void carry(struct cable *c)
{
	while (!over) {
		struct pollfd p[2] = {{.fd = c->ways[0].from, .events = POLLIN},
			{.fd = c->ways[1].from, .events = POLLIN}};
		struct timespec wait = until_due(c);

		if (ppoll(p, 2, &wait, NULL) < 0 && errno != EINTR)
			fail("ppoll");
		for (int i = 0; i < 2; i++) {
			take_in(c, &c->ways[i]);
			let_out(&c->ways[i]);
		}
	}
}

static void read_options(int argc, char **argv, struct cable *c)
{
	int option;

	while ((option = getopt(argc, argv, "d:j:l:m:s:")) != -1) {
		double value = option == '?' ? 0 : strtod(optarg, NULL);

		if (option == 'd')
			c->delay_us = (int64_t)(value * 1000);
		else if (option == 'j')
			c->jitter_us = (int64_t)(value * 1000);
		else if (option == 'l')
			c->loss = value / 100;
		else if (option == 'm')
			c->mtu = (size_t)value;
		else if (option == 's')
			c->seed = (uint64_t)value * UINT64_C(0x9e3779b97f4a7c15) + 1;
	}
	if (argc - optind != 2) {
		fputs("usage: wire [-d MS] [-j MS] [-l PERCENT] [-m MTU] [-s SEED] A B\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct cable c = {.mtu = FRAME_MAX, .seed = 88172645463325252u};
	struct sigaction act = {.sa_handler = on_signal};
	const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};

	read_options(argc, argv, &c);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &act, NULL);
	c.ways[0].from = c.ways[1].to = open_end(argv[optind]);
	c.ways[1].from = c.ways[0].to = open_end(argv[optind + 1]);
	puts("ready");
	fflush(stdout);
	carry(&c);
	for (int i = 0; i < 2; i++)
		printf("%s: %lu carried, %lu lost\n", argv[optind + i], c.ways[i].carried,
			c.ways[i].lost);
	return 0;
}
