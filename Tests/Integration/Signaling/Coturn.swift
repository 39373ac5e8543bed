import Foundation
import LocalStack
import Subprocess
import Testing

/// A TURN server with the deployment's settings, on this machine's loopback.
struct Coturn: Sendable {
  let port: Int
  let secret = String(UInt64.random(in: .min ... .max), radix: 36)

  var url: String { "turn:127.0.0.1:\(port)?transport=udp" }

  static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/turnserver")

  /// - Parameter relaysToLoopback: whether it may do, beyond the deployment's settings, what a test with all ends on this machine needs.
  static func run(relaysToLoopback: Bool, _ body: @escaping @Sendable (Coturn) async throws -> Void) async throws {
    let turn = Coturn(port: try Ports.free())
    let folder = try StackFolder(nil)
    let settings = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "deploy/coturn/turnserver.conf")
    let local = """
      listening-ip=127.0.0.1
      relay-ip=127.0.0.1
      relay-ip=::1
      listening-port=\(turn.port)
      static-auth-secret=\(turn.secret)
      \(relaysToLoopback ? "allow-loopback-peers\nallowed-peer-ip=127.0.0.1" : "")

      """
    let file = "\(folder.path)/turnserver.conf"
    try folder.writePrivate(String(contentsOf: settings, encoding: .utf8) + local, to: file)
    defer { try? FileManager.default.removeItem(atPath: folder.path) }
    enum Ended { case server, body }
    try await withThrowingTaskGroup(of: Ended.self) { group in
      group.addTask {
        _ = try await Subprocess.run(
          .name("turnserver"), arguments: ["-c", file, "--pidfile", "\(folder.path)/pid", "--db", "\(folder.path)/db"], input: .none,
          output: .discarded, error: .discarded)
        return .server
      }
      group.addTask {
        try await body(turn)
        return .body
      }
      guard try await group.next() == .body else { throw Mailbox.Expired(description: "coturn ended at once") }
      group.cancelAll()
    }
  }

  /// What a client is answered: 0 for a success, and STUN's error codes.
  struct Answers {
    /// For each relay that it asked for; the last one of IPv6, where a peer is.
    let relays: [Int]
    /// For each peer that it wanted to reach through a relay.
    let peers: [String: Int]
  }

  /// Asks for relays, and for permission to reach peers through them, by a client of its own (plain Python).
  ///
  /// - Parameter secret: what the user name is signed with.
  func ask(username: String, secret: String? = nil, relayCount: Int = 1, peers: [String] = []) async throws -> Answers {
    let client = ["/usr/bin/python3", try Clients.path("turn_client.py")]
    let arguments = client + ["127.0.0.1", String(port), secret ?? self.secret, username, String(relayCount)]
    let result = try await Subprocess.run(
      .name("env"), arguments: Arguments(arguments + peers), input: .none, output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    try #require(result.terminationStatus == .exited(0), "\(result.standardError)")
    let told = try JSON(result.standardOutput)
    guard case .array(let relays) = told["relays"], case .object(let codes) = told["peers"] else {
      throw Mailbox.Expired(description: "no answers in \(result.standardOutput)")
    }
    return Answers(relays: relays.compactMap(\.int), peers: codes.compactMapValues(\.int))
  }
}
