import Foundation
import LocalStack
import Subprocess
import Testing

/// Many cameras and viewers at once. `make load` is the same with ten times as many, and for its figures.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SignalingLoadTests {
  @Test func `Of many sessions over three replicas, none is mixed up and none left behind`() async throws {
    try await SignalingScene.run(replicas: 3, settings: [:]) { scene in
      let stack = scene.stack
      var services: [String: [String: String]] = [:]
      for name in (1...3).map({ "signaling-\($0)" }) {
        let service = try stack.service(name)
        services[name] = ["address": "\(service.host):\(service.port)", "admin": "http://\(service.host):\(service.adminPort)"]
      }
      // As much of the file of a kept stack as the program reads.
      let report: [String: Any] = [
        "services": services,
        "postgres": ["martlet": try ["url": stack.postgres.url(.owner), "password_file": stack.postgres.passwordFile(.owner)]],
        "redis": ["admin": try ["url": stack.redis.url(.admin), "password_file": stack.redis.passwordFile(.admin)]],
      ]
      try JSONSerialization.data(withJSONObject: report).write(to: URL(filePath: "\(stack.folder.path)/stack.json"))
      let program = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Benchmarks/signaling_load.py").path
      let martletctl = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "martletctl")
        .path
      let result = try await Subprocess.run(
        .name("env"), arguments: Arguments(["/usr/bin/python3", program, stack.folder.path, martletctl, "100", "5"]),
        environment: .inherit.updating(["PACE": "3"]), input: .none, output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
      #expect(result.terminationStatus == .exited(0), "\(result.standardOutput) \(result.standardError)")
      let figures = try JSON(result.standardOutput)
      #expect(figures["sessions"]?.int == 500 && figures["mixed_up"]?.int == 0 && figures["left_on_redis"]?.int == 0)
    }
  }
}
