import LocalStack
import Testing

/// The whole backbone on a Redis Cluster.
@Suite(.serialized, .timeLimit(.minutes(6))) struct RedisClusterTests {
  @Test func `A master that is killed under load costs no message; each is stored once, and apps hear all in order`() async throws {
    let load = NumberedLoad(appliances: (1...4).map { "CLUSTER-\($0)" }, telemetryCount: 2_000, discreteCount: 500)
    try await Backbone.run(appliances: load.appliances, gateways: 1, redisMasters: 3) { backbone in
      try await Subscriber.run(
        backbone.gateway(1), token: backbone.token, appliances: load.appliances, types: ["cooking:stage_change", "cooking:complete"]
      ) { app in
        let (stack, mosquitto) = (backbone.stack, try backbone.stack.mosquitto)
        for part in 0..<10 {
          try await load.publish(part: part, of: 10, to: mosquitto)
          if part == 4 { try await stack.kill(try await master(of: load.appliances[0], in: stack)) }
        }
        try await load.publishEnd(to: mosquitto)
        try await load.waitUntilStored(in: backbone, limit: .seconds(120))

        let received = try await app.mailbox.wait(for: "end of every appliance", limit: .seconds(60)) { messages in
          messages.count { $0["type"]?.string == "cooking:complete" } >= load.appliances.count ? messages : nil
        }
        for appliance in load.appliances {
          var heard: Set<Int> = []
          // What was told before a replica had it may be told again.
          let numbers = received.filter { $0["appliance_id"]?.string == appliance }.compactMap { $0["data"]?["n"]?.int }
            .filter { heard.insert($0).inserted }
          #expect(numbers == Array(0..<load.discreteCount), "\(appliance)")
        }
        #expect(await app.mailbox.count(ofType: "test:closed") == 0)
      }
    }
  }

  /// The name of the node that has an appliance's keys.
  private func master(of appliance: String, in stack: LocalStack) async throws -> String {
    let cluster = try stack.redisCluster
    for member in try await cluster.members() where member.isMaster {
      if try await !cluster.node(member.name).cli("KEYS", "state:*:\(appliance)").isEmpty { return member.name }
    }
    throw Mailbox.Expired(description: "no master has the state of \(appliance)")
  }
}
