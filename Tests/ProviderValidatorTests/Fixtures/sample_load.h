/* What happens when the sample is mapped, and what its file looks like. */

#ifdef BREAK_EXPORT
PRV_EXPORT int sample_helper(void) { return 1; }
#endif

#ifdef BREAK_TLS
static __thread volatile char storage[600] __attribute__((tls_model("initial-exec")));
#endif

#ifdef BREAK_TEXTREL
static int anchor __attribute__((used));
__asm__(".text\n.balign 8\n.quad anchor\n");
#endif

#ifdef BREAK_UNDEFINED
extern int nobody_defines_this(void);
int (*const sample_reference)(void) __attribute__((used)) = nobody_defines_this;
#endif

#ifdef BREAK_NEEDED
extern int from_another_library(void);
int (*const sample_reference)(void) __attribute__((used)) = from_another_library;
#endif

__attribute__((constructor)) static void loaded(void) {
#ifdef BREAK_TLS
  storage[0] = 1;
#endif
#ifdef BREAK_LOAD_CRASH
  abort();
#endif
#ifdef BREAK_LOAD_TIME
  spend_milliseconds(40);
#endif
#ifdef BREAK_LOAD_THREAD
  start_a_thread();
#endif
#ifdef BREAK_LOAD_DESCRIPTOR
  open("/dev/null", O_RDONLY | O_CLOEXEC);
#endif
#ifdef BREAK_LOAD_CLOSE
  close(0);
#endif
#ifdef BREAK_LOAD_ENVIRONMENT
  setenv("SAMPLE_WAS_HERE", "1", 1);
#endif
#ifdef BREAK_LOAD_SIGNAL
  signal(SIGUSR1, SIG_IGN);
#endif
#ifdef BREAK_LOAD_PRINT
  printf("sample loaded\n");
#endif
#ifdef BREAK_LOAD_SOCKET
  close(socket(AF_INET, SOCK_STREAM, 0));
#endif
#ifdef BREAK_LOAD_TWICE
  /* It believes that there is only one of it. */
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[4096];
  int copies = 0;
  while (fgets(line, sizeof line, maps)) copies += strstr(line, "r-xp") && strstr(line, "broken");
  fclose(maps);
  if (copies > 1) abort();
#endif
}
