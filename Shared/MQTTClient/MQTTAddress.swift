/// Where a broker listens: `mqtt://[user[:password]@]host[:1883]` or `mqtts://…[:8883]`.
package struct MQTTAddress: Sendable, Hashable, CustomStringConvertible {
  package let host: String
  package let port: Int
  package let usesTLS: Bool
  package let userName: String?

  var scheme: String { usesTLS ? "mqtts" : "mqtt" }

  /// Host and port, for logs and errors.
  package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// - Returns: the address, and apart from it the password, so that no address can leak one.
  /// - Throws: `configuration`; the text never repeats the URL, which may hold a password.
  static func parse(_ url: String) throws(MQTTError) -> (address: MQTTAddress, password: String?) {
    let usesTLS = url.hasPrefix("mqtts://")
    guard usesTLS || url.hasPrefix("mqtt://") else { throw malformed("it must start with mqtt:// or mqtts://") }
    var rest = url.dropFirst(usesTLS ? 8 : 7)
    if rest.last == "/" { rest = rest.dropLast() }
    guard !rest.contains("/"), !rest.contains("?"), !rest.contains("#") else { throw malformed("nothing may follow the port") }
    var userName: String?
    var password: String?
    if let at = rest.lastIndex(of: "@") {
      let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      userName = try percentDecoded(parts[0])
      if parts.count == 2 { password = try percentDecoded(parts[1]) }
      rest = rest[rest.index(after: at)...]
    }
    let (host, portText) = splitHost(rest)
    guard !host.isEmpty, !host.utf8.contains(0) else { throw malformed("it names no host") }
    let port = portText.map { Int($0) ?? 0 } ?? (usesTLS ? 8883 : 1883)
    guard (1...65_535).contains(port) else { throw malformed("the port must be 1 to 65535") }
    return (MQTTAddress(host: String(host), port: port, usesTLS: usesTLS, userName: userName), password)
  }

  /// `host`, `host:port`, `[v6]` or `[v6]:port`.
  private static func splitHost(_ text: Substring) -> (host: Substring, port: Substring?) {
    if text.first == "[", let end = text.firstIndex(of: "]") {
      let tail = text[text.index(after: end)...]
      return (text[text.index(after: text.startIndex)..<end], tail.isEmpty ? nil : tail.first == ":" ? tail.dropFirst() : "")
    }
    guard let colon = text.lastIndex(of: ":") else { return (text, nil) }
    return (text[..<colon], text[text.index(after: colon)...])
  }

  private static func percentDecoded(_ text: Substring) throws(MQTTError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let digits = String(rest.prefix(2)), digits.count == 2, let value = UInt8(digits, radix: 16), value != 0 else {
        throw malformed("a % must be followed by two hexadecimal digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else { throw malformed("its user part is not UTF-8") }
    return decoded
  }

  private static func malformed(_ why: String) -> MQTTError {
    MQTTError(.configuration, "The MQTT URL is malformed: \(why). Write it as mqtt://user@host:1883 or mqtts://user@host:8883.")
  }
}
