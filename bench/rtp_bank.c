/*
 * rtp_bank: the telephones' media. One RTP port per telephone on loopback, 20 ms PCMU packets both
 * ways, RFC 4733 digits, and what each telephone heard of the other one.
 *
 *   rtp_bank ORDERS LIMIT_S DIGIT_AFTER_MS    run until SIGTERM or LIMIT_S; print JSON
 *   rtp_bank --reference                      print the microseconds of CPU one relayed packet costs
 *
 * ORDERS is a FIFO that sipp writes its log lines to:
 *
 *   open caller|agent PORT            bind the port that the SDP will name
 *   start caller|agent PORT REMOTE    talk to 127.0.0.1:REMOTE
 *   stop caller|agent PORT            the call is over: stop talking, stop counting
 *
 * All telephones talk at the same pace, so the order in which they are due never changes: a ring of
 * them, the head sends and goes to the back with 20 ms added to its due time. The program wakes once a
 * millisecond, sends what is due, then reads what came. Reading late does no harm, because the time
 * of arrival is the kernel's (SO_TIMESTAMPNS).
 *
 * Every audio packet begins with a stamp: who sent it, its number, and when. A PBX that relays PCMU leaves
 * the payload alone, so a telephone that finds a stamp knows that it hears the far end and not a
 * prompt, how long the packet took, and which ones never came. Loss is counted from the first packet heard
 * up to 100 ms before the first of the two hung up: what is in flight then is not lost.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { RTP_HEADER = 12, PAYLOAD = 160, TELEPHONE_EVENT = 101, MARKER = 0x80 };
enum { DIGIT = 1, DIGIT_VOLUME = 10, DIGIT_PACKETS = 8, DIGIT_ENDS = 3 };
enum { MAX_PHONES = 2048, READY = 256, BIN_US = 10, BINS = 100000, BAD_GAP_MS = 250 };
static const int64_t MS = 1000000, S = 1000000000, PTIME = 20 * 1000000, IN_FLIGHT = 100 * 1000000;
static const uint32_t MAGIC = 0xb45cd1a1;

typedef struct {
    uint32_t magic, number;
    int64_t sent_ns;
    uint16_t port;
} __attribute__((packed)) Stamp;

typedef enum { CALLER, AGENT } Side;

typedef struct {
    int fd;
    Side side;
    uint16_t port, remote, far; /* far: the telephone at the other end, once heard */
    bool talking, stopped;
    int64_t started_ns, stopped_ns, due_ns;
    uint16_t sequence;
    uint32_t timestamp, number;
    int digit_step;
    uint32_t digit_timestamp;
    uint32_t heard, first, last; /* packets of the far end: how many, the lowest and highest number */
    int64_t last_sent_ns, last_heard_ns, gap_ns;
} Phone;

static Phone phones[MAX_PHONES];
static Phone *by_port[65536];
static Phone *ring[MAX_PHONES];
static uint32_t opened, ring_head, ring_tail;
static uint32_t delays[2][BINS]; /* by the side that heard, in steps of BIN_US */
static int64_t digit_after_ns, late_ns;
static uint32_t send_errors;
static int ready_fd;
static volatile sig_atomic_t ending;

static void end(int signal_number) { (void)signal_number; ending = 1; }

static void fail(const char *what) {
    fprintf(stderr, "rtp_bank: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The kernel stamps arrivals with this clock, so everything here is told by it. */
static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * S + t.tv_nsec;
}

static struct sockaddr_in loopback(uint16_t port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int udp_socket(uint16_t port) {
    struct sockaddr_in here = loopback(port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) < 0) fail("bind an RTP port");
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    return fd;
}

/* ---- talking ---- */

static void write_header(uint8_t *packet, const Phone *phone, uint8_t marker_and_type, uint32_t timestamp) {
    uint16_t sequence = htons(phone->sequence);
    uint32_t time = htonl(timestamp), ssrc = htonl(0xbe0000u | phone->port);
    packet[0] = 2 << 6;
    packet[1] = marker_and_type;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &time, 4);
    memcpy(packet + 8, &ssrc, 4);
}

