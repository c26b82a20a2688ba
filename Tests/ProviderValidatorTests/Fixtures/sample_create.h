/* The sample's factory. */

#ifdef BREAK_TABLE_CHANGES
static void change_table(void);
#endif

static int is_id(prv_str id) {
#ifdef BREAK_UNKNOWN_ID
  return 1;
#elif defined(BREAK_LONG_ID)
  return id.len >= strlen(PROVIDER) && memcmp(id.ptr, PROVIDER, strlen(PROVIDER)) == 0;
#else
  return id.len == strlen(PROVIDER) && memcmp(id.ptr, PROVIDER, id.len) == 0;
#endif
}

/* The text of the value of a member, as far as a plugin without nested settings needs it; NULL: there is none. */
static const char *value_of(const char *text, const char *member) {
  const char *found = strstr(text, member);
  return found ? found + strlen(member) : NULL;
}

/* NULL: the settings are good. */
static const char *fault_of(const char *text) {
  const char *limit = value_of(text, "\"limit\":");
  if (limit) {
    char *end;
    long number = strtol(limit, &end, 10);
    if (end == limit || (*end != ',' && *end != '}')) return "limit must be a whole number";
#ifdef BREAK_ALLOWED_SETTING
    if (number < 1 || number > 9) return "limit must be from 1 to 10";
#elif defined(BREAK_FORBIDDEN_SETTING)
    if (number < 1) return "limit must be from 1 to 10";
#elif defined(BREAK_UNNAMED_SETTING)
    if (number < 1 || number > 10) return "that is wrong";
#else
    if (number < 1 || number > 10) return "limit must be from 1 to 10";
#endif
  }
  const char *mode = value_of(text, "\"mode\":");
  if (mode && strncmp(mode, "\"fast\"", 6) != 0 && strncmp(mode, "\"slow\"", 6) != 0)
    return "mode must be \"fast\" or \"slow\"";
  return NULL;
}

static const char *read_settings(prv_str config) {
#ifdef BREAK_MALFORMED
  if (config.len == 0 || config.ptr[0] != '{') abort();
#endif
  if (config.len < 2 || config.ptr[0] != '{' || config.ptr[config.len - 1] != '}')
    return "the settings are no JSON object";
  char *text = malloc(config.len + 1);
  memcpy(text, config.ptr, config.len);
  text[config.len] = 0;
  const char *fault = fault_of(text);
  free(text);
  return fault;
}

static const void *service(const prv_host *host, prv_str id) { return host->get_service(host->ctx, id); }

#ifdef BREAK_LATE_CALL
static void log_late(void *self) {
  const prv_host *host = self;
  const prv_log_v1 *log = service(host, TEXT("prv.log/1"));
  log->write(host->ctx, 0, PRV_LOG_INFO, TEXT("still here"), NULL, 0);
}
#endif

static __thread int thread_mark;

static void destroy(void *self) {
  sample *this = self;
#ifdef BREAK_UNSTARTED
  *this->started = 0;
#endif
#ifdef BREAK_THREAD_BOUND
  if (this->thread_mark != &thread_mark) abort();
#endif
#ifdef BREAK_LATE_CALL
  this->exec->post(this->host->ctx, log_late, (void *)this->host);
#endif
#ifdef WITH_THREAD
  close(this->ending[1]);
  pthread_join(this->thread, NULL);
  close(this->ending[0]);
#endif
  free(this->started);
  free(this);
}

static void misbehave(const prv_host *host);
static void (*volatile again)(const prv_host *host) = misbehave;

/* What some plugin somewhere does while it makes an instance. */
static void misbehave(const prv_host *host) {
  static atomic_int times;
  int first = atomic_fetch_add(&times, 1) == 0;
  (void)first, (void)host;
#ifdef BREAK_CREATE_SOCKET
  close(socket(AF_INET, SOCK_STREAM, 0));
#endif
#ifdef BREAK_CREATE_REQUEST
  const prv_http_v1 *http = service(host, TEXT("prv.http/1"));
  prv_http_callbacks callbacks = {.size = sizeof callbacks};
  prv_http_request request = {.size = sizeof request, .method = TEXT("GET"), .url = TEXT("http://127.0.0.1:9/")};
  prv_exchange exchange;
  if (http) http->request(host->ctx, 0, &request, &callbacks, NULL, &exchange);
#endif
#ifdef BREAK_CREATE_TIME
  if (first) spend_milliseconds(1050);
#endif
#ifdef BREAK_CREATE_DESCRIPTOR
  open("/dev/null", O_RDONLY | O_CLOEXEC);
#endif
#ifdef BREAK_CREATE_MEMORY
  volatile char *lost = malloc(100000);
  for (int i = 0; i < 100000; i += 512) lost[i] = 1;
#endif
#ifdef BREAK_CREATE_THREAD
  if (first) start_a_thread();
#endif
#ifdef BREAK_CREATE_THREADS
  start_a_thread();
#endif
#ifdef BREAK_CREATE_SIGNAL
  signal(SIGPIPE, SIG_IGN);
#endif
#ifdef BREAK_CREATE_LOCALE
  setlocale(LC_ALL, "C.UTF-8");
#endif
#ifdef BREAK_CREATE_DIRECTORY
  if (chdir("/") != 0) abort();
#endif
#ifdef BREAK_CREATE_ENVIRONMENT
  setenv("SAMPLE_WAS_HERE", "1", 1);
#endif
#ifdef BREAK_CREATE_UMASK
  umask(0);
#endif
#ifdef BREAK_CREATE_PRINT
  printf("one more instance\n");
#endif
#ifdef BREAK_CREATE_EMIT
  prv_event event = {.size = sizeof event, .kind = PRV_EVENT_TEXT, .text = TEXT("hello")};
  host->emit(host->ctx, 77, &event);
#endif
#ifdef BREAK_CREATE_FORK
  if (first && fork() == 0) {
    setsid();
    for (;;) pause();
  }
#endif
#ifdef SHOW_PROCESS
  /* Not broken: it tells what it was given. */
  for (char **word = environ; *word; word++) printf("%s\n", *word);
  char path[64], target[4096];
  for (int number = 0; number < 1024; number++) {
    snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length > 0) printf("descriptor %d %.*s\n", number, (int)length, target);
  }
  fflush(stdout);
