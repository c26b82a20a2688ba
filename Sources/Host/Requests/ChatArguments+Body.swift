import Bytes
import JSON

extension ChatArguments {
  /// Writes the canonical body, prv.chat/1.
  func writeBody(to body: inout ByteBuffer) {
    body.append("{\"messages\":[")
    if let system {
      body.append("{\"role\":\"system\",\"content\":")
      body.append(system.bytes)
      body.append("}")
      if prompt != nil || messages != nil { body.append(0x2C) }
    }
    if let messages {
      // What stands between the brackets, as it came.
      body.append(UnsafeRawBufferPointer(rebasing: messages.bytes[1..<messages.bytes.count - 1]))
    } else if let prompt {
      body.append("{\"role\":\"user\",\"content\":")
      if let images { Self.write(prompt, images, to: &body) } else { body.append(prompt.bytes) }
      body.append("}")
    }
    body.append(0x5D)
    if let temperature {
      body.append(",\"temperature\":")
      body.appendJSON(double: temperature)
    }
    if let maximumTokens {
      body.append(",\"max_tokens\":")
      body.appendDecimal(maximumTokens)
    }
    if let tools {
      body.append(",\"tools\":")
      body.append(tools.bytes)
    }
    if let toolChoice {
      body.append(",\"tool_choice\":")
      body.append(toolChoice.bytes)
    }
    if thinkingMode != nil || webSearch {
      body.append(",\"patchbay\":{")
      if let thinkingMode {
        body.append("\"thinking\":\"")
        body.append(thinkingMode)
        body.append("\"")
      }
      if webSearch {
        if thinkingMode != nil { body.append(0x2C) }
        body.append("\"web_search\":true")
      }
      body.append(0x7D)
    }
    body.append(0x7D)
  }

  private static func write(_ prompt: JSONView, _ images: JSONView, to body: inout ByteBuffer) {
    body.append("[{\"type\":\"text\",\"text\":")
    body.append(prompt.bytes)
    body.append("}")
    for image in images.elements() {
      body.append(",{\"type\":\"image_url\",\"image_url\":{\"url\":")
      body.append(image.bytes)
      body.append("}}")
    }
    body.append("]")
  }
}
