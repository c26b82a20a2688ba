//! A whole Patchbay provider in Rust, without a crate: it answers with the last user message.
//!
//! The structs are those of provider_abi.h, which explains them; only what this provider uses is here in full.
use std::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::ptr::null;

// ---- The boundary --------------------------------------------------------------------------------------------------

const MAGIC: u64 = 0x5941_4248_4354_4150;
const MINOR: u32 = 0;
const OK: i32 = 0;
const PAUSE: i32 = 1;
const CANCELLED: i32 = 2;
const E_INVALID_ARGUMENT: i32 = -1;
const E_UNSUPPORTED: i32 = -2;
const E_INCOMPATIBLE: i32 = -3;
const E_NOT_FOUND: i32 = -4;
const E_INTERNAL: i32 = -30;
const CALL_CHAT: u32 = 1;
const EVENT_TEXT: u32 = 1;
const EVENT_FINISH: u32 = 7;
const CAN_CHAT: u64 = 1;
const CAN_STREAM: u64 = 2;

#[repr(C)]
#[derive(Clone, Copy)]
struct Str {
    ptr: *const u8,
    len: u64,
}

impl Str {
    const EMPTY: Str = Str { ptr: null(), len: 0 };

    const fn of(text: &'static str) -> Str {
        Str { ptr: text.as_ptr(), len: text.len() as u64 }
    }

    /// Borrowed for the call that it came with.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.len == 0 { &[] } else { std::slice::from_raw_parts(self.ptr, self.len as usize) }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Sink {
    ctx: *mut c_void,
    write: Option<unsafe extern "C" fn(*mut c_void, Str)>,
}

impl Sink {
    unsafe fn fail(self, status: i32, text: &'static str) -> i32 {
        if let Some(write) = self.write {
            write(self.ctx, Str::of(text))
        }
        status
    }
}

#[repr(C)]
pub struct Handshake {
    size: u32,
    flags: u32,
    magic: u64,
    abi_minor: u32,
    min_abi_minor: u32,
}

#[repr(C)]
pub struct Reply {
    size: u32,
    flags: u32,
    plugin: *const Plugin,
    error: Sink,
}

#[repr(C)]
struct ProviderDesc {
    size: u32,
    flags: u32,
    id: Str,
    display_name: Str,
    capabilities: u64,
    config_schema_json: Str,
    default_base_url: Str,
    required_services: *const Str,
    required_service_count: u64,
    optional_services: *const Str,
    optional_service_count: u64,
    temperature_max: f64,
    max_concurrency: u32,
    reserved: u32,
    models_json: Str,
}

type Create = unsafe extern "C" fn(*const Plugin, Str, *const Host, Str, *mut Provider, Sink) -> i32;

#[repr(C)]
pub struct Plugin {
    size: u32,
    flags: u32,
    abi_minor: u32,
    reserved: u32,
    id: Str,
    name: Str,
    vendor: Str,
    version: Str,
    description: Str,
    url: Str,
    license: Str,
    sdk: Str,
    toolchain: Str,
    providers: *const ProviderDesc,
    provider_count: u64,
    provider_stride: u64,
    create: Create,
    get_extension: Option<unsafe extern "C" fn(*const Plugin, Str) -> *const c_void>,
}

#[repr(C)]
struct Request {
    size: u32,
    flags: u32,
    kind: u32,
    attempt: u32,
    deadline_mono_ns: u64,
    request_id: Str,
    model: Str,
    body_schema: Str,
    body_json: Str,
}

#[repr(C)]
struct Event {
    size: u32,
    flags: u32,
    kind: u32,
    index: u32,
    text: Str,
    id: Str,
    name: Str,
    usage: *const c_void,
}

#[repr(C)]
struct Done {
    size: u32,
    flags: u32,
    status: i32,
    http_status: u32,
    retryable: u32,
    reserved: u32,
    retry_after_ns: u64,
    provider_code: Str,
    message: Str,
    upstream_request_id: Str,
}

#[repr(C)]
struct Provider {
    size: u32,
    flags: u32,
    this: *const Host,
    start: Option<unsafe extern "C" fn(*const Host, Sink) -> i32>,
    stop: Option<unsafe extern "C" fn(*const Host)>,
    destroy: unsafe extern "C" fn(*const Host),
    call_open: unsafe extern "C" fn(*const Host, *const Request, u64, *mut u64, Sink) -> i32,
    call_cancel: unsafe extern "C" fn(*const Host, u64, u32),
    call_resume: Option<unsafe extern "C" fn(*const Host, u64)>,
    call_close: unsafe extern "C" fn(*const Host, u64),
}

#[repr(C)]
struct Host {
    size: u32,
    flags: u32,
    ctx: *mut c_void,
    name: Str,
    version: Str,
    get_service: unsafe extern "C" fn(*mut c_void, Str) -> *const c_void,
    emit: unsafe extern "C" fn(*mut c_void, u64, *const Event) -> i32,
    done: unsafe extern "C" fn(*mut c_void, u64, *const Done) -> i32,
}

