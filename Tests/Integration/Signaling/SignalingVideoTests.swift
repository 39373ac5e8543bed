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
    try await Coturn.run(relaysToLoopback: true) { turn in
      let settings = ["MARTLET_TURN_URLS": turn.url, "MARTLET_TURN_SECRET": turn.secret]
      try await SignalingScene.run(settings: settings) { scene in
        let told = try await Video.watch(scene, policy: "relay")
        #expect(told.contains { ($0["frames"]?.int ?? 0) >= 30 })
        #expect(told.contains { $0["viewer"]?["local"]?.string == "relay" })
      }
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
