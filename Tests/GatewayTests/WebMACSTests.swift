import EventLog
import Models
import Store
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

/// The two endpoints on real sockets.
@Suite struct WebMACSTests {
  private static let (first, second) = (Samples.id("LAB-1"), Samples.id("LAB-2"))
  private static let settings = ControllerSettings(sensors: ["a", "b"], experimentID: "exp-1")

  /// A gateway on which ann may see both controllers.
  private static func run(_ body: @Sendable (TestGateway) async throws -> Void) async throws {
    try await TestGateway.run(loopCount: 2) { gateway in
      gateway.directory.state.withLock {
        $0.controllers = [first: settings, second: ControllerSettings(sensors: ["c"], experimentID: nil)]
        $0.rights["ann"] = [first: .own, second: .watch]
      }
      try await body(gateway)
    }
  }

  private static func batch(_ values: [(String, Int)]) -> ClientFrame {
    .text("{\"datapoints\":[\(values.map { "{\"value\":\($0.1),\"event_public_id\":\"\($0.0)\"}" }.joined(separator: ","))]}")
  }

  private static func datapoints(_ client: RawClient) async throws -> [String: String] {
    let message = try JSONObject(parsing: try await client.read().payload)
    #expect(message.string("type") == "datapoints_batch")
    let objects = try (message.elements("datapoints") ?? []).map { try JSONObject(parsing: Array($0)) }
    return Dictionary(
      uniqueKeysWithValues: objects.map {
        ($0.string("event_public_id") ?? "", String(decoding: $0.raw("value") ?? [], as: UTF8.self))
      })
  }

  @Test func `A dashboard hears every controller that its user may see`() async throws {
    try await Self.run { gateway in
      let (first, second) = (try await gateway.deviceToken(Self.first), try await gateway.deviceToken(Self.second))
      try await RawClient.open(port: gateway.port, "/ws/datapoints/stream?token=\(gateway.token())") { dashboard in
        #expect(try await dashboard.read().text == #"{"type":"connected","message":"Subscribed to live datapoint stream."}"#)
        try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?ack=1&token=\(first)") { controller in
          try await controller.send(Self.batch([("a", 1), ("b", 2), ("x", 3)]))
          let error = try await controller.read().text
          #expect(error.contains("1 of 3 datapoints rejected") && error.contains(#""index":2"#))
          #expect(try await controller.read().text == #"{"type":"ack","accepted":2,"rejected":1}"#)
          #expect(try await Self.datapoints(dashboard) == ["a": "1", "b": "2"])
        }
        try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?ack=1&token=\(second)") { controller in
          try await controller.send(Self.batch([("c", 7)]))
          #expect(try await Self.datapoints(dashboard) == ["c": "7"])
        }
      }
      #expect(await gateway.metric("datapoints_accepted_total") == 3)
      #expect(await gateway.metric("datapoints_refused_total") == 1)
    }
  }

  @Test func `An app hears a controller as any appliance, beside the dashboards`() async throws {
    try await Self.run { gateway in
      let token = try await gateway.deviceToken(Self.first)
      try await gateway.subscribed(to: Self.first) { app in
        try await RawClient.open(port: gateway.port, "/ws/datapoints/stream?token=\(gateway.token())") { dashboard in
          _ = try await dashboard.read()
          try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?token=\(token)") { controller in
            try await controller.send(Self.batch([("a", 1)]))
            #expect(try await Self.datapoints(dashboard) == ["a": "1"])
            let event = try Event(parsing: try await app.read().payload)
            #expect(event.type == .datapoints && event.applianceID == Self.first && event.id != nil)
            #expect(
              String(decoding: event.data, as: UTF8.self)
                == #"{"experiment_public_id":"exp-1","datapoints":[{"event_public_id":"a","value":1}]}"#)
          }
        }
        // The dashboards have gone, the app has not.
        try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?token=\(token)") { controller in
          try await controller.send(Self.batch([("b", 2)]))
          #expect(try Event(parsing: try await app.read().payload).type == .datapoints)
        }
      }
    }
  }

  @Test func `Values that come faster than they go out are told by the last one`() async throws {
    try await Self.run { gateway in
      let token = try await gateway.deviceToken(Self.first)
      try await RawClient.open(port: gateway.port, "/ws/datapoints/stream?token=\(gateway.token())") { dashboard in
        _ = try await dashboard.read()
        try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?ack=1&token=\(token)") { controller in
          for value in 1...40 {
            try await controller.send(Self.batch([("a", value)]))
            _ = try await controller.read()
          }
        }
        var (last, count) = ("", 0)
        while last != "40" {
          last = try await Self.datapoints(dashboard)["a"] ?? last
          count += 1
        }
        #expect(count < 40)
      }
    }
  }

  @Test func `A controller that is taken away is not heard any more, and a new one is`() async throws {
    try await Self.run { gateway in
      let (first, second) = (try await gateway.deviceToken(Self.first), try await gateway.deviceToken(Self.second))
      try await RawClient.open(port: gateway.port, "/ws/datapoints/stream?token=\(gateway.token())") { dashboard in
        _ = try await dashboard.read()
        gateway.directory.state.withLock { $0.rights["ann"] = [Self.second: .watch] }
        try await gateway.log.publish(AccessChange.appliance(Self.first).encoded(), to: Bus.changes)
        try await gateway.waitFor("subscriptions", 1)
        try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?ack=1&token=\(first)") { controller in
          try await controller.send(Self.batch([("a", 1)]))
          _ = try await controller.read()
        }
        try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?ack=1&token=\(second)") { controller in
          try await controller.send(Self.batch([("c", 2)]))
          #expect(try await Self.datapoints(dashboard) == ["c": "2"])
        }
      }
    }
  }

  @Test func `Sensors and experiments that change count from then on`() async throws {
    try await Self.run { gateway in
      let token = try await gateway.deviceToken(Self.first)
      try await RawClient.open(port: gateway.port, "/ws/controller/telemetry?ack=1&token=\(token)") { controller in
        try await controller.send(Self.batch([("a", 1)]))
        #expect(try await controller.read().text == #"{"type":"ack","accepted":1,"rejected":0}"#)
        gateway.directory.state.withLock { $0.controllers[Self.first] = ControllerSettings(sensors: ["b"], experimentID: nil) }
        try await gateway.log.publish(AccessChange.sensors(of: Self.first).encoded(), to: Bus.changes)
        var answer = ""
        let deadline = ContinuousClock.now + .seconds(10)
        while answer != #"{"type":"error","message":"No valid datapoints in batch"}"#, .now < deadline {
          try await controller.send(Self.batch([("a", 2)]))
          answer = try await controller.read().text
        }
        #expect(.now < deadline)
      }
    }
  }

  @Test(arguments: ["/ws/controller/telemetry", "/ws/datapoints/stream"])
  func `Whoever may not come in is told why in the document's words`(path: String) async throws {
    try await Self.run { gateway in
      let isStream = path.hasSuffix("stream")
      let good = isStream ? try await gateway.token() : try await gateway.deviceToken(Self.first)
      let wrongKind = isStream ? try await gateway.deviceToken(Self.first) : try await gateway.token()
      let unknown = isStream ? try await gateway.token("nobody") : try await gateway.deviceToken(Samples.id("LAB-404"))
      for (token, reason) in [
        (nil, "Authentication required"), ("nonsense", "Invalid or expired token"), (wrongKind, "Invalid or expired token"),
        (unknown, "User not found"),
      ] {
        try await RawClient.open(port: gateway.port, token.map { "\(path)?token=\($0)" } ?? path) { client in
          let close = try await client.read()
          #expect(close.closeCode == 1008 && close.closeReason == reason)
        }
      }
      gateway.directory.state.withLock { $0.areAllRevoked = true }
      try await RawClient.open(port: gateway.port, "\(path)?token=\(good)") { client in
        let close = try await client.read()
        #expect(close.closeCode == 1008 && close.closeReason == "Token has been revoked")
      }
    }
  }
}
