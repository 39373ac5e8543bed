import Foundation
import LocalStack
import Models
import PostgresClient
import Store
import Testing

@testable import Webhooks

/// Against a receiver that verifies signatures with a public library.
@Suite(.timeLimit(.minutes(3)), .enabled(if: Tool.pypiPython != nil, "`make test` has not fetched standardwebhooks"))
struct DispatchTests {
  @Test func `A message reaches whoever wants it and may see the appliance, signed and once`() async throws {
    try await Scene.run { scene in
      let own = try await scene.webhook("own", "ok")
      let shared = try await scene.webhook("shared", "ok", of: "guest", types: [.alarmRaised])
      let admin = try await scene.webhook("admin", "ok", of: "root")
      let other = try await scene.webhook("other", "ok", types: [.sensorReading])
      let stranger = try await scene.webhook("stranger", "ok", of: "stranger")
      try await scene.emit(0..<20)
      try await scene.emit(10..<20)
      try await scene.emit(20..<30, of: "EPIC-002")
      try await scene.dispatching {
        for (webhook, count) in [(own, 30), (shared, 20), (admin, 30), (other, 0), (stranger, 0)] {
          let deliveries = try await scene.settled(webhook, count: count)
          #expect(deliveries.allSatisfy { $0.state == .delivered && $0.attempts.map(\.status) == [200] })
          let received = scene.receiver.received("/\(webhook.settings.name)")
          #expect(received.compactMap(\.data?.n).sorted() == Array(0..<count))
          #expect(Set(received.compactMap(\.id)) == Set(deliveries.map(\.messageID.description)))
        }
        #expect(scene.receiver.all.allSatisfy { $0.verified == true })
        #expect(scene.receiver.received("/own").allSatisfy { $0.type == "alarm.raised" && $0.data?.appliance_id != nil })
      }
    }
  }

