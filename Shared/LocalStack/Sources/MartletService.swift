import Foundation

/// One of our services, as a process of the stack.
package struct MartletService: StackPart {
  /// What is to be started.
  package struct Plan: Sendable {
    /// Unique in the stack, such as `gateway-1`; also the MQTT client id.
    package let name: String
    /// The product's name, such as `gateway`.
    package let executable: String
    /// Settings beyond, or instead of, those that the stack gives to each service.
    package var environment: [String: String]

    package init(_ executable: String, name: String? = nil, environment: [String: String] = [:]) {
      self.executable = executable
      self.name = name ?? "\(executable)-1"
      self.environment = environment
    }

    /// So many replicas of a service: `gateway-1`, `gateway-2` …
    package static func replicas(_ count: Int, of executable: String, environment: [String: String] = [:]) -> [Plan] {
      (0..<count).map { Plan(executable, name: "\(executable)-\($0 + 1)", environment: environment) }
    }
  }

  package let name: String
  package let host = "127.0.0.1"
  /// The port of the service itself; only gateway, API and signaling listen on it.
  package let port: Int
  /// The port of `/livez`, `/readyz` and `/metrics`.
  package let adminPort: Int
  let launch: Launch
  let remedy = "Its log tells the reason; `--check` validates its configuration."

  init(_ plan: Plan, folder: StackFolder, executables: String, environment: [String: String]) throws {
    let program = "\(executables)/\(plan.executable)"
    guard FileManager.default.isExecutableFile(atPath: program) else {
      throw LocalStackError(.missingProgram, part: plan.name, "\(program) is not built; run `make build`.")
    }
    name = plan.name
    port = try Ports.free()
    adminPort = try Ports.free()
    let own = [
      "MARTLET_HOST": host, "MARTLET_PORT": String(port), "MARTLET_ADMIN_HOST": host, "MARTLET_ADMIN_PORT": String(adminPort),
      "MARTLET_MQTT_CLIENT_ID": name, "MARTLET_LOG_FORMAT": "json",
      "MARTLET_TRUSTED_PROXIES": host,  // nginx, which says whom it speaks for
    ]
    launch = Launch(
      name: name, command: [program],
      environment: environment.merging(own) { _, own in own }.merging(plan.environment) { _, planned in planned },
      folder: folder.path, log: folder.log(name))
  }

  func probe() async throws {
    try await Tool.run(
      ["curl", "--fail", "--silent", "--show-error", "--max-time", "5", "http://\(host):\(adminPort)/readyz"], limit: .seconds(10))
  }

  /// The service's metrics in Prometheus' text format.
  package func metrics() async throws -> String {
    try await Tool.run(["curl", "--fail", "--silent", "--max-time", "5", "http://\(host):\(adminPort)/metrics"], limit: .seconds(10))
  }
}
