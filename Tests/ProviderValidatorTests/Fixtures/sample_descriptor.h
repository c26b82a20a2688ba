/* What the sample says of itself. */

static int32_t create(const prv_plugin *, prv_str, const prv_host *, prv_str, prv_provider *, prv_sink);

#ifdef BREAK_SCHEMA
#define LIMIT_DEFAULT "99"
#else
#define LIMIT_DEFAULT "5"
#endif

#ifdef BREAK_EXTENSION
static const uint32_t everything[2] = {sizeof(uint32_t[2]), 0};
static const void *get_extension(const prv_plugin *plugin, prv_str id) {
  (void)plugin, (void)id;
  return everything;
}
#endif

static const prv_str required[] = {PRV_LITERAL("prv.thread-check/1")};
static const prv_str optional[] = {PRV_LITERAL("prv.http/1"), PRV_LITERAL("prv.http/1")};
static const prv_str strangers[] = {PRV_LITERAL("prv.telepathy/1")};

static const prv_provider_desc providers[] = {
    {
        .size = sizeof(prv_provider_desc),
        .id = PRV_LITERAL(PROVIDER),
#ifndef BREAK_DISPLAY_NAME
        .display_name = PRV_LITERAL("Sample"),
#endif
#ifdef BREAK_CAPABILITIES
        .capabilities = PRV_CAN_CHAT | 1ull << 40,
#else
        .capabilities = PRV_CAN_CHAT,
#endif
        .config_schema_json = PRV_LITERAL(
            "{\"type\": \"object\", \"properties\": {"
            "\"limit\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 10, \"default\": " LIMIT_DEFAULT "},"
            "\"mode\": {\"type\": \"string\", \"enum\": [\"fast\", \"slow\"]}}}"),
#ifdef BREAK_BASE_URL
        .default_base_url = PRV_LITERAL("ftp://example.org/v1"),
#endif
#ifdef BREAK_REQUIRED_SERVICE
        .required_services = required,
        .required_service_count = 1,
#elif defined(BREAK_STRANGE_SERVICE)
        .required_services = strangers,
        .required_service_count = 1,
#endif
#ifdef BREAK_SERVICE_TWICE
        .optional_services = optional,
        .optional_service_count = 2,
#elif defined(BREAK_OPTIONAL_SERVICE)
        .optional_services = optional,
        .optional_service_count = 1,
#endif
#ifdef BREAK_LIMITS
        .temperature_max = -0.5,
#endif
#ifdef BREAK_MODELS
        .models_json = PRV_LITERAL("[{\"id\": \"sample-1\"}, {\"id\": \"sample-2\", \"aliases\": [\"sample-1\"]}]"),
#else
        .models_json = PRV_LITERAL("[{\"id\": \"sample-1\", \"context_tokens\": 1000}]"),
#endif
    },
#ifdef BREAK_PROVIDER_TWICE
    {.size = sizeof(prv_provider_desc), .id = PRV_LITERAL(PROVIDER), .display_name = PRV_LITERAL("Again"),
     .capabilities = PRV_CAN_CHAT},
#endif
};

#define ABOUT(the_name)                                                                                          \
  {                                                                                                              \
    .size = DESCRIPTOR_SIZE, .abi_minor = PRV_ABI_MINOR, .id = PRV_LITERAL(PLUGIN_ID), .name = PRV_LITERAL(the_name), \
    .vendor = PRV_LITERAL("Example"), .version = PRV_LITERAL(VERSION), .toolchain = PRV_LITERAL("cc"),                \
    .providers = providers, .provider_count = sizeof providers / sizeof providers[0],                            \
    .provider_stride = sizeof providers[0], .create = create, EXTENSION                                          \
  }

#ifdef BREAK_DESCRIPTOR_SIZE
#define DESCRIPTOR_SIZE 0
#else
#define DESCRIPTOR_SIZE sizeof(prv_plugin)
#endif
#ifdef BREAK_PLUGIN_ID
#define PLUGIN_ID "Sample"
#elif !defined(PLUGIN_ID)
#define PLUGIN_ID "org.example.sample"
#endif
#ifdef BREAK_VERSION
#define VERSION "1.0"
#else
#define VERSION "1.0.0"
#endif
#ifdef BREAK_EXTENSION
#define EXTENSION .get_extension = get_extension
#else
#define EXTENSION .get_extension = NULL
#endif

static prv_plugin plugin = ABOUT("Sample");
static const prv_plugin other_plugin = ABOUT("Another sample");

static void change_table(void) { plugin.abi_minor++; }