static size_t audio_packet(uint8_t *packet, Phone *phone) {
    Stamp stamp = {MAGIC, phone->number, now_ns(), phone->port};
    write_header(packet, phone, phone->number ? 0 : MARKER, phone->timestamp);
    /* A slow sawtooth in both signs: something for the recorder to write, nothing to agree with silence. */
    for (int i = 0; i < PAYLOAD; i++) packet[RTP_HEADER + i] = (uint8_t)(0x20 + (i & 0x1f) + ((i & 0x20) << 2));
    memcpy(packet + RTP_HEADER, &stamp, sizeof stamp);
    phone->number++;
    return RTP_HEADER + PAYLOAD;
}

/* RFC 4733 §2.5.1: one timestamp for the whole event, duration growing, the end sent three times. */
static size_t digit_packet(uint8_t *packet, Phone *phone) {
    bool over = phone->digit_step >= DIGIT_PACKETS;
    int lasted = over ? DIGIT_PACKETS : phone->digit_step + 1;
    uint16_t duration = htons((uint16_t)(lasted * PAYLOAD));
    if (phone->digit_step == 0) phone->digit_timestamp = phone->timestamp;
    write_header(packet, phone, TELEPHONE_EVENT | (phone->digit_step ? 0 : MARKER), phone->digit_timestamp);
    packet[RTP_HEADER] = DIGIT;
    packet[RTP_HEADER + 1] = (over ? 0x80 : 0) | DIGIT_VOLUME;
    memcpy(packet + RTP_HEADER + 2, &duration, 2);
    phone->digit_step++;
    return RTP_HEADER + 4;
}

static bool pressing(const Phone *phone) {
    return phone->side == CALLER && digit_after_ns && phone->due_ns >= phone->started_ns + digit_after_ns &&
           phone->digit_step < DIGIT_PACKETS + DIGIT_ENDS;
}

static void talk(Phone *phone) {
    uint8_t packet[RTP_HEADER + PAYLOAD];
    struct sockaddr_in to = loopback(phone->remote);
    size_t size = pressing(phone) ? digit_packet(packet, phone) : audio_packet(packet, phone);
    if (sendto(phone->fd, packet, size, 0, (struct sockaddr *)&to, sizeof to) < 0) send_errors++;
    phone->sequence++;
    phone->timestamp += PAYLOAD;
}

static void to_the_back(Phone *phone) { ring[ring_tail++ % MAX_PHONES] = phone; }

static void send_what_is_due(int64_t now) {
    while (ring_head != ring_tail && ring[ring_head % MAX_PHONES]->due_ns <= now) {
        Phone *phone = ring[ring_head++ % MAX_PHONES];
        if (!phone->talking) continue;
        if (now - phone->due_ns > late_ns) late_ns = now - phone->due_ns;
        talk(phone);
        phone->due_ns += PTIME;
        to_the_back(phone);
    }
}

/* ---- listening ---- */

static int64_t arrival_ns(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(c), sizeof t);
            return t.tv_sec * S + t.tv_nsec;
        }
    return now_ns();
}