#endif
#ifdef BREAK_CREATE_HANG
#ifdef TELL
  FILE *told = fopen(TELL, "w");
  fprintf(told, "%d\n", (int)getpid());
  fflush(told);
#endif
  for (;;) pause();
#endif
#ifdef BREAK_CREATE_ALLOCATE
  for (;;) {
    volatile char *more = malloc(1 << 20);
    for (int i = 0; i < 1 << 20; i += 4096) more[i] = 1;
  }
#endif
#ifdef BREAK_CREATE_EXIT
  exit(3);
#endif
#ifdef BREAK_CREATE_CRASH
  *(volatile int *)8 = 1;
#endif
#ifdef BREAK_CREATE_RECURSION
  again(host);
  sched_yield();
#endif
}

#ifdef BREAK_CONCURRENT
static atomic_int inside;
#endif

static int32_t create(const prv_plugin *plugin, prv_str id, const prv_host *host, prv_str config,
                      prv_provider *instance, prv_sink error) {
  (void)plugin;
  if (!is_id(id)) {
    say(error, TEXT("there is no such provider in this plugin"));
    return PRV_E_NOT_FOUND;
  }
  const char *fault = read_settings(config);
  if (fault) {
    say(error, (prv_str){fault, strlen(fault)});
    return PRV_E_INVALID_ARGUMENT;
  }
#ifdef BREAK_CREATE_REFUSES
  say(error, TEXT("not today"));
  return PRV_E_INTERNAL;
#endif
#ifdef BREAK_NEWER_HOST
  if (host->size != sizeof *host) {
    say(error, TEXT("another host than I know"));
    return PRV_E_INCOMPATIBLE;
  }
#endif
#ifdef BREAK_CONCURRENT
  if (atomic_fetch_add(&inside, 1) > 0) abort();
  for (int i = 0; i < 200; i++) sched_yield();
  atomic_fetch_sub(&inside, 1);
#endif
#ifdef BREAK_UNDECLARED_SERVICE
  if (!service(host, TEXT("prv.thread-check/1"))) {
    say(error, TEXT("there is no thread check"));
    return PRV_E_UNSUPPORTED;
  }
#endif
#ifdef BREAK_OPTIONAL_SERVICE
  if (!service(host, TEXT("prv.http/1"))) {
    say(error, TEXT("there is no http"));
    return PRV_E_UNSUPPORTED;
  }
#endif
#ifdef BREAK_REQUIRED_SERVICE
  const volatile prv_thread_check_v1 *check = service(host, TEXT("prv.thread-check/1"));
  (void)check->size;
#endif
  misbehave(host);
  sample *this = calloc(1, sizeof *this);
  *this = (sample){.host = host, .exec = service(host, TEXT("prv.exec/1")), .thread_mark = &thread_mark};
  if (!this->exec) {
    free(this);
    say(error, TEXT("the host has no prv.exec/1"));
    return PRV_E_INCOMPATIBLE;
  }
#ifdef WITH_THREAD
  if (pipe2(this->ending, O_CLOEXEC) != 0) abort();
  pthread_create(&this->thread, NULL, work, &this->ending[0]);
#endif
  *instance = (prv_provider){.size = sizeof *instance, .self = this, .start = start, .stop = stop, .destroy = destroy,
                             .call_open = call_open, .call_cancel = call_cancel, .call_close = call_close};
#ifdef BREAK_NO_CLOSE
  instance->call_close = NULL;
#endif
#ifdef BREAK_INSTANCE_SIZE
  instance->size = 16;
#endif
#ifdef BREAK_INSTANCE_WRITES
  volatile uint64_t *behind = (uint64_t *)(instance + 1);
  *behind = *behind;
#endif
#ifdef BREAK_TABLE_CHANGES
  change_table();
#endif
  return PRV_OK;
}
