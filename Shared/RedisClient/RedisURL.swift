import ServerURL

/// The parts of `redis://[[user]:password@]host[:port][,host[:port]…][/database]`; `rediss://` for TLS.
struct RedisURL {
  let isTLS: Bool
  /// One server, or several nodes of one cluster; none twice.
  let addresses: [RedisAddress]
  let user: String?
  let password: String?
  let database: Int

  /// Throws an error that says what is wrong without repeating the URL, which may hold a password.
  init(_ text: String) throws(RedisError) {
    do throws(ServerURL.Malformed) {
      var addresses: [RedisAddress] = []
      var first: ServerURL?
      for text in Self.oneForEachHost(text) {
        let url = try ServerURL(text, defaultPorts: ["redis": 6379, "rediss": 6379])
        let address = RedisAddress(host: url.host, port: url.port)
        if !addresses.contains(address) { addresses.append(address) }
        first = first ?? url
      }
      guard let url = first else { throw ServerURL.Malformed(reason: "it names no host") }
      isTLS = url.scheme == "rediss"
      (user, password) = (url.user, url.password)
      self.addresses = addresses
      database = url.path.isEmpty ? 0 : try ServerURL.number(url.path, in: 0...65_535, "the database")
      if addresses.count > 1, database != 0 { throw ServerURL.Malformed(reason: "a cluster has no database but 0") }
    } catch {
      throw RedisError(
        .configuration,
        "the Redis URL cannot be used: \(error.reason); write redis://user:password@host:port/0, or for a cluster redis://user:password@host:port,host:port,host:port"
      )
    }
  }

  /// `redis://u:p@a,b/0` as `redis://u:p@a/0` and `redis://u:p@b/0`. A comma in the password stays where it is.
  private static func oneForEachHost(_ text: String) -> [String] {
    guard let scheme = text.firstRange(of: "://") else { return [text] }
    let end = text[scheme.upperBound...].firstIndex(of: "/") ?? text.endIndex
    let authority = text[scheme.upperBound..<end]
    let start = authority.lastIndex(of: "@").map { text.index(after: $0) } ?? authority.startIndex
    return text[start..<end].split(separator: ",", omittingEmptySubsequences: false).map { text[..<start] + $0 + text[end...] }
      .map(String.init)
  }
}
