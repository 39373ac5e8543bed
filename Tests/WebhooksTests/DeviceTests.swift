import Foundation
import LocalStack
import Testing

/// From a device's MQTT publish to somebody's receiver, through whole services.
@Suite(.serialized, .timeLimit(.minutes(10)), .enabled(if: Tool.pypiPython != nil, "`make test` has not fetched standardwebhooks"))
struct DeviceTests {
  private static let rules = #"[{id: hot, severity: critical, when: {metric: temperature, operator: ">", value: 999, clear: 500}}]"#
  private static let types = ["rule.triggered", "alarm.raised", "alarm.cleared"]

  @Test func `What a cooker, its rule and its owner do is told as it happens`() async throws {
    try await Replicas.run(2, and: ["ingest"], rules: Self.rules) { stack, receiver, martletctl in
      let (_, secret) = try await martletctl.add("hook", "http://127.0.0.1:\(receiver.port)/hook")
      try await receiver.behave("/hook", "ok", secret: secret)
      func heard(_ type: String) async throws -> Receiver.Request {
        try await receiver.next(type) { receiver.received("/hook").last { $0.type == type } }
      }
      try await Self.becomeKnown(stack) { receiver.received("/hook").contains { $0.type == "appliance.online" } }
      try await Self.publish("session/progress", [#"{"temperature":20}"#, #"{"temperature":1000}"#], to: stack)
      #expect(try await heard("sensor_reading").data?.metric == "temperature")
      #expect(try await heard("rule.triggered").data?.value == 1000)
      let alarm = try #require(try await heard("alarm.raised").data?.alarm_id)
      try await martletctl("acknowledge", "EPIC-001", "\(alarm)")
      #expect(try await heard("alarm.acknowledged").data?.acknowledged_by == "owner")
      try await Self.publish("session/progress", [#"{"temperature":20}"#], to: stack)
      #expect(try await heard("alarm.cleared").data?.alarm_id == alarm)
      try await Self.publish("session/complete", [#"{"session_id":"s-1","total_duration_s":60}"#], to: stack)
      #expect(try await heard("session.completed").data?.session_id == "s-1")
      // Nobody has subscribed to the cooker's commands.
      try await martletctl("send", "EPIC-001", "cooking:start", "--data", #"{"recipe_id":"r-1"}"#, status: 1)
      #expect(try await heard("command.failed").data?.code == "APPLIANCE_OFFLINE")
      try await Self.publish("status", [#"{"status":"offline","reason":"over"}"#], to: stack)
      _ = try await receiver.next("appliance.offline") {
        receiver.received("/hook").contains { $0.type == "appliance.offline" && $0.data?.reason == "over" } ? true : nil
      }
      let all = receiver.all
      #expect(all.allSatisfy { $0.verified == true && $0.data?.appliance_id == "EPIC-001" })
      for type in Self.types + ["alarm.acknowledged", "session.completed", "command.failed"] {
        #expect(Set(all.filter { $0.type == type }.map(\.id)).count == 1, "\(type)")
      }
    }
  }

  @Test func `What happens while a receiver is dead, and replicas of the rules die, arrives when it is back, and nothing under two ids`()
    async throws
  {
    try await Replicas.run(2, and: ["ingest"], rules: Self.rules) { stack, _, martletctl in
      let receiver = Receiver(in: stack.folder.path, name: "mortal")
      try await receiver.running {
        let url = "http://127.0.0.1:\(receiver.port)/hook"
        let (_, secret) = try await martletctl.add("hook", url, "--types", (Self.types + ["appliance.online"]).joined(separator: ","))
        try await receiver.behave("/hook", "ok", secret: secret)
        try await Self.becomeKnown(stack) { !receiver.received("/hook").isEmpty }
        try await Self.cross(0..<20, stack)
        _ = try await receiver.next("the first") { receiver.received("/hook").count >= 10 ? true : nil }
      }
      try await Self.cross(20..<40, stack)
      try await stack.kill("rules-1")
      try await Self.cross(40..<60, stack)
      _ = try await eventually("a failed attempt") {
        try await stack.postgres.query("SELECT count(*) > 0 FROM webhook_attempts WHERE failure IS NOT NULL") == "t" ? true : nil
      }
      try await stack.start("rules-1")
      try await receiver.running {
        try await stack.kill("rules-2")
        try await stack.start("rules-2")
        try await Self.delivered(60, stack)
      }
      Self.check(60, receiver)
      let attempts = Int(try await stack.postgres.query("SELECT count(*) FROM webhook_attempts")) ?? 0
      #expect(attempts >= receiver.all.count, "the log knows of each time")
    }
  }

  private static func check(_ count: Int, _ receiver: Receiver) {
    #expect(receiver.all.allSatisfy { $0.verified == true })
    for type in types {
      let told = receiver.received("/hook").filter { $0.type == type }
      let byCause = Dictionary(grouping: told) { type == "rule.triggered" ? $0.data?.value ?? -1 : Double($0.data?.alarm_id ?? -1) }
      #expect(byCause.count == count && byCause[-1] == nil, "\(type)")
      #expect(byCause.values.allSatisfy { Set($0.map(\.id)).count == 1 } && Set(told.map(\.id)).count == count, "\(type)")
    }
  }

  /// Waits until all of so many crossings are delivered. Nobody waits here for the pauses between retries, of hours in the end.
  private static func delivered(_ count: Int, _ stack: LocalStack) async throws {
    _ = try await eventually("all delivered", within: .seconds(90)) {
      let delivered = try await stack.postgres.query(
        """
        WITH hurried AS (UPDATE webhook_deliveries SET due_at = now() WHERE state = 'pending' AND lease IS NULL AND due_at > now())
        SELECT count(*) FROM webhook_deliveries JOIN webhook_messages message ON message.id = message_id
        WHERE state = 'delivered' AND type <> 'appliance.online'
        """)
      return delivered == "\(count * types.count)" ? true : nil
    }
  }

  /// The rule fires at each of so many values, and is cleared behind each.
  private static func cross(_ numbers: Range<Int>, _ stack: LocalStack) async throws {
    let payloads = numbers.flatMap { [#"{"temperature":\#(1000 + $0)}"#, #"{"temperature":\#(-$0)}"#] }
    try await publish("session/progress", payloads, to: stack)
  }

  /// Until the replicas, which look each second, know a new webhook.
  private static func becomeKnown(_ stack: LocalStack, _ isKnown: () -> Bool) async throws {
    _ = try await eventually("a webhook that is known") {
      try await publish("status", [#"{"status":"offline"}"#, #"{"status":"online"}"#], to: stack)
      return isKnown() ? true : nil
    }
  }

  private static func publish(_ topic: String, _ payloads: [String], to stack: LocalStack) async throws {
    let lines = payloads.map { $0 + "\n" }.joined()
    try await stack.mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/\(topic)", "-l", input: lines)
  }
}
