import CProviderABI

/// How Swift lays a boundary struct out.
struct SwiftLayout {
  var size: Int
  var offsets: [String: Int]

  init<Struct>(_ type: Struct.Type, _ fields: [(String, PartialKeyPath<Struct>)]) {
    size = MemoryLayout<Struct>.size
    offsets = Dictionary(uniqueKeysWithValues: fields.map { ($0, MemoryLayout<Struct>.offset(of: $1) ?? -1) })
  }
}

/// Every boundary struct with every field, so that Swift's view of each is compared with the lock.
let swiftLayouts: [String: SwiftLayout] = [
  "prv_str": SwiftLayout(
    prv_str.self,
    [
      ("ptr", \.ptr),
      ("len", \.len),
    ]),
  "prv_bytes": SwiftLayout(
    prv_bytes.self,
    [
      ("ptr", \.ptr),
      ("len", \.len),
    ]),
  "prv_sink": SwiftLayout(
    prv_sink.self,
    [
      ("ctx", \.ctx),
      ("write", \.write),
    ]),
  "prv_handshake": SwiftLayout(
    prv_handshake.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("magic", \.magic),
      ("abi_minor", \.abi_minor),
      ("min_abi_minor", \.min_abi_minor),
      ("host_name", \.host_name),
      ("host_version", \.host_version),
    ]),
  "prv_reply": SwiftLayout(
    prv_reply.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("plugin", \.plugin),
      ("error", \.error),
    ]),
  "prv_provider_desc": SwiftLayout(
    prv_provider_desc.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("id", \.id),
      ("display_name", \.display_name),
      ("capabilities", \.capabilities),
      ("config_schema_json", \.config_schema_json),
      ("default_base_url", \.default_base_url),
      ("required_services", \.required_services),
      ("required_service_count", \.required_service_count),
      ("optional_services", \.optional_services),
      ("optional_service_count", \.optional_service_count),
      ("temperature_max", \.temperature_max),
      ("max_concurrency", \.max_concurrency),
      ("reserved", \.reserved),
      ("models_json", \.models_json),
    ]),
  "prv_plugin": SwiftLayout(
    prv_plugin.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("abi_minor", \.abi_minor),
      ("reserved", \.reserved),
      ("id", \.id),
      ("name", \.name),
      ("vendor", \.vendor),
      ("version", \.version),
      ("description", \.description),
      ("url", \.url),
      ("license", \.license),
      ("sdk", \.sdk),
      ("toolchain", \.toolchain),
      ("providers", \.providers),
      ("provider_count", \.provider_count),
      ("provider_stride", \.provider_stride),
      ("create", \.create),
      ("get_extension", \.get_extension),
    ]),
  "prv_call_request": SwiftLayout(
    prv_call_request.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("kind", \.kind),
      ("attempt", \.attempt),
      ("deadline_mono_ns", \.deadline_mono_ns),
      ("request_id", \.request_id),
      ("model", \.model),
      ("body_schema", \.body_schema),
      ("body_json", \.body_json),
      ("files", \.files),
      ("file_count", \.file_count),
      ("file_stride", \.file_stride),
    ]),
  "prv_usage": SwiftLayout(
    prv_usage.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("input_tokens", \.input_tokens),
      ("output_tokens", \.output_tokens),
      ("cached_input_tokens", \.cached_input_tokens),
      ("reasoning_tokens", \.reasoning_tokens),
    ]),
  "prv_event": SwiftLayout(
    prv_event.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("kind", \.kind),
      ("index", \.index),
      ("text", \.text),
      ("id", \.id),
      ("name", \.name),
      ("usage", \.usage),
    ]),
  "prv_done": SwiftLayout(
    prv_done.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("status", \.status),
      ("http_status", \.http_status),
      ("retryable", \.retryable),
      ("reserved", \.reserved),
      ("retry_after_ns", \.retry_after_ns),
      ("provider_code", \.provider_code),
      ("message", \.message),
      ("upstream_request_id", \.upstream_request_id),
    ]),
  "prv_provider": SwiftLayout(
    prv_provider.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("self", \.`self`),
      ("start", \.start),
      ("stop", \.stop),
      ("destroy", \.destroy),
      ("call_open", \.call_open),
      ("call_cancel", \.call_cancel),
      ("call_resume", \.call_resume),
      ("call_close", \.call_close),
    ]),
  "prv_host": SwiftLayout(
    prv_host.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("ctx", \.ctx),
      ("name", \.name),
      ("version", \.version),
      ("get_service", \.get_service),
      ("emit", \.emit),
      ("done", \.done),
    ]),
  "prv_field": SwiftLayout(
    prv_field.self,
    [
      ("name", \.name),
      ("value", \.value),
    ]),
  "prv_log_v1": SwiftLayout(
    prv_log_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("enabled", \.enabled),
      ("write", \.write),
    ]),
  "prv_time_v1": SwiftLayout(
    prv_time_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("now_mono_ns", \.now_mono_ns),
      ("now_unix_ns", \.now_unix_ns),
      ("timer_start", \.timer_start),
      ("timer_cancel", \.timer_cancel),
    ]),
  "prv_header": SwiftLayout(
    prv_header.self,
    [
      ("name", \.name),
      ("value", \.value),
    ]),
  "prv_http_request": SwiftLayout(
    prv_http_request.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("method", \.method),
      ("url", \.url),
      ("headers", \.headers),
      ("header_count", \.header_count),
      ("body", \.body),
      ("auth_ref", \.auth_ref),
      ("auth_scheme", \.auth_scheme),
      ("response_mode", \.response_mode),
      ("reserved", \.reserved),
      ("max_response_bytes", \.max_response_bytes),
      ("connect_timeout_ns", \.connect_timeout_ns),
      ("first_byte_timeout_ns", \.first_byte_timeout_ns),
      ("idle_timeout_ns", \.idle_timeout_ns),
      ("total_timeout_ns", \.total_timeout_ns),
    ]),
  "prv_http_result": SwiftLayout(
    prv_http_result.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("status", \.status),
      ("http_status", \.http_status),
      ("clock", \.clock),
      ("reserved", \.reserved),
      ("message", \.message),
      ("bytes_received", \.bytes_received),
      ("connect_ns", \.connect_ns),
      ("first_byte_ns", \.first_byte_ns),
      ("total_ns", \.total_ns),
    ]),
  "prv_http_callbacks": SwiftLayout(
    prv_http_callbacks.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("on_headers", \.on_headers),
      ("on_body", \.on_body),
      ("on_sse", \.on_sse),
      ("on_complete", \.on_complete),
    ]),
  "prv_http_v1": SwiftLayout(
    prv_http_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("request", \.request),
      ("cancel", \.cancel),
    ]),
  "prv_config_v1": SwiftLayout(
    prv_config_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("get", \.get),
    ]),
  "prv_exec_v1": SwiftLayout(
    prv_exec_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("post", \.post),
      ("post_call", \.post_call),
    ]),
  "prv_thread_check_v1": SwiftLayout(
    prv_thread_check_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("is_loop", \.is_loop),
      ("is_call_loop", \.is_call_loop),
    ]),
  "prv_file": SwiftLayout(
    prv_file.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("name", \.name),
      ("media_type", \.media_type),
      ("content", \.content),
    ]),
  "prv_tool": SwiftLayout(
    prv_tool.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("provider_id", \.provider_id),
      ("name", \.name),
      ("description", \.description),
      ("input_schema_json", \.input_schema_json),
    ]),
  "prv_tools_v1": SwiftLayout(
    prv_tools_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("tools", \.tools),
      ("tool_count", \.tool_count),
      ("tool_stride", \.tool_stride),
    ]),
  "prv_file_argument": SwiftLayout(
    prv_file_argument.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("tool", \.tool),
      ("argument", \.argument),
      ("max_count", \.max_count),
      ("max_bytes", \.max_bytes),
    ]),
  "prv_files_v1": SwiftLayout(
    prv_files_v1.self,
    [
      ("size", \.size),
      ("flags", \.flags),
      ("arguments", \.arguments),
      ("argument_count", \.argument_count),
      ("argument_stride", \.argument_stride),
    ]),
]
