#include "clinux_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Declared here: unistd.h has it only with _GNU_SOURCE.
long syscall(long number, ...);

// ---- Descriptors ---------------------------------------------------------------------------------------------------

int clinux_close_from(unsigned first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, ~0u, 0) == 0) return 0;
#endif
  long limit = sysconf(_SC_OPEN_MAX);
  for (long descriptor = first; descriptor < limit && descriptor < 1 << 20; descriptor++) close((int)descriptor);
  return 0;
}

int clinux_pidfd_open(int pid) {
  long descriptor = syscall(SYS_pidfd_open, pid, 0);  // Closed on exec by itself.
  return descriptor < 0 ? -errno : (int)descriptor;
}

// ---- Capabilities --------------------------------------------------------------------------------------------------

int clinux_drop_capabilities(void) {
  for (unsigned long capability = 0; capability < 64; capability++) {
    // Needs CAP_SETPCAP; without it the bounding set matters to nobody, as no program can be run.
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  return syscall(SYS_capset, &head, none) == 0 ? 0 : errno;
}

// ---- Landlock ------------------------------------------------------------------------------------------------------

// linux/landlock.h of the machine that builds may be older than the kernel that runs; these are of later versions.
enum {
  ACCESS_READ_FILE = 1 << 2,
  ACCESS_READ_DIR = 1 << 3,
  ACCESS_VERSION_1 = (1 << 13) - 1,
  ACCESS_REFER = 1 << 13,
  ACCESS_TRUNCATE = 1 << 14,
  ACCESS_IOCTL_DEV = 1 << 15,
  NET_BIND_AND_CONNECT_TCP = 3,
  SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3,
};

struct ruleset {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

int clinux_landlock_version(void) {
  long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : (int)version;
}

static int allow_reading(int ruleset, const char *path) {
  int target = open(path, O_RDONLY | O_CLOEXEC | 010000000 /* O_PATH */);
  if (target < 0) return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : errno;
  struct landlock_path_beneath_attr rule = {
    .allowed_access = ACCESS_READ_FILE | ACCESS_READ_DIR, .parent_fd = target};
  long status = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  if (status != 0 && errno == EINVAL) {
    // A file has no entries to list.
    rule.allowed_access = ACCESS_READ_FILE;
    status = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  int error = status == 0 ? 0 : errno;
  close(target);
  return error;
}

int clinux_landlock_read_only(const char *const *paths, unsigned count) {
  int version = clinux_landlock_version();
  if (version < 1) return ENOSYS;
  struct ruleset rules = {.handled_access_fs = ACCESS_VERSION_1};
  size_t size = sizeof rules.handled_access_fs;
  if (version >= 2) rules.handled_access_fs |= ACCESS_REFER;
  if (version >= 3) rules.handled_access_fs |= ACCESS_TRUNCATE;
  if (version >= 4) {
    rules.handled_access_net = NET_BIND_AND_CONNECT_TCP;
    size = offsetof(struct ruleset, scoped);
  }
  if (version >= 5) rules.handled_access_fs |= ACCESS_IOCTL_DEV;
  if (version >= 6) {
    rules.scoped = SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS;
    size = sizeof rules;
  }
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
  if (ruleset < 0) return errno;
  int error = 0;
  for (unsigned index = 0; index < count && error == 0; index++) error = allow_reading(ruleset, paths[index]);
  if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) error = errno;
  close(ruleset);
  return error;
}

// ---- System calls --------------------------------------------------------------------------------------------------

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// Refused whatever their arguments.
static const int refused[] = {
  // Other processes.
  SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_tkill, SYS_pidfd_open,
  SYS_pidfd_send_signal, SYS_migrate_pages, SYS_move_pages, SYS_get_robust_list, SYS_setpriority,
  SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr, SYS_sched_setaffinity, SYS_ioprio_set, SYS_setpgid,
  SYS_setsid, 438 /* pidfd_getfd */, 440 /* process_madvise */, 448 /* process_mrelease */,
  // Programs and processes of its own.
  SYS_execve, SYS_execveat, SYS_unshare, SYS_setns,
#ifdef SYS_fork
  SYS_fork, SYS_vfork,
#endif
  // Sockets, but for socketpair. What is in `socketpair` and `sendto` is looked at below.
  SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
  // Changes of files. Opening for writing is looked at below.
  SYS_fchmod, SYS_fchmodat, 452 /* fchmodat2 */, SYS_fchown, SYS_fchownat, SYS_unlinkat, SYS_renameat2, SYS_mkdirat,
  SYS_linkat, SYS_symlinkat, SYS_mknodat, SYS_truncate, SYS_utimensat, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr,
  SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_name_to_handle_at, SYS_open_by_handle_at,
  SYS_fanotify_init, SYS_inotify_init1, SYS_chroot, SYS_chdir, SYS_fchdir,
#ifdef SYS_renameat
  SYS_renameat,
#endif
#ifdef SYS_open
  SYS_chmod, SYS_chown, SYS_lchown, SYS_unlink, SYS_rename, SYS_mkdir, SYS_rmdir, SYS_link, SYS_symlink, SYS_mknod,
  SYS_utime, SYS_utimes, SYS_futimesat, SYS_creat, SYS_inotify_init,
#endif
  // Mounts.
  SYS_mount, SYS_umount2, SYS_pivot_root, 428 /* open_tree */, 429 /* move_mount */, 430 /* fsopen */,
  431 /* fsconfig */, 432 /* fsmount */, 433 /* fspick */, 442 /* mount_setattr */,
  // Memory and queues that processes share by name.
  SYS_shmget, SYS_shmat, SYS_shmctl, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_semget, SYS_semop, SYS_semctl,
  SYS_mq_open, SYS_mq_unlink,
  // The kernel.
  SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_kexec_load,
  SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot, SYS_swapon, SYS_swapoff,
  SYS_acct, SYS_quotactl, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname,
  SYS_setdomainname, SYS_syslog, SYS_personality, SYS_vhangup, 425 /* io_uring_setup */, 426 /* io_uring_enter */,
  427 /* io_uring_register */,
#ifdef SYS_iopl
  SYS_iopl, SYS_ioperm,
#endif
};

enum { REFUSED_COUNT = sizeof refused / sizeof refused[0], PROGRAM_LIMIT = 512 };

struct program {
  struct sock_filter code[PROGRAM_LIMIT];
  unsigned short length;
};

static void emit(struct program *program, struct sock_filter instruction) {
  if (program->length < PROGRAM_LIMIT) program->code[program->length++] = instruction;
}

static void answer(struct program *program, uint32_t value) {
  emit(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
}

static void load(struct program *program, size_t offset) {
  emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define ARGUMENT(index) (offsetof(struct seccomp_data, args) + 8 * (index))  // The low half, on little-endian machines.

// Passes over the next `count` instructions unless the number of the call is `number`.
static void only_for(struct program *program, int number, uint8_t count) {
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, count));
}

// Refuses `number` when any bit of `bits` is set in an argument.
static void refuse_bits(struct program *program, int number, int argument, uint32_t bits) {
  only_for(program, number, 4);
  load(program, ARGUMENT(argument));
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
  answer(program, REFUSE);
  answer(program, SECCOMP_RET_ALLOW);
}

// Allows `number` only when an argument is `value`.
static void require_value(struct program *program, int number, int argument, uint32_t value) {
  only_for(program, number, 4);
  load(program, ARGUMENT(argument));
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
  answer(program, REFUSE);
  answer(program, SECCOMP_RET_ALLOW);
}

// Refuses `number` when an argument is `value`; other rules for the same number may follow.
static void refuse_value(struct program *program, int number, int argument, uint32_t value) {
  only_for(program, number, 4);
  load(program, ARGUMENT(argument));
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
  answer(program, REFUSE);
  load(program, offsetof(struct seccomp_data, nr));
}

static void build(struct program *program) {
  const uint32_t write_flags = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
  const uint32_t pid = (uint32_t)getpid();
  load(program, offsetof(struct seccomp_data, arch));
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0));
  answer(program, SECCOMP_RET_KILL_PROCESS);
  load(program, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
  // The x32 numbering of the same architecture would pass by the numbers below.
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1));
  answer(program, SECCOMP_RET_KILL_PROCESS);
