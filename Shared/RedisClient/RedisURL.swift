import ServerURL

/// The parts of `redis://[[user]:password@]host[:port][/database]`; `rediss://` for TLS.
struct RedisURL {
  let isTLS: Bool
  let host: String
  let port: Int
  let user: String?
  let password: String?
  let database: Int

  /// Throws an error that says what is wrong without repeating the URL, which may hold a password.
  init(_ text: String) throws(RedisError) {
    do throws(ServerURL.Malformed) {
      let url = try ServerURL(text, defaultPorts: ["redis": 6379, "rediss": 6379])
      isTLS = url.scheme == "rediss"
      (host, port, user, password) = (url.host, url.port, url.user, url.password)
      database = url.path.isEmpty ? 0 : try ServerURL.number(url.path, in: 0...65_535, "the database")
    } catch {
      throw RedisError(.configuration, "the Redis URL cannot be used: \(error.reason); write redis://user:password@host:port/0")
    }
  }
}
