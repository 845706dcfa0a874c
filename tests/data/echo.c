// Answers with who asks and what: `udp PORT`, or `unix PATH` where the question ends with a half-close.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what) {
  perror(what);
  return 1;
}

static int udp(int port) {
  int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons(port)}, peer;
  if (fd < 0 || bind(fd, (void *)&own, sizeof own)) return fail("bind");
  for (;;) {
    char text[2000], name[INET6_ADDRSTRLEN];
    socklen_t size = sizeof peer;
    ssize_t got = recvfrom(fd, text, 1000, 0, (void *)&peer, &size);
    if (got < 0) return fail("recvfrom");
    inet_ntop(AF_INET6, &peer.sin6_addr, name, sizeof name);
    got += snprintf(text + got, sizeof text - got, " from %s", name);
    sendto(fd, text, got, 0, (void *)&peer, size);
  }
}

static int local(const char *path) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un own = {.sun_family = AF_UNIX};
  strncpy(own.sun_path, path, sizeof own.sun_path - 1);
  if (fd < 0 || bind(fd, (void *)&own, sizeof own) || listen(fd, 9)) return fail("listen");
  for (;;) {
    char text[1000];
    ssize_t got, all = 0;
    int peer = accept(fd, 0, 0);
    if (peer < 0) return fail("accept");
    while ((got = read(peer, text + all, sizeof text - all)) > 0) all += got;
    write(peer, "heard ", 6);
    write(peer, text, all);
    close(peer);
  }
}

int main(int count, char **words) {
  if (count != 3) return 2;
  return strcmp(words[1], "udp") ? local(words[2]) : udp(atoi(words[2]));
}
