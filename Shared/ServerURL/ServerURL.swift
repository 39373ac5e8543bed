/// The parts of a server's address, `scheme://[[user]:password@]host[:port][/path]` (RFC 3986, without query and fragment).
///
/// Its errors say what is wrong without repeating the text, which may hold a password.
package struct ServerURL: Sendable {
  /// What is wrong, as the end of a sentence: "the port must be a number from 1 to 65535".
  package struct Malformed: Error, Hashable, Sendable {
    package let reason: String

    package init(reason: String) { self.reason = reason }
  }

  package let scheme: String
  /// Without the brackets of an IPv6 address.
  package let host: String
  package let port: Int
  package let user: String?
  package let password: String?
  /// What follows the first slash behind the port; empty where there is nothing.
  package let path: String

  /// - Parameter defaultPorts: by scheme; any other scheme is refused.
  package init(_ text: String, defaultPorts: KeyValuePairs<String, Int>) throws(Malformed) {
    let schemes = defaultPorts.map { "\($0.key)://" }
    guard let (name, defaultPort) = defaultPorts.first(where: { text.hasPrefix("\($0.key)://") }) else {
      throw Malformed(reason: "it must begin with \(schemes.joined(separator: " or "))")
    }
    scheme = name
    var rest = text.dropFirst(name.count + 3)
    path = rest.firstIndex(of: "/").map { String(rest[rest.index(after: $0)...]) } ?? ""
    rest = rest.prefix { $0 != "/" }
    (user, password) = try Self.credentials(rest.lastIndex(of: "@").map { rest[..<$0] })
    if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
    let (hostText, portText) = try Self.address(rest)
    host = String(hostText)
    port = try portText.map { (text) throws(Malformed) in try Self.number(text, in: 1...65_535, "the port") } ?? defaultPort
  }

  /// A number that a part must be, such as a database in the path.
  package static func number(_ text: some StringProtocol, in range: ClosedRange<Int>, _ what: String) throws(Malformed) -> Int {
    guard let value = Int(text), range.contains(value) else {
      throw Malformed(reason: "\(what) must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// Empty ones are none.
  private static func credentials(_ text: Substring?) throws(Malformed) -> (user: String?, password: String?) {
    guard let text else { return (nil, nil) }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let user = try decoded(parts[0])
    let password = parts.count == 2 ? try decoded(parts[1]) : ""
    return (user.isEmpty ? nil : user, password.isEmpty ? nil : password)
  }

  /// `host`, `host:port`, `[v6]` or `[v6]:port`.
  private static func address(_ text: Substring) throws(Malformed) -> (host: Substring, port: Substring?) {
    var (host, port): (Substring, Substring?) = (text, nil)
    if text.first == "[", let end = text.firstIndex(of: "]") {
      let tail = text[text.index(after: end)...]
      guard tail.isEmpty || tail.first == ":" else { throw Malformed(reason: "there is something between the host and the port") }
      (host, port) = (text[..<end].dropFirst(), tail.isEmpty ? nil : tail.dropFirst())
    } else if let colon = text.lastIndex(of: ":") {
      (host, port) = (text[..<colon], text[text.index(after: colon)...])
      guard !host.contains(":") else { throw Malformed(reason: "an IPv6 address must stand in brackets") }
    }
    guard !host.isEmpty, !host.utf8.contains(0) else { throw Malformed(reason: "it names no host") }
    return (host, port)
  }

  /// Percent-decoding (RFC 3986, section 2.1).
  private static func decoded(_ text: Substring) throws(Malformed) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = rest.prefix(2)
      guard digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16), value != 0 else {
        throw Malformed(reason: "a % in the user or the password must be followed by two hexadecimal digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Malformed(reason: "the user or the password is not UTF-8") }
    return text
  }
}
