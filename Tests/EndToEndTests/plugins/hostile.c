/* A plugin that tries what no plugin may, once in its constructor and once in each call, and answers with the names of
   what it managed. Compiled with CONFIGURATION, STATE, COPIES and KEY_FILE as the paths of the host's. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "provider_abi.h"

static const prv_host *host;
static char managed[16384];
static int attempts;

/* Notes an attempt, and that it succeeded when `result` is not negative. */
static void tried(const char *name, long result) {
  attempts++;
  if (result < 0) return;
  strncat(managed, name, sizeof managed - strlen(managed) - 1);
  strncat(managed, "; ", sizeof managed - strlen(managed) - 1);
}

static long reads(const char *path) {
  int descriptor = open(path, O_RDONLY);
  if (descriptor < 0) return -1;
  char byte;
  long count = read(descriptor, &byte, 1);
  close(descriptor);
  return count;
}

static void read_path(const char *path) { tried(path, reads(path)); }

static long lists(const char *path) {
  DIR *directory = opendir(path);
  if (!directory) return -1;
  closedir(directory);
  return 0;
}

static void of_host(const char *what) {
  char path[256];
  snprintf(path, sizeof path, "/proc/%d/%s", getppid(), what);
  char name[64];
  snprintf(name, sizeof name, "read /proc/HOST/%s", what);
  tried(name, reads(path));
}

