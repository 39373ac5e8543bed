internal import NIOCore

/// The head of an HTTP/1.x request (RFC 9112), read strictly.
struct RequestHead: Equatable, Sendable {
  var method: String
  /// The path as it came, without the query.
  var path: String
  /// Names and values of the query, with their escapes resolved.
  var query: [(name: String, value: String)]
  var minorVersion: UInt8
  /// Names in lower case, in the order of the request.
  var headers: [(name: String, value: String)]

  /// The only value of a header; nil when there is none or more than one.
  func only(_ name: String) -> String? {
    let values = headers.lazy.filter { $0.name == name }.map(\.value)
    return values.count == 1 ? values.first : nil
  }

  /// Whether a comma-separated header has `token`, in any case.
  func lists(_ token: String, in name: String) -> Bool {
    headers.contains { header in
      header.name == name && header.value.split(separator: ",").contains { $0.trimmed.lowercased() == token }
    }
  }

  static func == (left: Self, right: Self) -> Bool {
    left.method == right.method && left.path == right.path && left.minorVersion == right.minorVersion
      && left.query.elementsEqual(right.query, by: ==) && left.headers.elementsEqual(right.headers, by: ==)
  }
}

extension RequestHead {
  /// Parses a head without the empty line at its end.
  init(parsing head: ArraySlice<UInt8>) throws(HandshakeRefusal) {
    var lines = try Self.lines(head).makeIterator()
    guard let requestLine = lines.next() else { throw .badRequest("The request line is missing") }
    let parts = requestLine.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].allSatisfy(\.isTokenByte), !parts[0].isEmpty else {
      throw .badRequest("The request line is malformed")
    }
    method = String(decoding: parts[0], as: UTF8.self)
    minorVersion = try Self.minorVersion(parts[2])
    (path, query) = try Self.target(parts[1])
    headers = []
    while let line = lines.next() { headers.append(try Self.header(line)) }
    guard only("host") != nil || minorVersion == 0 else { throw .badRequest("Exactly one Host header is wanted") }
  }

  private static func lines(_ head: ArraySlice<UInt8>) throws(HandshakeRefusal) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var rest = head
    while let end = rest.firstIndex(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
      guard rest[end] == 0x0D, end + 1 < rest.endIndex, rest[end + 1] == 0x0A else {
        throw .badRequest("The request's head has a control character")
      }
      lines.append(rest[..<end])
      rest = rest[(end + 2)...]
    }
    lines.append(rest)
    return lines
  }

  private static func minorVersion(_ text: ArraySlice<UInt8>) throws(HandshakeRefusal) -> UInt8 {
    guard text.count == 8, text.starts(with: "HTTP/".utf8), text[text.startIndex + 6] == UInt8(ascii: ".") else {
      throw .badRequest("The request line is malformed")
    }
    guard text[text.startIndex + 5] == UInt8(ascii: "1"), let minor = text.last, (0x30...0x39).contains(minor) else {
      throw HandshakeRefusal(status: 505, explanation: "Only HTTP/1.1 is spoken here")
    }
    return minor - 0x30
  }

  private static func header(_ line: ArraySlice<UInt8>) throws(HandshakeRefusal) -> (name: String, value: String) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex, line[..<colon].allSatisfy(\.isTokenByte) else {
      throw .badRequest("A header line is malformed")
    }
    let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
    return (String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(Substring(value).trimmed))
  }

  private static func target(
    _ text: ArraySlice<UInt8>
  ) throws(HandshakeRefusal) -> (path: String, query: [(name: String, value: String)]) {
    guard text.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .badRequest("The request target is malformed") }
    var target = Substring(decoding: text, as: UTF8.self)
    // RFC 9112, section 3.2.2: the absolute form is to be accepted.
    for scheme in ["http://", "https://", "ws://", "wss://"] where target.lowercased().hasPrefix(scheme) {
      let rest = target.dropFirst(scheme.count)
      target = rest[(rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex)...]
      if target.first != "/" { target = "/" + target }
      break
    }
    guard target.first == "/" else { throw .badRequest("The request target is malformed") }
    let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count == 2 else { return (String(target), []) }
    var query: [(name: String, value: String)] = []
    for item in halves[1].split(separator: "&") {
      let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = pair[0].unescaped, let value = pair.count == 2 ? pair[1].unescaped : "" else {
        throw .badRequest("The query is malformed")
      }
      query.append((name, value))
    }
    return (String(halves[0]), query)
  }
}

extension UInt8 {
  /// RFC 9110, section 5.6.2.
  fileprivate var isTokenByte: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    default: "!#$%&'*+-.^_`|~".utf8.contains(self)
    }
  }

  fileprivate var hexadecimalValue: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

extension Substring {
  /// Without the blanks and tabs around it.
  var trimmed: Substring {
    var rest = self
    while let first = rest.utf8.first, first == 0x20 || first == 0x09 { rest = rest.dropFirst() }
    while let last = rest.utf8.last, last == 0x20 || last == 0x09 { rest = rest.dropLast() }
    return rest
  }

  /// With `%XX` and `+` resolved, as forms and browsers write queries; nil when an escape is malformed or the result is not UTF-8.
  fileprivate var unescaped: String? {
    guard utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return String(self) }
    var output: [UInt8] = []
    var bytes = utf8.makeIterator()
    while let byte = bytes.next() {
      switch byte {
      case UInt8(ascii: "+"): output.append(0x20)
      case UInt8(ascii: "%"):
        guard let high = bytes.next()?.hexadecimalValue, let low = bytes.next()?.hexadecimalValue else { return nil }
        output.append(high << 4 | low)
      default: output.append(byte)
      }
    }
    return String(validating: output, as: UTF8.self)
  }
}
