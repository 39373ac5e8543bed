/// Why a URL cannot be called: a clause for people that says what is wanted.
package struct OutboundRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// A URL that may be called on behalf of somebody outside, if its host's addresses may: `https://host[:port][/path][?query]`.
package struct OutboundURL: Hashable, Sendable {
  package static let lengthMax = 2048

  /// The URL with its scheme and host in lower case.
  package let text: String
  /// A name, or an address without brackets.
  package let host: String
  package let port: Int
  package let isTLS: Bool
  package let isAddress: Bool

  /// Reads a URL strictly: what one reader takes for the host another could take for something else.
  ///
  /// - Throws: `OutboundRefusal`, which says what is wanted and quotes nothing.
  package init(_ text: String) throws(OutboundRefusal) {
    guard text.utf8.count <= Self.lengthMax else { throw OutboundRefusal("must have at most \(Self.lengthMax) characters") }
    guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Self.forbidden.contains($0) }) else {
      throw OutboundRefusal(
        "must be plain ASCII without spaces, quotes, backslashes and a fragment; write other characters percent-encoded")
    }
    let scheme = text.prefix { $0 != ":" }.lowercased()
    guard scheme == "https" || scheme == "http", text.dropFirst(scheme.count).hasPrefix("://") else {
      throw OutboundRefusal("must begin with https://")
    }
    isTLS = scheme == "https"
    let rest = text.dropFirst(scheme.count + 3)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    guard !authority.contains("@") else { throw OutboundRefusal("must not hold a user or a password") }
    let (host, port) = try Self.split(authority)
    self.host = host
    isAddress = OutboundGate.isAddress(host)
    self.port = try port.map { (digits) throws(OutboundRefusal) in try Self.port(digits) } ?? (isTLS ? 443 : 80)
    let shownHost = host.contains(":") ? "[\(host)]" : host
    let path = rest.dropFirst(authority.count)
    self.text = "\(scheme)://\(shownHost)" + (port.map { ":\($0)" } ?? "") + (path.hasPrefix("/") ? "" : "/") + path
  }

  private static let forbidden = Set("\"<>\\^`{|}#".utf8)

  private static func split(_ authority: Substring) throws(OutboundRefusal) -> (host: String, port: Substring?) {
    if authority.hasPrefix("[") {
      let literal = authority.dropFirst().prefix { $0 != "]" }
      let rest = authority.dropFirst(literal.count + 2)
      guard authority.contains("]"), OutboundGate.isAddress(String(literal), in: ":"), rest.isEmpty || rest.hasPrefix(":") else {
        throw OutboundRefusal("must have an IPv6 address between the brackets")
      }
      return (literal.lowercased(), rest.isEmpty ? nil : rest.dropFirst())
    }
    let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let host = parts.first.map { $0.lowercased() } ?? ""
    guard isName(host) || OutboundGate.isAddress(host, in: ".") else {
      throw OutboundRefusal("must have a host: a name of letters, digits, dots and hyphens, or an address in its usual form")
    }
    return (host, parts.count == 2 ? parts[1] : nil)
  }

  private static func port(_ digits: Substring) throws(OutboundRefusal) -> Int {
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(digits), (1...65535).contains(port) else {
      throw OutboundRefusal("must have a port from 1 to 65535, or none")
    }
    return port
  }

  /// RFC 1123, section 2.1. The last label must not be a number: resolvers read `2130706433`, `0x7f.1` and `127.1` as addresses.
  private static func isName(_ host: String) -> Bool {
    let labels = host.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...253).contains(host.utf8.count), let last = labels.last, last.first?.isNumber == false else { return false }
    return labels.allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }
  }
}
