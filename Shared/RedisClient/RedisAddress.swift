/// Where one server listens.
struct RedisAddress: Hashable, Sendable, CustomStringConvertible {
  /// A name or an address, that of IPv6 without brackets.
  let host: String
  let port: Int

  init(host: String, port: Int) { (self.host, self.port) = (host, port) }

  /// As nodes of a cluster name each other: `host:port`, IPv6 without brackets. Where a node knows no name of its own, it is the one that was asked.
  init?(named text: some StringProtocol, by asked: RedisAddress) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port) else {
      return nil
    }
    self.init(host: Self.host(String(text[..<colon]), asked), port: port)
  }

  /// A node without a name that others could use is told as nothing or as `?`.
  static func host(_ name: String, _ asked: RedisAddress) -> String { name.isEmpty || name == "?" ? asked.host : name }

  var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