// ---- The request's body: JSON that the host has checked ------------------------------------------------------------

/// A value where it stands, and whatever follows it.
#[derive(Clone, Copy)]
struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    fn at(text: &'a [u8]) -> Json<'a> {
        let blanks = text.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        Json(&text[blanks..])
    }

    fn first(self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    /// What stands behind the value.
    fn rest(self) -> Json<'a> {
        let (mut depth, mut index) = (0, 0);
        loop {
            match self.0[index] {
                b'"' => {
                    index += 1;
                    while self.0[index] != b'"' {
                        index += if self.0[index] == b'\\' { 2 } else { 1 };
                    }
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            index += 1;
            let is_scalar = depth == 0 && !self.ends_token(index);
            if depth <= 0 && !is_scalar {
                return Json::at(&self.0[index..]);
            }
        }
    }

    /// Whether no byte of the same number or word stands at `index`.
    fn ends_token(self, index: usize) -> bool {
        self.0.get(index).is_none_or(|byte| b",:]} \t\r\n".contains(byte))
    }

    /// Walks the elements of an array; of anything else there are none.
    fn elements(self) -> impl Iterator<Item = Json<'a>> {
        let mut next = (self.first() == b'[').then(|| Json::at(&self.0[1..])).filter(|value| value.first() != b']');
        std::iter::from_fn(move || {
            let value = next?;
            let rest = value.rest();
            next = (rest.first() == b',').then(|| Json::at(&rest.0[1..]));
            Some(value)
        })
    }

    /// The value of a member; None when the object has none of this name, or is no object.
    fn member(self, name: &str) -> Option<Json<'a>> {
        let mut key = (self.first() == b'{').then(|| Json::at(&self.0[1..])).filter(|key| key.first() == b'"')?;
        loop {
            let value = Json::at(&key.rest().0[1..]);
            if key.says(name) {
                return Some(value);
            }
            let rest = value.rest();
            if rest.first() != b',' {
                return None;
            }
            key = Json::at(&rest.0[1..]);
        }
    }

    fn says(self, text: &str) -> bool {
        let quoted = self.0;
        quoted.len() >= text.len() + 2 && quoted[0] == b'"' && &quoted[1..=text.len()] == text.as_bytes()
            && quoted[text.len() + 1] == b'"'
    }

    /// Appends the content of a string.
    fn unescape(self, out: &mut String) {
        let mut bytes = &self.0[1..];
        while bytes[0] != b'"' {
            let plain = bytes.iter().take_while(|byte| **byte != b'"' && **byte != b'\\').count();
            out.push_str(&String::from_utf8_lossy(&bytes[..plain]));
            bytes = &bytes[plain..];
            if bytes[0] != b'\\' {
                continue;
            }
            let escape = bytes[1];
            bytes = &bytes[2..];
            out.push(match escape {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => {
                    let mut code = hex(&bytes[..4]);
                    bytes = &bytes[4..];
                    if code >> 10 == 0x36 {
                        code = 0x10000 + ((code & 0x3FF) << 10 | hex(&bytes[2..6]) & 0x3FF);
                        bytes = &bytes[6..];
                    }
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                other => other as char,
            })
        }
    }

    /// The text of a message's content: a string, or the joined `text` parts.
    fn content(self) -> String {
        let mut text = String::new();
        if self.first() == b'"' {
            self.unescape(&mut text);
        }
        for part in self.elements() {
            if !part.member("type").is_some_and(|kind| kind.says("text")) {
                continue;
            }
            if let Some(piece) = part.member("text").filter(|piece| piece.first() == b'"') {
                piece.unescape(&mut text);
            }
        }
        text
    }
}

fn hex(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |sum, digit| sum << 4 | (*digit as char).to_digit(16).unwrap_or(0))
}

// ---- The provider --------------------------------------------------------------------------------------------------

unsafe fn emit(host: &Host, call: u64, kind: u32, text: &str, name: &'static str) -> i32 {
    let text = Str { ptr: text.as_ptr(), len: text.len() as u64 };
    let (size, name) = (size_of::<Event>() as u32, Str::of(name));
    let event = Event { size, flags: 0, kind, index: 0, text, id: Str::EMPTY, name, usage: null() };
    (host.emit)(host.ctx, call, &event)
}

unsafe fn done(host: &Host, call: u64, status: i32) {
    let done = Done {
        size: size_of::<Done>() as u32,
        flags: 0,
        status,
        http_status: 0,
        retryable: 0,
        reserved: 0,
        retry_after_ns: 0,
        provider_code: Str::EMPTY,
        message: Str::EMPTY,
        upstream_request_id: Str::EMPTY,
    };
    (host.done)(host.ctx, call, &done);
}

