import Foundation
import LocalStack
import Models
import PostgresClient
import Store
import Testing

/// Whole services: what a person asks of the API is delivered by replicas of `rules`, whatever is killed.
@Suite(.timeLimit(.minutes(5)), .enabled(if: Tool.pypiPython != nil, "`make test` has not fetched standardwebhooks"))
struct ReplicaTests {
  @Test func `webhooks test tells what the receiver made of it, and deliveries what became of all`() async throws {
    try await Replicas.run(1) { _, receiver, martletctl in
      let (id, secret) = try await martletctl.add("hook", "http://127.0.0.1:\(receiver.port)/hook")
      try await receiver.behave("/hook", "ok", secret: secret)
      #expect(try await martletctl("webhooks", "test", id).contains("delivered"))
      #expect(receiver.received("/hook").map(\.type) == ["webhook.test"])
      try await receiver.behave("/hook", "fail")
      #expect(try await martletctl("webhooks", "test", id, status: 1).contains("status 500"))
      let list = try await martletctl("deliveries", id)
      #expect(list.contains("webhook.test") && list.contains("delivered") && list.contains("pending"))
      try await martletctl("webhooks", "disable", id)
      #expect(try await martletctl("webhooks").contains("user"))
      try await martletctl("webhooks", "test", id, status: 1)
      try await martletctl("webhooks", "change", id, "--types", "alarm.raised,alarm.cleared", "--in-flight", "1")
      try await martletctl("webhooks", "enable", id)
      let rotated = try await martletctl("webhooks", "rotate", id, "--overlap", "0").split(whereSeparator: \.isWhitespace).last
      try await receiver.behave("/hook", "ok", secret: String(try #require(rotated)))
      #expect(try await martletctl("webhooks", "test", id).contains("delivered"))
      #expect(try await martletctl("deliveries", "replay", id, "--since", "2026-01-01T00:00:00Z", "--all").contains("due again"))
      try await martletctl("webhooks", "remove", id)
      #expect(try await !martletctl("webhooks").contains(id))
    }
  }

  @Test func `Replicas that are killed while a receiver dies and returns lose nothing, and send nothing new twice`() async throws {
    try await Replicas.run(2) { stack, receiver, martletctl in
      let (id, secret) = try await martletctl.add("hook", "http://127.0.0.1:\(receiver.port)/hook")
      let webhook = try #require(WebhookID(id))
      try await receiver.behave("/hook", "slow:0.2", secret: secret)
      let postgres = try stack.postgres
      let rules = PostgresPool(try postgres.configuration(.rules), logger: quiet)
      let store = WebhookStore(PostgresPool(try postgres.configuration(.api), logger: quiet))
      try await emit(0..<100, rules)
      _ = try await receiver.next("requests") { receiver.received("/hook").count >= 10 ? true : nil }
      try await stack.kill("rules-1")
      _ = try await receiver.next("more requests") { receiver.received("/hook").count >= 20 ? true : nil }
      try await stack.kill("rules-2")
      try await emit(100..<200, rules)
      try await receiver.behave("/hook", "ok")
      try await stack.start("rules-1")
      try await stack.start("rules-2")
      let deliveries = try await eventually("all delivered") {
        let all = try await store.deliveries(of: webhook, limit: 1000).items
        return all.count == 200 && all.allSatisfy { $0.state == .delivered } ? all : nil
      }
      let received = receiver.received("/hook")
      #expect(Set(received.compactMap(\.data?.n)) == Set(0..<200))
      #expect(receiver.all.allSatisfy { $0.verified == true })
      // Each number under one id, however often it came, and the log knows of each time.
      #expect(Set(received.compactMap(\.id)).count == 200)
      let attempts = deliveries.flatMap(\.attempts)
      #expect(attempts.count >= received.count)
      #expect(attempts.contains { $0.failure == .interrupted })
    }
  }

  private func emit(_ numbers: Range<Int>, _ pool: PostgresPool) async throws {
    let id = try ApplianceID("EPIC-001")
    try await pool.withTransaction { session in
      var rows = WebhookRows(try WebhookInterest.read(in: session))
      for number in numbers { rows.append(.alarmRaised, of: id, data: Array(#"{"n":\#(number)}"#.utf8), at: .now(), key: "\(number)") }
      try rows.write(in: session)
    }
  }
}
