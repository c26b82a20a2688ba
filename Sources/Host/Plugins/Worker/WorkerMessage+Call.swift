internal import Bytes
internal import ProviderContract
internal import CProviderABI
import Decisions

// What is said of a call between a host and a worker: how it is opened, what it brings, how it ends.

/// A call to open, as the worker reads it. Buffers are borrowed from the message.
struct WorkerOpen {
  static let requestIDBytesLimit = 4096
  private static let filesLimit = 64
  /// The schemas of bodies that there are (provider_abi.h).
  private static let schemas: [StaticString] = ["prv.chat/1", "prv.tool-call/1", ""]

  var kind: ProviderCallKind
  var wantsStream: Bool
  var attempt: UInt32
  var deadline: Instant
  var connectTimeoutNanoseconds: UInt64
  var requestID: UnsafeRawBufferPointer
  var model: UnsafeRawBufferPointer
  var bodySchema: StaticString
  var body: UnsafeRawBufferPointer
  /// Copied.
  var files: [ProviderFile] = []

  static func write(_ request: ProviderRequest, to message: inout ByteBuffer) {
    message.appendField(request.kind.rawValue)
    message.appendField(UInt32(request.wantsStream ? 1 : 0))
    message.appendField(request.attempt)
    message.appendField(request.deadline.nanoseconds)
    message.appendField(request.connectTimeoutNanoseconds)
    message.appendField(request.requestID)
    message.appendField(request.model)
    message.appendField(
      UnsafeRawBufferPointer(start: request.bodySchema.utf8Start, count: request.bodySchema.utf8CodeUnitCount))
    message.appendField(request.body)
    message.appendField(UInt32(request.files.count))
    for file in request.files {
      message.appendField(file.name)
      message.appendField(file.mediaType)
      message.appendField(file.content)
    }
  }

  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    let rawKind = try fields.u32()
    guard let kind = ProviderCallKind(rawValue: rawKind) else {
      throw WorkerFrameFault(found: "a call of kind \(rawKind)", expected: "a kind that is known")
    }
    self.kind = kind
    wantsStream = try fields.flag()
    attempt = try fields.u32()
    deadline = Instant(nanoseconds: try fields.u64())
    connectTimeoutNanoseconds = try fields.u64()
    requestID = try fields.utf8(limit: Self.requestIDBytesLimit)
    model = try fields.utf8(limit: 4096)
    let schema = try fields.text(limit: 256)
    guard let known = Self.schemas.first(where: { "\($0)" == schema }) else {
      throw WorkerFrameFault(found: "a body of \(schema)", expected: "a schema that is known")
    }
    bodySchema = known
    body = try fields.utf8(limit: 64 << 20)
    let count = try fields.u32()
    guard count <= Self.filesLimit else {
      throw WorkerFrameFault(found: "a call with \(count) files", expected: "at most \(Self.filesLimit)")
    }
    for _ in 0..<count {
      files.append(
        ProviderFile(
          name: try fields.text(limit: FileArgument.Bounds.nameBytes.upperBound),
          mediaType: try fields.text(limit: FileArgument.Bounds.mediaTypeCharacters.upperBound),
          content: [UInt8](try fields.bytes(limit: 64 << 20))))
    }
    try fields.end()
  }
}

extension ProviderEvent {
  /// One text of an event, as `prv_str.bytes` bounds it.
  private static let textBytesLimit = 16 << 20

  /// What an event costs of its call's credit.
  var workerCost: Int64 { Int64(text.count + id.count + name.count) + 64 }

  func write(to message: inout ByteBuffer) {
    message.appendField(kind.rawValue)
    message.appendField(index)
    message.appendField(text)
    message.appendField(id)
    message.appendField(name)
    guard kind == .usage else { return }
    let usage = self.usage ?? TokenUsage(inputTokens: 0, outputTokens: 0)
    for tokens in [usage.inputTokens, usage.outputTokens, usage.cachedInputTokens, usage.reasoningTokens] {
      message.appendField(tokens)
    }
  }

  /// Reads and checks an event of a worker; its buffers are borrowed from the message.
  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    let rawKind = try fields.u32()
    guard let kind = Kind(rawValue: rawKind) else {
      throw WorkerFrameFault(found: "an event of kind \(rawKind)", expected: "a kind that is known")
    }
    self.init(kind: kind, index: try fields.u32())
    text = try fields.utf8(limit: Self.textBytesLimit)
    id = try fields.utf8(limit: Self.textBytesLimit)
    name = try fields.utf8(limit: Self.textBytesLimit)
    if kind == .usage {
      usage = TokenUsage(
        inputTokens: try fields.u64(), outputTokens: try fields.u64(), cachedInputTokens: try fields.u64(),
        reasoningTokens: try fields.u64())
    }
    try fields.end()
  }
}

extension ProviderFailure {
  /// What is cut off a text of a failure; `prv_str.excerpt` cuts the same.
  private static let textBytesLimit = 16 << 10

  fileprivate func write(to message: inout ByteBuffer) {
    message.appendField(UInt32(bitPattern: status))
    message.appendField(httpStatus)
    message.appendField(UInt32(isRetryable.map { $0 ? PRV_RETRY_YES : PRV_RETRY_NO } ?? PRV_RETRY_UNKNOWN))
    message.appendField(clock.rawValue)
    message.appendField(retryAfterNanoseconds)
    message.appendField(self.message)
    message.appendField(providerCode)
    message.appendField(upstreamRequestID)
  }

  fileprivate init(_ fields: inout WorkerFieldReader) throws(WorkerFrameFault) {
    let status = Int32(bitPattern: try fields.u32())
    self.init(status: EndReader.known(status), message: "")
    httpStatus = try fields.u32()
    isRetryable =
      switch try fields.u32() {
      case UInt32(PRV_RETRY_NO): false
      case UInt32(PRV_RETRY_YES): true
      default: nil
      }
    clock = Clock(rawValue: try fields.u32()) ?? .none
    retryAfterNanoseconds = try fields.u64()
    message = try fields.text(limit: Self.textBytesLimit)
    providerCode = try fields.text(limit: Self.textBytesLimit)
    upstreamRequestID = try fields.text(limit: Self.textBytesLimit)
  }
}

extension ProviderEnd {
  private static let succeededCode: UInt32 = 0
  private static let cancelledCode: UInt32 = 1
  private static let failedCode: UInt32 = 2

  func write(to message: inout ByteBuffer) {
    switch self {
    case .succeeded: message.appendField(Self.succeededCode)
    case .cancelled: message.appendField(Self.cancelledCode)
    case .failed(let failure):
      message.appendField(Self.failedCode)
      failure.write(to: &message)
    }
  }

  init(_ message: WorkerFrameDecoder.Message) throws(WorkerFrameFault) {
    var fields = WorkerFieldReader(message)
    switch try fields.u32() {
    case Self.succeededCode: self = .succeeded
    case Self.cancelledCode: self = .cancelled
    case Self.failedCode: self = .failed(try ProviderFailure(&fields))
    case let other: throw WorkerFrameFault(found: "an end of kind \(other)", expected: "0 to 2")
    }
    try fields.end()
  }

  /// The failure, with what `redact` takes out of the texts that an upstream may have repeated the key in.
  func redacted(_ redact: (String) -> String) -> ProviderEnd {
    guard case .failed(var failure) = self else { return self }
    failure.message = redact(failure.message)
    failure.providerCode = redact(failure.providerCode)
    failure.upstreamRequestID = redact(failure.upstreamRequestID)
    return .failed(failure)
  }
}