#endif
  for (int index = 0; index < REFUSED_COUNT; index++) {
    only_for(program, refused[index], 1);
    answer(program, REFUSE);
  }
  // The C library falls back to clone and openat, whose flags can be seen.
  only_for(program, 435 /* clone3 */, 1);
  answer(program, SECCOMP_RET_ERRNO | ENOSYS);
  only_for(program, 437 /* openat2 */, 1);
  answer(program, SECCOMP_RET_ERRNO | ENOSYS);
  // A thread, and nothing else.
  only_for(program, SYS_clone, 4);
  load(program, ARGUMENT(0));
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x10000 /* CLONE_THREAD */, 1, 0));
  answer(program, REFUSE);
  answer(program, SECCOMP_RET_ALLOW);
#ifdef SYS_open
  refuse_bits(program, SYS_open, 1, write_flags);
#endif
  refuse_bits(program, SYS_openat, 2, write_flags);
  require_value(program, SYS_kill, 0, pid);
  require_value(program, SYS_tgkill, 0, pid);
  require_value(program, SYS_rt_sigqueueinfo, 0, pid);
  require_value(program, SYS_rt_tgsigqueueinfo, 0, pid);
  require_value(program, SYS_prlimit64, 0, 0);
  // A datagram socket of a pair could be sent elsewhere by address, or connected.
  only_for(program, SYS_socketpair, 5);
  load(program, ARGUMENT(1));
  emit(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xFF));
  emit(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 1, 0));
  answer(program, REFUSE);
  answer(program, SECCOMP_RET_ALLOW);
  refuse_value(program, SYS_prctl, 0, PR_SET_PDEATHSIG);
  refuse_value(program, SYS_prctl, 0, PR_SET_DUMPABLE);
  // Signals to others by way of a descriptor.
  refuse_value(program, SYS_fcntl, 1, 8 /* F_SETOWN */);
  refuse_value(program, SYS_fcntl, 1, 15 /* F_SETOWN_EX */);
  refuse_value(program, SYS_ioctl, 1, 0x8901 /* FIOSETOWN */);
  refuse_value(program, SYS_ioctl, 1, 0x8902 /* SIOCSPGRP */);
  refuse_value(program, SYS_ioctl, 1, 0x5412 /* TIOCSTI */);
  answer(program, SECCOMP_RET_ALLOW);
}

int clinux_refuse_system_calls(void) {
  struct program program = {.length = 0};
  build(&program);
  if (program.length >= PROGRAM_LIMIT) return E2BIG;
  struct sock_fprog filter = {.len = program.length, .filter = program.code};
  // Of all threads: there is one, unless a library of the host's own made another.
  long status = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  return status == 0 ? 0 : status > 0 ? EBUSY : errno;
}
