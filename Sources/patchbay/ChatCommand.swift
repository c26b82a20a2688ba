import Bytes
import Glibc
import JSON

/// `patchbay chat`: one question, its answer in pieces as it comes.
enum ChatCommand {
  static func run(_ options: Options) throws -> Int32 {
    let prompt = options.positional.joined(separator: " ")
    guard !prompt.isEmpty else { throw UsageError(message: "PROMPT is missing") }
    do {
      let connection = try ClientConnection(
        url: options["--url"] ?? ClientDefaults.url, token: options["--token"] ?? ClientDefaults.token,
        authorities: options["--ca"])
      var request = ByteBuffer()
      request.append(
        "{\"op\":\"call_tool\",\"request_id\":\"chat\",\"name\":\"chat\",\"arguments\":{\"stream\":true,\"prompt\":")
      request.appendJSON(string: prompt)
      if let model = options["--model"] {
        request.append(",\"model\":")
        request.appendJSON(string: model)
      }
      request.append("}}")
      try connection.send(request.readable)
      return try show(connection, asJSON: options.has("--json"))
    } catch let error as ClientError {
      Terminal.error("patchbay chat: \(error)")
      return error.isUnreachable ? Command.Exit.unreachable : Command.Exit.failure
    }
  }

  private static func show(_ connection: ClientConnection, asJSON: Bool) throws -> Int32 {
    while true {
      let frame = try connection.receive()
      if asJSON { Terminal.print(frame.text) }
      switch frame["op"]?.string {
      case "delta":
        if !asJSON, let text = frame["text"]?.string { Terminal.write(text, to: 1) }
      case "call_tool_res":
        if !asJSON { Terminal.print("") }
        guard let error = frame["error"] else { return Command.Exit.success }
        if !asJSON {
          Terminal.error(
            "patchbay chat: \(error["code"]?.string ?? "error"): \(error["message"]?.string ?? error.text)")
        }
        return Command.Exit.failure
      case "error":
        throw ClientError(description: frame["error"]?["message"]?.string ?? frame.text)
      default: break
      }
    }
  }
}

/// Where the commands that ask a running host look for it.
enum ClientDefaults {
  static let url = "ws://127.0.0.1:8079"
  static var token: String? { Terminal.environment("PATCHBAY_TOKEN") }
}
