import Foundation
import LocalStack
import Testing

/// The broker and the replicas that hear devices through it come and go, and nothing that the broker acknowledged is lost or stored twice.
@Suite(.serialized, .timeLimit(.minutes(5))) struct BrokerTests {
  @Test func `What devices say while no replica is there outlives restarts of the broker`() async throws {
    let load = NumberedLoad(appliances: ["KEPT-1"], telemetryCount: 300, discreteCount: 150)
    try await Backbone.run(appliances: load.appliances, gateways: 0, ingest: 2) { backbone in
      let stack = backbone.stack
      for replica in ["ingest-1", "ingest-2"] { try await stack.stop(replica) }
      for part in 0..<3 {
        try await stack.restart("mosquitto")
        try await load.publish(part: part, of: 3, to: stack.mosquitto)
      }
      try await stack.start("ingest-2")
      try await load.publishEnd(to: stack.mosquitto)
      try await load.waitUntilStored(in: backbone, limit: .seconds(60))
    }
  }

  @Test func `A broker that is restarted under load loses nothing that it acknowledged, with another password for ingest either`()
    async throws
  {
    let load = InsistentLoad(appliances: (1...3).map { "BROKER-\($0)" }, count: 2_500)
    try await Backbone.run(appliances: load.appliances, gateways: 0, ingest: 2) { backbone in
      let stack = backbone.stack
      try await load.publish(to: stack.mosquitto) {
        for restart in 1...4 {
          try await backbone.waitForRow("t", "SELECT count(*) >= \(load.total * restart / 6) FROM events")
          if restart.isMultiple(of: 2) { try await backbone.giveIngest(password: "password-\(restart)") }
          try await stack.restart("mosquitto")
        }
      }
      try await backbone.waitForRow(
        "\(load.total)|\(load.total)", "SELECT count(*), count(DISTINCT (appliance_id, data->>'n')) FROM events WHERE type = 'x'")
    }
  }

  @Test func `With a shared subscription every replica hears some of it`() async throws {
    let load = NumberedLoad(appliances: ["SHARED-1", "SHARED-2"], telemetryCount: 500, discreteCount: 500)
    try await Backbone.run(appliances: load.appliances, gateways: 0, ingest: 2, environment: ["MARTLET_MQTT_GROUP": "all"]) { backbone in
      try await load.publish(part: 0, of: 1, to: backbone.stack.mosquitto)
      try await load.publishEnd(to: backbone.stack.mosquitto)
      try await load.waitUntilStored(in: backbone, limit: .seconds(60))
      for replica in ["ingest-1", "ingest-2"] {
        let metrics = try await backbone.stack.service(replica).metrics()
        let count = metrics.split(separator: "\n").first { $0.hasPrefix("martlet_ingest_messages_received_total ") }
        #expect(try Int(#require(count).split(separator: " ")[1]) ?? 0 > 500, "\(replica)")
      }
    }
  }

  @Test func `Another replica takes over from one that is killed, and from one that only stood still`() async throws {
    let load = NumberedLoad(appliances: ["TURN-1", "TURN-2"], telemetryCount: 4_000, discreteCount: 2_000)
    try await Backbone.run(appliances: load.appliances, gateways: 0, ingest: 2) { backbone in
      let stack = backbone.stack
      try await load.publish(part: 0, of: 3, to: stack.mosquitto)
      let stalled = try await backbone.listener()
      try await backbone.during(load, part: 1, of: 3) {
        try await stack.pause(stalled)
        try await backbone.waitForListener { $0 != stalled }
      }
      // It wakes with a batch in its hand that the other has stored.
      try await stack.resume(stalled)
      let killed = try await backbone.listener()
      try await backbone.during(load, part: 2, of: 3) { try await stack.kill(killed) }
      try await backbone.waitForListener { $0 != killed }
      try await load.publishEnd(to: stack.mosquitto)
      try await load.waitUntilStored(in: backbone, limit: .seconds(60))
    }
  }
}

/// Devices that publish numbered messages, through every loss of the broker, until it has acknowledged all.
private struct InsistentLoad: Sendable {
  let appliances: [String]
  /// Numbers 0 ..< count for each appliance.
  let count: Int

  var total: Int { appliances.count * count }

  /// Publishes for about `count / 250` seconds, while `change` is made, and returns once everything is acknowledged.
  func publish(to mosquitto: MosquittoServer, while change: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for appliance in appliances {
        let device = [
          "/usr/bin/python3", try Clients.path("device.py"), mosquitto.host, "\(mosquitto.port)", "simulator",
          "martlet/\(appliance)/events/x", "\(count)", "250",
        ]
        group.addTask {
          try await Tool.run(device, environment: ["PASSWORD": mosquitto.password(.simulator)], limit: .seconds(120))
        }
      }
      group.addTask { try await change() }
      try await group.waitForAll()
    }
  }
}

extension Backbone {
  /// Writes it into the file that ingest reads, and into that which the broker reads at its next start.
  fileprivate func giveIngest(password: String) async throws {
    let (mosquitto, file) = (try stack.mosquitto, "\(stack.folder.path)/mosquitto/passwords")
    let lines = MosquittoServer.User.allCases.map { "\($0.rawValue):\($0 == .ingest ? password : mosquitto.password($0))\n" }
    try stack.folder.writePrivate(lines.joined(), to: file)
    try await Tool.run(["mosquitto_passwd", "-U", file])
    try "\(password)\n".write(toFile: stack.folder.secretFile("mqtt_ingest"), atomically: false, encoding: .utf8)
  }

  /// The replica of ingest that hears devices.
  func listener() async throws -> String { String(try await stack.redis.cli("GET", "lease:ingest-devices").prefix { $0 != " " }) }

  func waitForListener(_ isExpected: (String) -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while true {
      let found = try await listener()
      if !found.isEmpty, isExpected(found) { return }
      guard ContinuousClock.now < deadline else { throw Mailbox.Expired(description: "'\(found)' hears devices after 30 s") }
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  /// Publishes a part of the load while `change` is made.
  func during(_ load: NumberedLoad, part: Int, of parts: Int, _ change: @Sendable () async throws -> Void) async throws {
    async let published: Void = load.publish(part: part, of: parts, to: stack.mosquitto)
    try await change()
    try await published
  }
}