static void look_at_host(void) {
  const char *files[] = {"environ", "mem", "maps", "cmdline", "status", "auxv", "fd/3", "root/etc/passwd", "cwd/x"};
  for (unsigned index = 0; index < sizeof files / sizeof *files; index++) of_host(files[index]);
  char path[256], target[256];
  snprintf(path, sizeof path, "/proc/%d/fd", getppid());
  tried("list /proc/HOST/fd", lists(path));
  snprintf(path, sizeof path, "/proc/%d/fd/3", getppid());
  tried("readlink /proc/HOST/fd/3", readlink(path, target, sizeof target));
  snprintf(path, sizeof path, "/proc/%d/exe", getppid());
  tried("readlink /proc/HOST/exe", readlink(path, target, sizeof target));
  static char memory[64];
  struct iovec own = {memory, sizeof memory}, other = {(void *)managed, sizeof memory};
  tried("process_vm_readv", process_vm_readv(getppid(), &own, 1, &other, 1, 0));
  tried("process_vm_writev", process_vm_writev(getppid(), &own, 1, &other, 1, 0));
  tried("ptrace attach", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
  tried("ptrace seize", ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
  tried("kill HOST 0", kill(getppid(), 0));
  tried("kill HOST USR1", kill(getppid(), SIGUSR1));
  tried("tgkill HOST", syscall(SYS_tgkill, getppid(), getppid(), 0));
  tried("setpriority HOST", setpriority(PRIO_PROCESS, (id_t)getppid(), 19));
  tried("pidfd_open", syscall(434, getppid(), 0));
  tried("prlimit HOST", syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, memory));
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(0, &cores);
  tried("sched_setaffinity HOST", sched_setaffinity(getppid(), sizeof cores, &cores));
}

static void look_at_files(void) {
  read_path(CONFIGURATION);
  read_path(STATE "/quarantine.json");
  read_path(STATE "/secret");
  read_path("/etc/passwd");
  read_path("/etc/shadow");
  read_path("/etc/hostname");
  read_path("/proc/self/environ");
  read_path("/proc/self/mem");
  read_path("/proc/self/maps");
  read_path("/proc/version");
  read_path("/sys/kernel/uevent_seqnum");
  tried("list state", lists(STATE));
  tried("list copies", lists(COPIES));
  tried("list /", lists("/"));
  tried("list /tmp", lists("/tmp"));
  tried("list /proc", lists("/proc"));
  tried("list /root", lists("/root"));
  read_path(OTHER_COPY);
}

static void change_files(void) {
  const char *places[] = {"/tmp/hostile", "hostile", STATE "/hostile", "/dev/shm/hostile", "/var/tmp/hostile",
                          "/run/hostile"};
  for (unsigned index = 0; index < sizeof places / sizeof *places; index++) {
    char name[300];
    snprintf(name, sizeof name, "create %s", places[index]);
    tried(name, open(places[index], O_WRONLY | O_CREAT, 0600));
    snprintf(name, sizeof name, "mkdir %s", places[index]);
    tried(name, mkdir(places[index], 0700));
    snprintf(name, sizeof name, "symlink %s", places[index]);
    tried(name, symlink("x", places[index]));
    snprintf(name, sizeof name, "mkfifo %s", places[index]);
    tried(name, mkfifo(places[index], 0600));
  }
  const char *files[] = {CONFIGURATION, OWN_COPY, OTHER_COPY, STATE "/secret"};
  for (unsigned index = 0; index < sizeof files / sizeof *files; index++) {
    const char *path = files[index];
    char name[600];
#define TRY(what, call)                                                                                                \
  snprintf(name, sizeof name, "%s %s", what, path);                                                                    \
  tried(name, call)
    TRY("open for writing", open(path, O_WRONLY));
    TRY("open for both", open(path, O_RDWR));
    TRY("open to truncate", open(path, O_RDONLY | O_TRUNC));
    TRY("truncate", truncate(path, 0));
    TRY("chmod", chmod(path, 0777));
    TRY("chown", chown(path, getuid(), getgid()));
    TRY("unlink", unlink(path));
    TRY("rename", rename(path, "/tmp/hostile"));
    TRY("link", link(path, "/tmp/hostile"));
    TRY("utimensat", utimensat(AT_FDCWD, path, NULL, 0));
    TRY("setxattr", syscall(SYS_setxattr, path, "user.x", "x", 1, 0));
  }
  tried("open tmpfile", open("/tmp", O_TMPFILE | O_RDWR, 0600));
  int own = open(OWN_COPY, O_RDONLY);
  tried("fchmod its copy", own < 0 ? -1 : fchmod(own, 0777));
  tried("map its copy for writing",
        own < 0 ? -1 : (long)syscall(SYS_mmap, NULL, 4096, 2 /* PROT_WRITE */, 1 /* MAP_SHARED */, own, 0) == -1 ? -1 : 0);
}

static void reach_out(void) {
  int domains[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET, 40 /* AF_VSOCK */, 38 /* AF_ALG */};
  for (unsigned index = 0; index < sizeof domains / sizeof *domains; index++) {
    char name[64];
    snprintf(name, sizeof name, "socket of domain %d", domains[index]);
    tried(name, socket(domains[index], SOCK_STREAM, 0));
    snprintf(name, sizeof name, "datagram socket of domain %d", domains[index]);
    tried(name, socket(domains[index], SOCK_DGRAM, 0));
    snprintf(name, sizeof name, "raw socket of domain %d", domains[index]);
    tried(name, socket(domains[index], SOCK_RAW, 0));
  }
  int pair[2];
  tried("datagram pair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
    struct sockaddr_un control = {.sun_family = AF_UNIX};
    strncpy(control.sun_path, STATE "/control.sock", sizeof control.sun_path - 1);
    tried("connect to the control socket", connect(pair[0], (struct sockaddr *)&control, sizeof control));
    tried("bind", bind(pair[0], (struct sockaddr *)&control, sizeof control));
    tried("listen", listen(pair[0], 1));
  }
}

static void be_many(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  tried("fork", child);
  char *words[] = {"/bin/true", NULL}, *none[] = {NULL};
  tried("execve", execve("/bin/true", words, none));
  tried("execveat", syscall(SYS_execveat, AT_FDCWD, "/bin/true", words, none, 0));
  long copy = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (copy == 0) _exit(0);
  tried("clone", copy);
  struct { uint64_t words[11]; } arguments = {{0}};
  arguments.words[4] = SIGCHLD;
  long third = syscall(435, &arguments, sizeof arguments);
  if (third == 0) _exit(0);
  tried("clone3", third);
  tried("unshare user", unshare(CLONE_NEWUSER));
  tried("unshare mount", unshare(CLONE_NEWNS));
  tried("setsid", setsid());
}

static void bother_kernel(void) {
  char room[256] = {0};
  /* Should one of these succeed after all, it must do no harm beyond the test's own folder. */
  tried("mount", mount("none", STATE, "tmpfs", 0, NULL));
  tried("umount", umount2(STATE, 0));
  tried("chroot", chroot("/"));
  tried("bpf", syscall(SYS_bpf, 0, room, sizeof room));
  tried("io_uring_setup", syscall(425, 1, room));
  tried("perf_event_open", syscall(SYS_perf_event_open, room, 0, -1, -1, 0));
  tried("userfaultfd", syscall(SYS_userfaultfd, 0));
  tried("keyctl", syscall(SYS_keyctl, 0, -3, 1));
  tried("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
  tried("shmget", shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
  tried("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
  gethostname(room, sizeof room);
  tried("sethostname", sethostname(room, strlen(room)));
  tried("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, room, 0));
  tried("personality", syscall(SYS_personality, 0x0040000));
  tried("stay when the host dies", prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
  tried("be dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  tried("raise the address space",
        setrlimit(RLIMIT_AS, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
  tried("setuid", setuid(geteuid() == 0 ? 1234 : 0));
  tried("own the host's signals", fcntl(3, F_SETOWN, getppid()));
}

/* What a descriptor of the host's would look like: more than its own few. */
static void look_at_descriptors(void) {
  for (int descriptor = 0; descriptor < 1024; descriptor++) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) continue;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) tried("a file of the host's is open", 0);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    if (S_ISSOCK(status.st_mode) && getsockname(descriptor, (struct sockaddr *)&peer, &length) == 0
        && (peer.sin_family == AF_INET || peer.sin_family == AF_INET6))
      tried("a socket of the host's is open", 0);
  }
}

static void look_at_environment(void) {
  extern char **environ;
  for (char **variable = environ; *variable; variable++) {
    if (strncmp(*variable, "PATH=", 5) && strncmp(*variable, "LANG=", 5) && strncmp(*variable, "TZ=", 3)
        && strncmp(*variable, "SWIFT_BACKTRACE=", 16))
      tried(*variable, 0);
  }
}

static void try_all(void) {
  look_at_environment();
  look_at_descriptors();
  look_at_host();
  look_at_files();
  change_files();
  reach_out();
  be_many();
  bother_kernel();
}

/* While it is only looked at, too. */
__attribute__((constructor)) static void at_load(void) { try_all(); }

static void say(prv_call call, uint32_t kind, prv_str text) {
  prv_event event = {.size = sizeof event, .kind = kind};
  if (kind == PRV_EVENT_FINISH) event.name = text;
  else event.text = text;
  host->emit(host->ctx, call, &event);
}

static int32_t call_open(void *self, const prv_call_request *request, prv_call call, void **context, prv_sink error) {
  (void)self, (void)request, (void)error;
  *context = NULL;
  try_all();
  char text[17000];
  snprintf(text, sizeof text, "tried %d, managed: %s", attempts, managed);
  say(call, PRV_EVENT_TEXT, (prv_str){text, strlen(text)});
  say(call, PRV_EVENT_FINISH, (prv_str)PRV_LITERAL("stop"));
  prv_done end = {.size = sizeof end, .status = PRV_OK};
  host->done(host->ctx, call, &end);
  return PRV_OK;
}

static void call_cancel(void *self, void *context, uint32_t reason) { (void)self, (void)context, (void)reason; }
static void call_close(void *self, void *context) { (void)self, (void)context; }
static void destroy(void *self) { (void)self; }

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *given, prv_str config,
                      prv_provider *instance, prv_sink error) {
  (void)plugin, (void)id, (void)config, (void)error;
  host = given;
  instance->call_open = call_open;
  instance->call_cancel = call_cancel;
  instance->call_close = call_close;
  instance->destroy = destroy;
  return PRV_OK;
}

static const prv_provider_desc providers[] = {
  {.size = sizeof(prv_provider_desc), .id = PRV_LITERAL("hostile"), .capabilities = PRV_CAN_CHAT,
   .display_name = PRV_LITERAL("Hostile"), .models_json = PRV_LITERAL("[{\"id\":\"hostile\"}]")}};
static const prv_plugin plugin = {
  .size = sizeof(prv_plugin), .id = PRV_LITERAL("org.example.hostile"), .version = PRV_LITERAL("1.0.0"),
  .providers = providers, .provider_count = 1, .provider_stride = sizeof(prv_provider_desc), .create = create};

PRV_EXPORT int32_t prv_plugin_entry_v1(const prv_handshake *handshake, prv_reply *reply) {
  (void)handshake;
  reply->plugin = &plugin;
  return PRV_OK;
}
