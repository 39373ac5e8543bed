import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import WebSocketTestClient
import WebSocketTransport

/// A server with one route, `/echo`, on a free port.
struct TestServer {
  enum Event: Equatable, Sendable {
    case opened(remoteAddress: String)
    case becameWritable
    case ponged([UInt8])
    case blocked(backlogBytes: Int)
    case closed(WebSocketCloseCode)
  }

  let port: Int
  let server: WebSocketServer
  let events: AsyncStream<Event>
  private let services: ServiceGroup

  func shutDown() async { await services.triggerGracefulShutdown() }

  /// The first event that `isWanted`; those before it are passed over.
  func first(where isWanted: @Sendable (Event) -> Bool) async -> Event? { await events.first(where: isWanted) }

  static func run<Result: Sendable>(
    limits: WebSocketLimits = WebSocketLimits(), loopCount: Int = 1,
    configure: (inout WebSocketServerConfiguration) -> Void = { _ in }, _ body: (TestServer) async throws -> Result
  ) async throws -> Result {
    var configuration = WebSocketServerConfiguration(host: "127.0.0.1", port: 0, drainPeriod: .zero, sweepInterval: .milliseconds(5))
    configure(&configuration)
    let (events, eventSink) = AsyncStream.makeStream(of: Event.self)
    let (ports, portSink) = AsyncStream.makeStream(of: Int.self)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: loopCount)
    let route = WebSocketRoute(path: "/echo", limits: limits) { request, connection in
      eventSink.yield(.opened(remoteAddress: request.remoteAddress))
      return EchoSession(connection, eventSink)
    }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let server = WebSocketServer(configuration: configuration, routes: [route], eventLoopGroup: group, logger: logger) {
      portSink.yield($0)
    }
    let services = ServiceGroup(services: [server], logger: logger)
    let result = try await withThrowingTaskGroup { tasks in
      tasks.addTask {
        defer { portSink.finish() }
        try await services.run()
      }
      guard let port = await ports.first(where: { _ in true }) else {
        try await tasks.waitForAll()
        throw RawClient.Unexpected(what: "the server ended before it listened")
      }
      let result = try await body(TestServer(port: port, server: server, events: events, services: services))
      await services.triggerGracefulShutdown()
      try await tasks.waitForAll()
      return result
    }
    try await group.shutdownGracefully()
    return result
  }
}

/// Sends back what it gets; `close` makes it close, `ping` makes it ping, and `flood <bytes>` makes it send so much.
private final class EchoSession: WebSocketSession {
  private let connection: WebSocketConnection
  private let events: AsyncStream<TestServer.Event>.Continuation

  init(_ connection: WebSocketConnection, _ events: AsyncStream<TestServer.Event>.Continuation) {
    self.connection = connection
    self.events = events
  }

  func received(_ text: [UInt8]) {
    let words = String(decoding: text, as: UTF8.self).split(separator: " ")
    switch words.first {
    case "close": connection.close(.policyViolation, reason: "You asked for it")
    case "ping": connection.ping(Array("asked".utf8))
    case "flood":
      connection.send(text: [UInt8](repeating: UInt8(ascii: "f"), count: words.last.flatMap { Int($0) } ?? 0))
      if !connection.isWritable { events.yield(.blocked(backlogBytes: connection.backlogBytes)) }
    default: connection.send(text: text)
    }
  }

  func becameWritable() { events.yield(.becameWritable) }
  func ponged(_ payload: [UInt8]) { events.yield(.ponged(payload)) }
  func closed(_ code: WebSocketCloseCode) { events.yield(.closed(code)) }
}
