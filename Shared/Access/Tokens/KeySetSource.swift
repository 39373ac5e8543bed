internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1
internal import ServiceRuntime

/// Why a key set cannot be used: the rest of a sentence that begins with its place.
package struct KeySetError: Error, Sendable, CustomStringConvertible {
  package let reason: String
  package var description: String { reason }
}

/// Where an issuer's key set is published.
package enum KeySetSource: Sendable, CustomStringConvertible {
  case file(String)
  case url(String)

  static let lengthMax_bytes = 256 * 1024
  /// For all of one reading, so that a token waits no longer.
  static let timeout = Duration.seconds(5)

  package var description: String {
    switch self {
    case .file(let path): path
    // What follows may be a secret of theirs.
    case .url(let url): String(url.prefix { $0 != "?" })
    }
  }

  var refreshPeriod: Duration {
    switch self {
    case .file: .seconds(5)
    case .url: .seconds(300)
    }
  }

  /// Nil for a URL over which anybody on the way could slip in a key: `https` is wanted, or this machine.
  package static func url(checking text: String) -> KeySetSource? {
    let trusted = ["https://", "http://127.0.0.1", "http://localhost", "http://[::1]"]
    guard let prefix = trusted.first(where: text.hasPrefix), !text.contains("@"), !text.contains(where: \.isWhitespace) else { return nil }
    let rest = text.dropFirst(prefix.count)
    let isWhole = prefix == "https://" ? !rest.isEmpty : rest.isEmpty || rest.first == ":" || rest.first == "/"
    return isWhole ? .url(text) : nil
  }

  func read() async throws(KeySetError) -> [UInt8] {
    switch self {
    case .file(let path):
      do { return try BoundedFile.read(path, bytesMax: Self.lengthMax_bytes) } catch { throw KeySetError(reason: error.reason) }
    case .url(let url): return try await Self.fetch(url)
    }
  }

  private static func fetch(_ url: String) async throws(KeySetError) -> [UInt8] {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout.connect = .seconds(3)
    do {
      return try await HTTPClient.withHTTPClient(configuration: configuration) { client in
        let deadline = NIODeadline.now() + .nanoseconds(Int64(timeout / .nanoseconds(1)))
        let response = try await client.execute(HTTPClientRequest(url: url), deadline: deadline)
        guard response.status.code == 200 else { throw KeySetError(reason: "answers \(response.status.code)") }
        return Array(buffer: try await response.body.collect(upTo: lengthMax_bytes))
      }
    } catch {
      throw error as? KeySetError ?? KeySetError(reason: "cannot be fetched: \(error)")
    }
  }
}