/// Ends an answer of which every piece was sent.
unsafe fn finish(host: &Host, call: u64) {
    emit(host, call, EVENT_FINISH, "", "stop");
    done(host, call, OK);
}

unsafe extern "C" fn call_open(this: *const Host, request: *const Request, call: u64, context: *mut u64, error: Sink)
    -> i32 {
    let (host, request) = (&*this, &*request);
    if request.kind != CALL_CHAT {
        return error.fail(E_UNSUPPORTED, "this provider only chats");
    }
    if request.body_json.len == 0 {
        return error.fail(E_INVALID_ARGUMENT, "a chat has no body; expected prv.chat/1");
    }
    let mut answer = String::new();
    if let Some(messages) = Json::at(request.body_json.bytes()).member("messages") {
        for message in messages.elements() {
            if message.member("role").is_some_and(|role| role.says("user")) {
                answer = message.member("content").map_or(String::new(), Json::content);
            }
        }
    }
    let status = if answer.is_empty() { OK } else { emit(host, call, EVENT_TEXT, &answer, "") };
    // The context is the call while its end is still owed, and 0 once it was said.
    *context = if status == PAUSE { call } else { 0 };
    match status {
        OK => finish(host, call),
        PAUSE => {}
        negative if negative < 0 => done(host, call, E_INTERNAL),
        _ => done(host, call, CANCELLED),
    }
    OK
}

unsafe extern "C" fn call_resume(this: *const Host, context: u64) {
    if context != 0 {
        finish(&*this, context)
    }
}

unsafe extern "C" fn call_cancel(this: *const Host, context: u64, _reason: u32) {
    if context != 0 {
        done(&*this, context, CANCELLED)
    }
}

unsafe extern "C" fn call_close(_this: *const Host, _context: u64) {}
unsafe extern "C" fn destroy(_this: *const Host) {}

unsafe extern "C" fn create(
    _plugin: *const Plugin, id: Str, host: *const Host, _config: Str, instance: *mut Provider, error: Sink,
) -> i32 {
    if id.bytes() != b"echo-rust" {
        return error.fail(E_NOT_FOUND, "this plugin has one provider, echo-rust");
    }
    // An older host's struct may be shorter: write only what it has.
    let size = (*instance).size.min(size_of::<Provider>() as u32);
    let call_resume = Some(call_resume as unsafe extern "C" fn(*const Host, u64));
    let made = Provider {
        size, flags: 0, this: host, start: None, stop: None, destroy, call_open, call_cancel, call_resume, call_close,
    };
    std::ptr::copy_nonoverlapping(&made as *const Provider as *const u8, instance as *mut u8, size as usize);
    OK
}

/// Tables of constants: their pointers lead to what never changes.
struct Static<T>(T);
unsafe impl<T> Sync for Static<T> {}

static PROVIDERS: Static<[ProviderDesc; 1]> = Static([ProviderDesc {
    size: size_of::<ProviderDesc>() as u32,
    flags: 0,
    id: Str::of("echo-rust"),
    display_name: Str::of("Echo in Rust"),
    capabilities: CAN_CHAT | CAN_STREAM,
    config_schema_json: Str::EMPTY,
    default_base_url: Str::EMPTY,
    required_services: null(),
    required_service_count: 0,
    optional_services: null(),
    optional_service_count: 0,
    temperature_max: 0.0,
    max_concurrency: 0,
    reserved: 0,
    models_json: Str::of(r#"[{"id":"echo-rust-1"}]"#),
}]);

static PLUGIN: Static<Plugin> = Static(Plugin {
    size: size_of::<Plugin>() as u32,
    flags: 0,
    abi_minor: MINOR,
    reserved: 0,
    id: Str::of("com.example.echo-rust"),
    name: Str::of("Echo in Rust"),
    vendor: Str::of("Example"),
    version: Str::of("1.0.0"),
    description: Str::EMPTY,
    url: Str::EMPTY,
    license: Str::EMPTY,
    sdk: Str::EMPTY,
    toolchain: Str::EMPTY,
    providers: &PROVIDERS.0[0],
    provider_count: 1,
    provider_stride: size_of::<ProviderDesc>() as u64,
    create,
    get_extension: None,
});

/// The only exported symbol.
///
/// # Safety
/// The host calls it, with the structs of provider_abi.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn prv_plugin_entry_v1(handshake: *const Handshake, reply: *mut Reply) -> i32 {
    let (handshake, reply) = (&*handshake, &mut *reply);
    if handshake.magic != MAGIC {
        return reply.error.fail(E_INCOMPATIBLE, "the handshake's magic is not PRV_MAGIC");
    }
    let covers_minimum = handshake.size as usize >= offset_of!(Handshake, min_abi_minor) + size_of::<u32>();
    if covers_minimum && handshake.min_abi_minor > MINOR {
        return reply.error.fail(E_INCOMPATIBLE, "built for an older minor; rebuild the plugin");
    }
    reply.plugin = &PLUGIN.0;
    OK
}