static void hear(Phone *phone, const Stamp *stamp, int64_t arrived) {
    int64_t bin = (arrived - stamp->sent_ns) / 1000 / BIN_US;
    delays[phone->side][bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
    if (!phone->heard) {
        phone->far = stamp->port;
        phone->first = phone->last = stamp->number;
    } else if (arrived - phone->last_heard_ns > phone->gap_ns) {
        phone->gap_ns = arrived - phone->last_heard_ns;
    }
    if (stamp->number >= phone->last) {
        phone->last = stamp->number;
        phone->last_sent_ns = stamp->sent_ns;
    }
    phone->last_heard_ns = arrived;
    phone->heard++;
}

static void listen_to(Phone *phone) {
    uint8_t packet[2048], control[128];
    struct iovec part = {packet, sizeof packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(phone->fd, &message, 0);
    Stamp stamp;
    if (size < (ssize_t)(RTP_HEADER + sizeof stamp)) return;
    memcpy(&stamp, packet + RTP_HEADER, sizeof stamp);
    if (stamp.magic == MAGIC) hear(phone, &stamp, arrival_ns(&message));
}

static void read_what_came(void) {
    struct epoll_event events[READY];
    int count;
    while ((count = epoll_wait(ready_fd, events, READY, 0)) > 0)
        for (int i = 0; i < count; i++) listen_to(events[i].data.ptr);
}

/* ---- orders ---- */

static void open_phone(Side side, uint16_t port) {
    if (by_port[port] || opened == MAX_PHONES) return;
    Phone *phone = by_port[port] = &phones[opened++];
    *phone = (Phone){.fd = udp_socket(port), .side = side, .port = port};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = phone};
    if (epoll_ctl(ready_fd, EPOLL_CTL_ADD, phone->fd, &event) < 0) fail("epoll_ctl");
}

static void start_phone(Phone *phone, uint16_t remote) {
    if (phone->talking || phone->stopped) return;
    phone->talking = true;
    phone->remote = remote;
    phone->started_ns = now_ns();
    phone->due_ns = phone->started_ns + PTIME; /* no other phone is due later: the back is its place */
    to_the_back(phone);
}

/* The port stays bound, so that a last packet of the PBX finds somebody: no ICMP in its books. */
static void stop_phone(Phone *phone) {
    if (!phone->talking) return;
    phone->talking = false;
    phone->stopped = true;
    phone->stopped_ns = now_ns();
    epoll_ctl(ready_fd, EPOLL_CTL_DEL, phone->fd, NULL);
}

static void obey(const char *line) {
    char verb[8], who[8];
    unsigned port = 0, remote = 0;
    int words = sscanf(line, "%7s %7s %u %u", verb, who, &port, &remote);
    if (words < 3 || port > 65535 || remote > 65535) return;
    if (!strcmp(verb, "open")) open_phone(!strcmp(who, "agent") ? AGENT : CALLER, (uint16_t)port);
    else if (!by_port[port]) return;
    else if (!strcmp(verb, "start") && words == 4) start_phone(by_port[port], (uint16_t)remote);
    else if (!strcmp(verb, "stop")) stop_phone(by_port[port]);
}

static void read_orders(int fd) {
    static char pending[65536];
    static size_t held;
    ssize_t got = read(fd, pending + held, sizeof pending - held - 1);
    if (got <= 0) return;
    held += (size_t)got;
    pending[held] = 0;
    char *line = pending, *newline;
    for (; (newline = strchr(line, '\n')); line = newline + 1) {
        *newline = 0;
        obey(line);
    }
    held -= (size_t)(line - pending);
    memmove(pending, line, held);
}

/* ---- the account ---- */

static uint32_t lost_at_the_end(const Phone *phone) {
    int64_t until = phone->stopped_ns;
    Phone *far = by_port[phone->far];
    if (far && far->stopped && far->stopped_ns < until) until = far->stopped_ns;
    int64_t unheard = until - IN_FLIGHT - phone->last_sent_ns;
    return unheard > 0 ? (uint32_t)(unheard / PTIME) : 0;
}

static double delay_ms(Side side, double share) {
    uint64_t total = 0, seen = 0;
    for (int bin = 0; bin < BINS; bin++) total += delays[side][bin];
    for (int bin = 0; bin < BINS; bin++)
        if ((seen += delays[side][bin]) && (double)seen >= share * (double)total) return (bin + 1) * BIN_US / 1000.0;
    return -1;
}

static void report_side(Side side) {
    uint32_t streams = 0, silent = 0, bad = 0;
    uint64_t heard = 0, lost = 0;
    int64_t gap = 0;
    for (Phone *phone = phones; phone < phones + opened; phone++) {
        if (phone->side != side || !phone->started_ns) continue;
        streams++;
        if (!phone->heard) {
            silent++, bad++;
            continue;
        }
        int64_t between = (int64_t)phone->last - phone->first + 1 - phone->heard;
        uint64_t missing = (uint64_t)(between > 0 ? between : 0) + lost_at_the_end(phone);
        bad += (missing > 3 && missing * 100 > phone->heard) || phone->gap_ns > BAD_GAP_MS * MS;
        heard += phone->heard;
        lost += missing;
        if (phone->gap_ns > gap) gap = phone->gap_ns;
    }
    printf("{\"streams\": %u, \"silent\": %u, \"bad\": %u, \"heard\": %lu, \"lost\": %lu, \"longest_gap_ms\": %.1f, "
           "\"delay_p50_ms\": %.2f, \"delay_p99_ms\": %.2f, \"delay_max_ms\": %.2f}",
           streams, silent, bad, heard, lost, (double)gap / MS, delay_ms(side, 0.5), delay_ms(side, 0.99), delay_ms(side, 1));
}

static void report(void) {
    double call_seconds = 0;
    for (Phone *phone = phones; phone < phones + opened; phone++) {
        stop_phone(phone);
        if (phone->side == CALLER && phone->started_ns) call_seconds += (double)(phone->stopped_ns - phone->started_ns) / S;
    }
    printf("{\"call_seconds\": %.2f, \"latest_send_ms\": %.1f, \"send_errors\": %u, \"to_agent\": ", call_seconds,
           (double)late_ns / MS, send_errors);
    report_side(AGENT);
    printf(", \"to_caller\": ");
    report_side(CALLER);
    printf("}\n");
}

/* ---- the machine's yardstick ---- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void hop(int from, int to, uint8_t *packet) {
    struct sockaddr_in there;
    socklen_t size = sizeof there;
    if (getsockname(to, (struct sockaddr *)&there, &size) < 0) fail("getsockname");
    if (sendto(from, packet, RTP_HEADER + PAYLOAD, 0, (struct sockaddr *)&there, size) < 0) fail("sendto");
    if (recv(to, packet, RTP_HEADER + PAYLOAD, 0) < 0) fail("recv");
}

/* Sender, relay and sink in one thread: two hops a packet; the median of nine rounds. */
static void reference(void) {
    enum { ROUNDS = 9, PACKETS = 10000 };
    int sender = udp_socket(0), relay = udp_socket(0), sink = udp_socket(0);
    uint8_t packet[RTP_HEADER + PAYLOAD] = {0};
    double us[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        struct timespec before, after;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        for (int i = 0; i < PACKETS; i++) {
            hop(sender, relay, packet);
            hop(relay, sink, packet);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        us[round] = ((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) / 1e3 / PACKETS;
    }
    qsort(us, ROUNDS, sizeof us[0], ascending);
    printf("%.3f\n", us[ROUNDS / 2]);
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "--reference")) return reference(), 0;
    if (argc != 4) return fprintf(stderr, "usage: rtp_bank ORDERS LIMIT_S DIGIT_AFTER_MS | --reference\n"), 2;
    int orders = open(argv[1], O_RDWR | O_NONBLOCK); /* read and write: a FIFO that never ends */
    int64_t limit_ns = now_ns() + atoll(argv[2]) * S;
    digit_after_ns = atoll(argv[3]) * MS;
    ready_fd = epoll_create1(0);
    int tick = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec each_ms = {{0, MS}, {0, MS}};
    if (orders < 0 || ready_fd < 0 || tick < 0 || timerfd_settime(tick, 0, &each_ms, NULL) < 0) fail("set up");
    struct sigaction on_end = {.sa_handler = end};
    sigaction(SIGTERM, &on_end, NULL);
    sigaction(SIGINT, &on_end, NULL);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* a socket for each telephone */
    setrlimit(RLIMIT_NOFILE, &files);
    setpriority(PRIO_PROCESS, 0, -10); /* where allowed: a late packet should be the PBX's doing */
    puts("ready");
    fflush(stdout);
    while (!ending && now_ns() < limit_ns) {
        uint64_t expirations;
        if (read(tick, &expirations, sizeof expirations) < 0 && errno != EINTR) fail("timer");
        read_orders(orders);
        send_what_is_due(now_ns());
        read_what_came();
    }
    report();
    return 0;
}
