import LocalStack
import Testing

@testable import MQTTClient

@Suite("Acknowledgement gate, against Mosquitto")
struct GateTests {
  typealias Version = MQTTConfiguration.ProtocolVersion

  @Test(arguments: Version.allCases)
  func `messages whose handler has not returned come again, marked, after a kill`(version: Version) async throws {
    try await Fixture.run { fixture in
      let never = Latch()
      let stuck = try fixture.subscriber(fixture.configuration("one", version)) { _, _ in try await never.pass() }
      try await running(stuck) {
        try await fixture.subscribed()
        try await fixture.publish(["1", "2", "3"])
        _ = try await fixture.messages.wait(count: 1)
      }
      let held = fixture.messages.elements
      #expect(held.allSatisfy { !$0.isRedelivery })

      let again = Fixture(stack: fixture.stack)
      try await running(again.subscriber(again.configuration("one", version))) {
        let messages = try await again.messages.wait { $0.count >= 3 }
        #expect(messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["1", "2", "3"])
        for (first, second) in zip(held, messages) {
          #expect(second.isRedelivery)
          #expect(first.packetID == second.packetID)
          if version == .v5 { #expect(first.sessionToken == second.sessionToken) }
        }
        #expect(try await again.sessions.wait { !$0.isEmpty }.first?.isPresent == true)
      }
    }
  }

  @Test(arguments: Version.allCases)
  func `messages whose handler has returned do not come again`(version: Version) async throws {
    try await Fixture.run { fixture in
      try await running(fixture.subscriber(fixture.configuration("one", version))) {
        try await fixture.subscribed()
        try await fixture.publish(["1", "2", "3"])
        _ = try await fixture.messages.wait(count: 3)
        // A batch is handed over only when the acknowledgements of the one before are written.
        try await fixture.publish(["4"])
        _ = try await fixture.messages.wait(count: 4)
      }
      let again = Fixture(stack: fixture.stack)
      try await running(again.subscriber(again.configuration("one", version))) {
        try await again.subscribed()
        try await again.publish(["5"])
        let messages = try await again.messages.wait { $0.last?.payload == Array("5".utf8) }
        #expect(!messages.contains { [Array("1".utf8), Array("2".utf8), Array("3".utf8)].contains($0.payload) })
        #expect(messages.last?.isRedelivery == false)
      }
    }
  }

  @Test(arguments: Version.allCases)
  func `a batch that fails comes again on a new connection`(version: Version) async throws {
    try await Fixture.run { fixture in
      let subscriber = try fixture.subscriber(fixture.configuration("one", version)) { _, session in
        if session.connection < 3 { throw Refusal() }
      }
      try await running(subscriber) {
        try await fixture.subscribed()
        try await fixture.publish(["1"])
        let messages = try await fixture.messages.wait(count: 3)
        #expect(messages.map(\.isRedelivery) == [false, true, true])
        #expect(Set(messages.map(\.packetID)).count == 1)
        #expect(Set(messages.map(\.sessionToken)).count == 1)
        #expect(try await fixture.sessions.wait(count: 3).map(\.connection) == [1, 2, 3])
        let failures = fixture.events.elements.compactMap { if case .disconnected(let error) = $0 { error.code } else { nil } }
        #expect(failures == [.handler, .handler])
      }
    }
  }

  @Test func `a handler that takes too long loses the connection, and its late success acknowledges nothing`() async throws {
    try await Fixture.run { fixture in
      var limits = MQTTSubscriber.Limits()
      limits.holdTimeout = .milliseconds(300)
      let late = Latch()
      let subscriber = try fixture.subscriber(fixture.configuration(), limits: limits) { _, session in
        if session.connection == 1 { await late.passStubbornly() }
      }
      try await running(subscriber) {
        try await fixture.subscribed()
        try await fixture.publish(["1"])
        try await fixture.connected(times: 2)
        late.open()
        let messages = try await fixture.messages.wait(count: 2)
        #expect(messages.map(\.isRedelivery) == [false, true])
      }
    }
  }

  @Test func `graceful shutdown finishes and acknowledges the batch in hand`() async throws {
    try await Fixture.run { fixture in
      let (started, finish) = (Latch(), Latch())
      let subscriber = try fixture.subscriber(fixture.configuration()) { _, _ in
        started.open()
        try await finish.pass()
      }
      try await runningGracefully(subscriber) { shutDown in
        try await fixture.subscribed()
        try await fixture.publish(["1"])
        try await started.pass()
        shutDown()
        finish.open()
      }
      let again = Fixture(stack: fixture.stack)
      try await running(again.subscriber(again.configuration())) {
        try await again.subscribed()
        try await again.publish(["2"])
        let messages = try await again.messages.wait(count: 1)
        #expect(messages.map(\.payload) == [Array("2".utf8)])
      }
    }
  }

  @Test func `equal payloads are two messages, and neither is a redelivery`() async throws {
    try await Fixture.run { fixture in
      try await running(fixture.subscriber(fixture.configuration())) {
        try await fixture.subscribed()
        try await fixture.publish(["same", "same"])
        let messages = try await fixture.messages.wait(count: 2)
        #expect(messages.map(\.isRedelivery) == [false, false])
        #expect(messages[0].packetID != messages[1].packetID)
      }
    }
  }

  @Test(arguments: Version.allCases)
  func `thousands of messages arrive in order through small batches`(version: Version) async throws {
    try await Fixture.run { fixture in
      var limits = MQTTSubscriber.Limits()
      limits.batchMessages = 100
      try await running(fixture.subscriber(fixture.configuration("one", version), limits: limits)) {
        try await fixture.subscribed()
        let payloads = (0..<3000).map { "\($0)" }
        try await fixture.publish(payloads)
        let messages = try await fixture.messages.wait(count: 3000)
        #expect(messages.map { String(decoding: $0.payload, as: UTF8.self) } == payloads)
        #expect(!messages.contains { $0.isRedelivery })
      }
    }
  }

  @Test func `a long payload is cut, with its true length`() async throws {
    try await Fixture.run { fixture in
      var limits = MQTTSubscriber.Limits()
      limits.payloadBytes = 10
      try await running(fixture.subscriber(fixture.configuration(), limits: limits)) {
        try await fixture.subscribed()
        try await fixture.publish([String(repeating: "x", count: 1000)])
        let message = try #require(try await fixture.messages.wait(count: 1).first)
        #expect(message.payload.count == 10 && message.payloadByteCount == 1000 && message.isTruncated)
      }
    }
  }

  @Test(arguments: Version.allCases)
  func `session and subscription outlive a restart of the broker`(version: Version) async throws {
    try await Fixture.run { fixture in
      let hold = Latch()
      let subscriber = try fixture.subscriber(fixture.configuration("one", version)) { _, session in
        if session.connection == 1 { try await hold.pass() }
      }
      try await running(subscriber) {
        try await fixture.subscribed()
        try await fixture.publish(["1"])
        _ = try await fixture.messages.wait(count: 1)
        try await fixture.stack.restart("mosquitto")
        hold.open()
        try await fixture.subscribed(times: 2)
        let messages = try await fixture.messages.wait(count: 2)
        #expect(messages[1].payload == messages[0].payload && messages[1].isRedelivery)
        if version == .v5 { #expect(messages[1].sessionToken == messages[0].sessionToken) }
        try await fixture.publish(["2"])
        let all = try await fixture.messages.wait(count: 3)
        #expect(all[2].payload == Array("2".utf8) && !all[2].isRedelivery)
      }
    }
  }
}
