import Foundation
import HTTPTypes
import Hummingbird
import Logging
import ServiceLifecycle
import Synchronization

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// An issuer's web server, which answers as a test says.
final class KeySetServer: Sendable {
  struct State {
    var status = HTTPResponse.Status.ok
    var body = ""
    var requests = 0
  }

  struct NoPort: Error {}

  let state: Mutex<State>

  private init(_ body: String) { state = Mutex(State(body: body)) }

  func set(_ body: String, status: HTTPResponse.Status = .ok) { state.withLock { ($0.status, $0.body) = (status, body) } }
  var requests: Int { state.withLock(\.requests) }

  /// Runs `body` with a server at the address.
  static func run(_ keySet: String, _ body: (KeySetServer, _ url: String) async throws -> Void) async throws {
    let server = KeySetServer(keySet)
    let router = Router()
    router.get("jwks.json") { _, _ in
      server.state.withLock { state in
        state.requests += 1
        let location: HTTPFields = state.status == .found ? [.location: "/elsewhere.json"] : [:]
        return Response(status: state.status, headers: location, body: .init(byteBuffer: ByteBuffer(string: state.body)))
      }
    }
    router.get("elsewhere.json") { _, _ in keySet }
    let (ports, sink) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { sink.yield($0.localAddress?.port ?? 0) }, logger: quiet)
    let services = ServiceGroup(services: [application], logger: quiet)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { sink.finish() }
        try await services.run()
      }
      guard let port = await ports.first(where: { _ in true }) else { throw NoPort() }
      try await body(server, "http://127.0.0.1:\(port)/jwks.json")
      await services.triggerGracefulShutdown()
      try await group.waitForAll()
    }
  }
}
