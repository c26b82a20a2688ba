// C that Swift's Glibc module lacks, and typed wrappers for variadic calls. Every function is a plain system call.
#ifndef PATCHBAY_CLINUX_H
#define PATCHBAY_CLINUX_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <signal.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include "clinux_curl.h"
#include "clinux_openssl.h"
#include "clinux_sandbox.h"
#include "clinux_watch.h"

static inline int clinux_fcntl_int(int fd, int command, int argument) { return fcntl(fd, command, argument); }

static inline int clinux_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }

static inline int clinux_openat(int directory, const char *path, int flags, unsigned mode) {
  return openat(directory, path, flags, mode);
}

// GNU extensions are declared here, not unlocked with _GNU_SOURCE: that macro would give system structs other field
// names than Swift's Glibc module has, and the two modules would clash.
int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
int pipe2(int descriptors[2], int flags);
int dup3(int from, int to, int flags);
int mallopt(int parameter, int value);
int malloc_trim(size_t pad);
enum { CLINUX_M_TRIM_THRESHOLD = -1, CLINUX_M_TOP_PAD = -2 };  // malloc.h
int pthread_setname_np(unsigned long thread, const char *name);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
enum { CLINUX_POSIX_SPAWN_SETSID = 0x80 };  // spawn.h

// The cores this process may run on (taskset, cpusets); 0: the kernel does not say.
static inline int clinux_usable_cores(void) {
  unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
  long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  int cores = 0;
  for (long word = 0; word < bytes / (long)sizeof(unsigned long); word++) cores += __builtin_popcountl(mask[word]);
  return cores;
}

// A file in memory, closed when another program is executed; negative: errno says why.
static inline int clinux_memfd(const char *name) { return (int)syscall(SYS_memfd_create, name, 1u /* CLOEXEC */); }

static inline int clinux_prctl(int option, unsigned long argument) { return prctl(option, argument, 0, 0, 0); }

#endif
