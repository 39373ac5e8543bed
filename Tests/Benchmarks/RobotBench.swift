import Foundation
import LocalStack

/// From a console's `emergency_stop` to the robot's MQTT client, idle and while the robot floods a hundred consoles of which some do not read; how often each type reached those that do; and
/// that those that did not get every safety event and the newest telemetry, once they read. The consoles and the robot are the program `robot_load.py`.
struct RobotBench {
  let scene: Scene
  let stopCount: Int

  private static let robot = "BENCH-ROBOT"

  func run() async throws {
    let stack = scene.stack
    try await stack.martletctl("apply", "-", input: "appliances:\n  - id: \(Self.robot)\n    dialect: oht50\n    owner: bench\n")
    let program = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "robot_load.py").path(percentEncoded: false)
    let environment = try stack.mosquitto.clientEnvironment(.simulator).merging(["TOKEN": scene.token]) { own, _ in own }
    let url = "ws://127.0.0.1:\(try scene.gatewayPort)/ws/telemetry"
    let output = try await Tool.run(
      ["/usr/bin/python3", program, url, Self.robot, String(stopCount)], environment: environment, limit: .seconds(900))
    for line in output.split(separator: "\n") {
      let parts = line.split(separator: "\t")
      if parts.count == 2 { Report.row(String(parts[0]), String(parts[1])) }
    }
  }
}
