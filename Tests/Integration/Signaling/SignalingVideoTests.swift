import Foundation
import LocalStack
import Subprocess
import Testing

/// Real video through the broker, between programs that are none of ours. `make videotools` fetches them, `make video` runs this alone.
@Suite(
  .serialized, .timeLimit(.minutes(5)), .enabled(if: Video.python != nil, "make videotools has not fetched aiortc, Chromium and coturn"))
struct SignalingVideoTests {
  @Test func `A browser decodes a camera's frames through two replicas`() async throws {
    try await SignalingScene.run(settings: ["MARTLET_GRACE_SECONDS": "2"]) { scene in
      let told = try await Video.watch(scene)
      #expect(told.contains { ($0["frames"]?.int ?? 0) >= 30 })
      #expect(told.contains { $0["camera_ended"]?.string == "user_ended" })
      #expect(told.contains { $0["viewer"]?["ended"]?.string == "user_ended" })
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `The same through coturn alone, which proves the credentials`() async throws {
    try await Coturn.run { turn in
      let settings = ["MARTLET_TURN_URLS": turn.url, "MARTLET_TURN_SECRET": turn.secret]
      try await SignalingScene.run(settings: settings) { scene in
        let told = try await Video.watch(scene, policy: "relay")
        #expect(told.contains { ($0["frames"]?.int ?? 0) >= 30 })
        #expect(told.contains { $0["viewer"]?["local"]?.string == "relay" })
      }
      let now = Int(Date().timeIntervalSince1970)
      #expect(try await turn.relays(username: "\(now + 600):device_550e8400"))
      #expect(try await !turn.relays(username: "\(now - 5):device_550e8400"))
    }
  }
}

private enum Video {
  /// The Python that has aiortc; nil where nobody fetched it.
  static let python = ProcessInfo.processInfo.environment["MARTLET_VIDEO_PYTHON"]

  /// A camera on the first replica and a browser on the second; what both tell.
  static func watch(_ scene: SignalingScene, policy: String = "all") async throws -> [JSON] {
    let program = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Video/video.py").path(percentEncoded: false)
    let result = try await Subprocess.run(
      .name("env"),
      arguments: Arguments([try #require(python), program, try scene.url("device", on: 1), try scene.url("viewer", on: 2), "cam-1"]),
      environment: .inherit.updating(["TOKEN": scene.token("alice"), "POLICY": policy]), input: .none, output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    let told = try result.standardOutput.split(separator: "\n").map { try JSON(String($0)) }
    #expect(result.terminationStatus == .exited(0), "\(told) \(result.standardError)")
    return told
  }
}

/// A TURN server with the deployment's settings, on this machine's loopback.
private struct Coturn: Sendable {
  let port: Int
  let secret = String(UInt64.random(in: .min ... .max), radix: 36)

  var url: String { "turn:127.0.0.1:\(port)?transport=udp" }

  static func run(_ body: @escaping @Sendable (Coturn) async throws -> Void) async throws {
    let turn = Coturn(port: Int.random(in: 33_000...48_000))
    let folder = try StackFolder(nil)
    let settings = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "deploy/coturn/turnserver.conf")
    let local = """
      listening-ip=127.0.0.1
      relay-ip=127.0.0.1
      listening-port=\(turn.port)
      allow-loopback-peers
      allowed-peer-ip=127.0.0.1
      static-auth-secret=\(turn.secret)

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
      while let ended = try await group.next() {
        if ended == .body { group.cancelAll() }
      }
    }
  }

  /// Whether coturn's own client gets a relay under a user name that our secret signs.
  func relays(username: String) async throws -> Bool {
    let script = """
      password=$(printf %s "$USERNAME" | openssl dgst -sha1 -hmac "$SECRET" -binary | base64)
      exec turnutils_uclient -p "$PORT" -u "$USERNAME" -w "$password" -c -y -n 1 -m 1 127.0.0.1
      """
    let result = try await Subprocess.run(
      .name("sh"), arguments: ["-c", script],
      environment: .inherit.updating(["USERNAME": username, "SECRET": secret, "PORT": String(port)]), input: .none,
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    return result.terminationStatus == .exited(0)
  }
}