  @Test func `A message that nobody takes is not stored`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "ok", types: [.alarmRaised])
      _ = try await scene.webhook("stranger", "ok", of: "stranger")
      let appliance = try ApplianceID(Scene.appliance)
      var rows = WebhookRows(try await scene.rules.withConnection { session in try WebhookInterest.read(in: session) })
      for type in [WebhookEventType.alarmRaised, .alarmCleared] {
        rows.append(type, of: appliance, data: Array("{}".utf8), at: scene.now, key: "1")
      }
      #expect(rows.count == 1)
      // Who wanted it wants it no more by the time that it is stored.
      _ = try await scene.store.change(webhook.id, to: webhook.settings, enabled: false)
      let messages = rows
      try await scene.rules.withConnection { session in try messages.write(in: session) }
      #expect(try await scene.postgres.query("SELECT count(*) FROM webhook_messages") == "0")
    }
  }

  @Test func `Old messages go with their deliveries, by the rights that the dispatcher has`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "ok")
      try await scene.emit(0..<5)
      _ = try await scene.postgres.query(
        "UPDATE webhook_messages SET stored_at = now() - interval '31 days' WHERE body->'data'->>'n' <> '0'")
      let oldest = scene.now + (.zero - .seconds(30 * 86_400))
      let counts = try await scene.rules.withConnection { session in
        try [3, 3].map { limit in try WebhookQueue.sweep(storedBefore: oldest, limit: limit, in: session) }
      }
      #expect(counts == [3, 1])
      #expect(try await scene.deliveries(of: webhook).count == 1)
    }
  }

  @Test(arguments: [
    ("fail", WebhookFailure.status, 500 as Int?), ("redirect", .status, 307), ("close", .connectionLost, nil), ("hang", .timeout, nil),
  ])
  func `A receiver that does not take a message is asked again until it does, and the log tells how it went`(
    mode: String, failure: WebhookFailure, status: Int?
  ) async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", mode)
      try await scene.emit(0..<1)
      try await scene.dispatching(Scene.configuration { $0.attemptTimeout = .seconds(1) }) {
        _ = try await eventually("a failed attempt") { try await scene.deliveries(of: webhook).first?.attempts.first }
        try await scene.receiver.behave("/hook", "ok")
        let delivery = try #require(try await scene.settled(webhook, count: 1).first)
        #expect(delivery.state == .delivered)
        let attempts = delivery.attempts
        #expect(attempts.map(\.number) == Array(1...attempts.count))
        #expect(attempts.dropLast().allSatisfy { $0.failure == failure && $0.status == status && $0.detail != nil })
        #expect(attempts.last?.failure == nil && attempts.last?.status == 200 && attempts.last?.detail == "thanks")
        #expect(zip(attempts, attempts.dropFirst()).allSatisfy { $0.startedAt + .milliseconds($0.duration_ms) <= $1.startedAt })
        #expect(scene.receiver.received("/hook").count == attempts.count)
        #expect(Set(scene.receiver.all.compactMap(\.id)) == [delivery.messageID.description])
        #expect(scene.receiver.all.allSatisfy { $0.verified == true && $0.followed == nil })
        #expect(try await scene.store.webhook(webhook.id, of: nil)?.failingSince == nil)
      }
    }
  }

  @Test func `After the last retry a delivery is dead, and can be tried again one by one or all since a moment`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "fail")
      try await scene.emit(0..<3)
      try await scene.dispatching {
        let dead = try await scene.settled(webhook, count: 3)
        #expect(dead.allSatisfy { $0.state == .dead && $0.attempts.count == 5 && $0.dueAt == nil })
        #expect(dead[0].attempts[0].detail == "out of [31mcheese")
        try await scene.receiver.behave("/hook", "ok")
        #expect(try await scene.store.retry(dead[0].id, of: webhook.id))
        _ = try await eventually("one delivered") { try await scene.deliveries(of: webhook)[0].state == .delivered ? true : nil }
        #expect(try await scene.deliveries(of: webhook).map(\.state) == [.delivered, .dead, .dead])
        #expect(try await scene.store.replay(WebhookReplay(HistoryWindow(from: .now())), of: webhook.id).count == 0)
        #expect(try await scene.store.replay(WebhookReplay(HistoryWindow(from: scene.now)), of: webhook.id).count == 2)
        let all = try await scene.settled(webhook, count: 3)
        #expect(all.allSatisfy { $0.state == .delivered && $0.attempts.count == 6 })
        #expect(try await scene.store.replay(WebhookReplay(HistoryWindow(), includesDelivered: true), of: webhook.id).count == 3)
        #expect(try await scene.settled(webhook, count: 3).allSatisfy { $0.attempts.count == 7 })
        #expect(Set(scene.receiver.received("/hook").compactMap(\.id)).count == 3)
      }
    }
  }

  @Test func `410 disables a webhook, and its owner's others are told`() async throws {
    try await Scene.run { scene in
      let gone = try await scene.webhook("gone", "gone", types: [.alarmRaised])
      let other = try await scene.webhook("other", "ok", types: [.webhookDisabled])
      let guests = try await scene.webhook("guests", "ok", of: "guest", types: [.webhookDisabled])
      try await scene.emit(0..<1)
      try await scene.dispatching {
        #expect(try await scene.settled(gone, count: 1).map(\.state) == [.dead])
        _ = try await scene.settled(other, count: 1)
        #expect(try await scene.store.webhook(gone.id, of: "owner")?.disabled?.because == .gone)
        let told = try #require(scene.receiver.received("/other").first)
        #expect(told.type == "webhook.disabled" && told.data?.webhook_id == gone.id.text && told.data?.reason == "gone")
        #expect(try await scene.deliveries(of: guests).isEmpty)
        // While it is disabled nothing is kept for it; enabled, it works again.
        try await scene.emit(1..<2)
        try await scene.receiver.behave("/gone", "ok")
        _ = try await scene.store.change(gone.id, to: gone.settings, enabled: true)
        try await scene.emit(2..<3)
        #expect(try await scene.settled(gone, count: 2).map(\.state) == [.dead, .delivered])
      }
    }
  }

  @Test func `A webhook that has failed for too long is disabled`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "fail")
      try await scene.emit(0..<1)
      try await scene.dispatching(Scene.configuration { $0.patience = .milliseconds(100) }) {
        _ = try await eventually("disabling") { try await scene.store.webhook(webhook.id, of: nil)?.disabled }
        #expect(try await scene.store.webhook(webhook.id, of: nil)?.disabled?.because == .failing)
        #expect(try await scene.deliveries(of: webhook).map(\.state) == [.pending])
      }
    }
  }

  @Test func `Receivers that hang keep no other waiting`() async throws {
    try await Scene.run { scene in
      var hanging: [Webhook] = []
      for number in 0..<10 { hanging.append(try await scene.webhook("hang\(number)", "hang", of: "guest", inFlightMax: 2)) }
      let quick = try await scene.webhook("quick", "ok")
      let configuration = Scene.configuration { limits in
        limits.attemptTimeout = .seconds(20)
        limits.slots = .init(total: 24, troubled: 8)
      }
      try await scene.emit(0..<50)
      try await scene.dispatching(configuration) { [hanging] in
        let delivered = try await scene.settled(quick, count: 50)
        #expect(delivered.allSatisfy { $0.attempts.count == 1 })
        for webhook in hanging { #expect(try await scene.deliveries(of: webhook).allSatisfy { $0.state == .pending }) }
      }
    }
  }

  @Test func `With one at a time messages arrive in order, also when the first attempt fails`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "failonce", inFlightMax: 1)
      try await scene.emit(0..<20)
      try await scene.dispatching {
        _ = try await scene.settled(webhook, count: 20)
        #expect(scene.receiver.received("/hook").compactMap(\.data?.n) == [0] + Array(0..<20))
      }
    }
  }

  @Test func `Discrete events go before readings that have waited longer`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "ok", inFlightMax: 1)
      try await scene.emit(0..<10, .sensorReading)
      try await scene.emit(10..<12, .alarmRaised)
      try await scene.dispatching {
        _ = try await scene.settled(webhook, count: 12)
        #expect(scene.receiver.received("/hook").compactMap(\.data?.n) == [10, 11] + Array(0..<10))
      }
    }
  }

  @Test func `Retry-After holds the whole webhook`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "busy:1", inFlightMax: 1)
      try await scene.emit(0..<2)
      try await scene.dispatching {
        _ = try await eventually("a failed attempt") { try await scene.deliveries(of: webhook).first?.attempts.first }
        try await scene.receiver.behave("/hook", "ok")
        _ = try await scene.settled(webhook, count: 2)
        let times = scene.receiver.received("/hook").compactMap(\.at)
        #expect(times.count == 3 && times[1] - times[0] >= 1)
      }
    }
  }

  @Test func `An answer whose body never ends is a success that keeps nobody waiting`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "drip")
      try await scene.emit(0..<1)
      try await scene.dispatching {
        let delivery = try #require(try await scene.settled(webhook, count: 1).first)
        #expect(delivery.state == .delivered && delivery.attempts.count == 1)
      }
    }
  }

  @Test func `While secrets rotate each signs, afterwards only the new one`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "ok")
      let next = WebhookSecret()
      try await scene.store.rotateSecret(of: webhook.id, to: next, overlap: .seconds(60), now: .now())
      try await scene.dispatching {
        try await scene.emit(0..<1)
        _ = try await scene.settled(webhook, count: 1)
        try await scene.receiver.behave("/hook", "ok", secret: next.text)
        try await scene.emit(1..<2)
        _ = try await scene.settled(webhook, count: 2)
        #expect(scene.receiver.received("/hook").map(\.signatures) == [2, 2])
        let last = WebhookSecret()
        try await scene.store.rotateSecret(of: webhook.id, to: last, overlap: .zero, now: .now())
        try await scene.receiver.behave("/hook", "ok", secret: last.text)
        try await scene.emit(2..<3)
        _ = try await scene.settled(webhook, count: 3)
        #expect(scene.receiver.received("/hook").map(\.signatures) == [2, 2, 1])
      }
    }
  }

  @Test func `A dispatcher that died is followed by another: everything arrives, and the log says what was interrupted`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "hang", inFlightMax: 4)
      try await scene.emit(0..<10)
      // A lease ends ten seconds after the attempt's own limit.
      try await scene.dispatching(Scene.configuration { $0.attemptTimeout = .seconds(1) }) {
        _ = try await scene.receiver.next("requests") { scene.receiver.received("/hook").count >= 4 ? true : nil }
      }
      #expect(try await scene.deliveries(of: webhook).allSatisfy { $0.attempts.isEmpty })
      try await scene.receiver.behave("/hook", "ok")
      try await scene.dispatching(Scene.configuration { $0.attemptTimeout = .seconds(1) }) {
        let deliveries = try await scene.settled(webhook, count: 10)
        #expect(deliveries.allSatisfy { $0.state == .delivered })
        let interrupted = deliveries.filter { $0.attempts.first?.failure == .interrupted }
        #expect(interrupted.count == 4 && interrupted.allSatisfy { $0.attempts.map(\.number) == [1, 2] })
        let received = scene.receiver.received("/hook")
        #expect(Set(received.compactMap(\.data?.n)) == Set(0..<10))
        #expect(Set(received.compactMap(\.id)).count == 10)
      }
    }
  }

  @Test func `Two dispatchers share the work, and nothing is sent twice`() async throws {
    try await Scene.run { scene in
      var webhooks: [Webhook] = []
      for number in 0..<4 { webhooks.append(try await scene.webhook("hook\(number)", "ok")) }
      let all = webhooks
      try await scene.dispatching {
        try await scene.dispatching {
          for part in 0..<10 { try await scene.emit(part * 20..<part * 20 + 20) }
          for webhook in all {
            #expect(try await scene.settled(webhook, count: 200).allSatisfy { $0.attempts.map(\.failure) == [nil] })
            #expect(scene.receiver.received("/\(webhook.settings.name)").compactMap(\.data?.n).sorted() == Array(0..<200))
          }
        }
      }
    }
  }
}
