import LocalStack
import Testing

@testable import MQTTClient

@Suite("Publisher, against Mosquitto")
struct PublisherTests {
  typealias Version = MQTTConfiguration.ProtocolVersion

  private func message(_ payload: String, retained: Bool = false, expiry: Duration? = nil, qos: MQTTQoS = .atLeastOnce) -> MQTTPublication {
    MQTTPublication(topic: "martlet/a1/commands/x", payload: Array(payload.utf8), qos: qos, isRetained: retained, expiry: expiry)
  }

  @Test(arguments: Version.allCases)
  func `an acknowledged message is at the broker`(version: Version) async throws {
    try await Fixture.run { fixture in
      let publisher = try fixture.publisher(fixture.configuration("publisher", version))
      try await running(publisher) {
        let answer = try await publisher.publish(message("hello", retained: true))
        #expect(answer.reasonCode == (version == .v5 ? 16 : 0))  // nobody is subscribed
        #expect(try await fixture.firstMessage(on: "martlet/a1/commands/x", format: "%q %r %p") == "0 1 hello")
        try await publisher.publish(message("fleeting", retained: true, qos: .atMostOnce))
      }
    }
  }

  @Test func `message expiry reaches the broker, and is refused where the protocol has none`() async throws {
    try await Fixture.run { fixture in
      let publisher = try fixture.publisher(fixture.configuration("publisher"))
      try await running(publisher) {
        try await publisher.publish(message("soon stale", retained: true, expiry: .seconds(3000)))
        let expiry = try await fixture.firstMessage(on: "martlet/a1/commands/x", format: "%E")
        #expect((2900...3000).contains(Int(expiry) ?? 0))
      }
      let old = try fixture.publisher(fixture.configuration("old", .v311))
      let error = await #expect(throws: MQTTError.self) { try await old.publish(message("x", expiry: .seconds(1))) }
      #expect(error?.code == .invalidMessage)
    }
  }

  @Test func `a refusal carries the broker's reason code`() async throws {
    try await Fixture.run { fixture in
      let publisher = try fixture.publisher(fixture.configuration("publisher", user: .ingest))
      try await running(publisher) {
        let foreign = MQTTPublication(topic: "elsewhere", payload: [])
        let error = await #expect(throws: MQTTError.self) { try await publisher.publish(foreign) }
        #expect(error?.code == .refused && error?.reasonCode == 0x87)
        #expect(error?.message.contains("Not authorized") == true)
        try await publisher.publish(message("permitted"))
      }
    }
  }

  @Test(arguments: ["", "a/+", "a/#", "a\0b"])
  func `a topic that cannot be published to is refused`(topic: String) async throws {
    let publisher = try MQTTPublisher(
      configuration: MQTTConfiguration(url: "mqtt://127.0.0.1:1", clientID: "p"), logger: Fixture.quiet)
    let error = await #expect(throws: MQTTError.self) { try await publisher.publish(MQTTPublication(topic: topic, payload: [])) }
    #expect(error?.code == .invalidMessage)
  }

  @Test func `a broker that is stopped lets calls run into their deadline, and later ones succeed`() async throws {
    try await Fixture.run { fixture in
      let publisher = try fixture.publisher(fixture.configuration("publisher"))
      try await running(publisher) {
        try await publisher.publish(message("1"))
        try await fixture.stack.pause("mosquitto")
        let error = await #expect(throws: MQTTError.self) { try await publisher.publish(message("2"), timeout: .milliseconds(300)) }
        #expect(error?.code == .timeout)
        try await fixture.stack.resume("mosquitto")
        try await publisher.publish(message("3"))
      }
    }
  }

  @Test func `a call that does not wait for a connection fails while there is none, and nothing of it goes out later`() async throws {
    try await Fixture.run { fixture in
      let publisher = try fixture.publisher(fixture.configuration("publisher"))
      try await running(publisher) {
        try await publisher.publish(message("1"), waitsForConnection: true)
        try await publisher.publish(message("2"), waitsForConnection: false)
        try await fixture.stack.stop("mosquitto")
        let error = await #expect(throws: MQTTError.self) {
          // The first may still find the connection that is about to be lost.
          for _ in 0..<2 { try await publisher.publish(message("3", retained: true), timeout: .seconds(60), waitsForConnection: false) }
        }
        #expect(error?.code == .unreachable || error?.code == .connectionLost)
        try await fixture.stack.start("mosquitto")
        try await publisher.publish(message("4", retained: true))
        #expect(try await fixture.firstMessage(on: "martlet/a1/commands/x", format: "%p") == "4")
      }
    }
  }

  @Test func `calls in flight fail when their connection dies, and the next one goes over a new connection`() async throws {
    try await Fixture.run { fixture in
      let publisher = try fixture.publisher(fixture.configuration("publisher"))
      try await running(publisher) {
        try await fixture.connected()
        try await fixture.stack.pause("mosquitto")
        let outcomes = Inbox<MQTTError.Code?>()
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 1...10 { group.addTask { await outcomes.append(self.outcome(of: publisher, "\(number)", timeout: .seconds(60))) } }
          // Once this one's deadline has passed, those before it are on their way.
          #expect(await outcome(of: publisher, "short", timeout: .milliseconds(300)) == .timeout)
          try await fixture.stack.kill("mosquitto")
          let codes = try await outcomes.wait { $0.contains(.connectionLost) }
          #expect(codes.allSatisfy { $0 == .connectionLost })
          try await fixture.stack.start("mosquitto")
          try await group.waitForAll()
        }
        try await publisher.publish(message("next"), timeout: .seconds(30))
      }
    }
  }

  /// `nil` for success.
  private func outcome(of publisher: MQTTPublisher, _ payload: String, timeout: Duration) async -> MQTTError.Code? {
    do {
      try await publisher.publish(message(payload), timeout: timeout)
      return nil
    } catch { return (error as? MQTTError)?.code ?? .closed }
  }

  @Test func `calls beyond the bound are refused, and shutdown answers everyone`() async throws {
    try await Fixture.run { fixture in
      var limits = MQTTPublisher.Limits()
      limits.calls = 2
      let publisher = try fixture.publisher(fixture.configuration("publisher"), limits: limits)
      try await running(publisher) {
        try await fixture.connected()
        try await fixture.stack.pause("mosquitto")
        let outcomes = Inbox<MQTTError.Code?>()
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 1...3 {
            group.addTask { await outcomes.append(self.outcome(of: publisher, "\(number)", timeout: .milliseconds(500))) }
          }
          let codes = try await outcomes.wait(count: 3)
          #expect(codes.filter { $0 == .overloaded }.count == 1)
          #expect(codes.filter { $0 == .timeout }.count == 2)
        }
        try await fixture.stack.resume("mosquitto")
      }
      let late = await #expect(throws: MQTTError.self) { try await publisher.publish(message("late")) }
      #expect(late?.code == .closed)
    }
  }

  @Test func `thousands of calls from many tasks are each answered`() async throws {
    try await Fixture.run { fixture in
      let publisher = try fixture.publisher(fixture.configuration("publisher"))
      try await running(publisher) {
        try await running(fixture.subscriber(fixture.configuration("reader"))) {
          try await fixture.subscribed()
          try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<50 {
              group.addTask { for number in 0..<40 { try await publisher.publish(message("\(task)-\(number)")) } }
            }
            try await group.waitForAll()
          }
          let messages = try await fixture.messages.wait { $0.count >= 2000 }
          #expect(Set(messages.map(\.payload)).count == 2000)
        }
      }
    }
  }
}
