import LocalStack
import ServiceLifecycle
import Testing

@testable import MQTTClient

@Suite("Subscriber, against Mosquitto")
struct SubscriberTests {
  typealias Version = MQTTConfiguration.ProtocolVersion

  @Test func `a shared subscription deals every message to one of its members`() async throws {
    try await Fixture.run { fixture in
      let (left, right) = (Fixture(stack: fixture.stack), Fixture(stack: fixture.stack))
      let filters = ["$share/ingest/martlet/+/events/+"]
      try await running(left.subscriber(left.configuration("left"), to: filters)) {
        try await running(right.subscriber(right.configuration("right"), to: filters)) {
          try await left.subscribed()
          try await right.subscribed()
          let payloads = (0..<200).map { "\($0)" }
          try await fixture.publish(payloads)
          let some = try await left.messages.wait { $0.count >= 100 }
          let others = try await right.messages.wait { $0.count >= 100 }
          let received = (some + others).map { String(decoding: $0.payload, as: UTF8.self) }
          #expect(received.count == 200 && Set(received) == Set(payloads))
        }
      }
    }
  }

  @Test(arguments: Version.allCases)
  func `a wrong password ends the start with a sentence`(version: Version) async throws {
    try await Fixture.run { fixture in
      var configuration = try fixture.configuration("one", version)
      configuration.readPassword = { "wrong-secret" }
      let subscriber = try fixture.subscriber(configuration)
      let error = await #expect(throws: MQTTError.self) { try await subscriber.run() }
      #expect(error?.code == .authentication)
      #expect(error?.message.contains("refused the user 'admin': check the user name and the password") == true)
      #expect(error?.description.contains("wrong-secret") == false)
    }
  }

  @Test func `each connection is prepared anew, and one whose preparation fails is not made`() async throws {
    try await Fixture.run { fixture in
      let prepared = Inbox<Int>()
      let subscriber = try fixture.subscriber(
        fixture.configuration(),
        handle: { _, session in if session.connection == 1 { throw Refusal() } },
        prepare: {
          prepared.append(1)
          if prepared.elements.count == 1 { throw Refusal() }
        })
      try await running(subscriber) {
        try await fixture.subscribed()
        #expect(prepared.elements.count == 2)
        try await fixture.publish(["1"])
        _ = try await fixture.messages.wait(count: 2)
        #expect(prepared.elements.count == 3)
        let failures = fixture.events.elements.compactMap { if case .disconnected(let error) = $0 { error.code } else { nil } }
        #expect(failures == [.unprepared, .handler])
      }
    }
  }

  @Test func `a subscriber whose turn never comes ends gracefully`() async throws {
    try await Fixture.run { fixture in
      let asked = Latch()
      let subscriber = try fixture.subscriber(
        fixture.configuration(),
        prepare: {
          asked.open()
          try await Task.sleep(for: .seconds(3600))
        })
      try await runningGracefully(subscriber) { shutDown in
        try await asked.pass()
        shutDown()
      }
      #expect(!fixture.events.elements.contains { if case .connected = $0 { true } else { false } })
    }
  }

  @Test func `TLS is verified against the CA file`() async throws {
    try await Fixture.run(tls: true) { fixture in
      let broker = try fixture.stack.mosquitto
      let tls = try #require(broker.tls)
      var configuration = try MQTTConfiguration(
        url: #require(broker.tlsURL(.admin)), password: broker.password(.admin), clientID: "tls")
      configuration.caFile = tls.caFile
      try await running(fixture.subscriber(configuration)) {
        try await fixture.subscribed()
        let payloads = (0..<2000).map { "\($0)" }
        try await fixture.publish(payloads)
        let messages = try await fixture.messages.wait(count: 2000)
        #expect(messages.map { String(decoding: $0.payload, as: UTF8.self) } == payloads)
      }

      configuration.caFile = nil  // the system's authorities do not know this broker
      let stranger = try fixture.subscriber(configuration)
      let error = await #expect(throws: MQTTError.self) { try await stranger.run() }
      #expect(error?.code == .tls)
      #expect(error?.message.contains("check the CA file") == true)

      configuration.caFile = "/nonexistent/ca.pem"
      let lost = try fixture.subscriber(configuration)
      let missing = await #expect(throws: MQTTError.self) { try await lost.run() }
      #expect(missing?.code == .configuration)
    }
  }

  @Test func `the last will is published after a kill, not after a goodbye`() async throws {
    try await Fixture.run { fixture in
      var configuration = try fixture.configuration("mortal")
      configuration.will = MQTTWill(topic: "martlet/a1/events/gone", payload: Array("killed".utf8), isRetained: true)
      try await runningGracefully(fixture.subscriber(configuration, to: ["other"])) { shutDown in
        try await fixture.subscribed()
        shutDown()
      }
      try await fixture.stack.mosquitto.publish("-q", "1", "-r", "-t", "martlet/a1/events/gone", "-m", "alive")
      #expect(try await fixture.firstMessage(on: "martlet/a1/events/gone") == "alive")

      try await running(fixture.subscriber(configuration, to: ["other"])) { try await fixture.subscribed(times: 2) }
      let fell = Fixture(stack: fixture.stack)
      try await running(fell.subscriber(fell.configuration("witness"), to: ["martlet/a1/events/gone"])) {
        _ = try await fell.messages.wait { $0.contains { $0.payload == Array("killed".utf8) } }
      }
    }
  }

  @Test func `an unreachable broker ends the start once the time for it is over`() async throws {
    var configuration = try MQTTConfiguration(url: "mqtt://127.0.0.1:1", clientID: "one")
    configuration.startTimeout = .milliseconds(200)
    let subscriber = try MQTTSubscriber(
      configuration: configuration, subscriptions: [MQTTSubscription("x")], logger: Fixture.quiet, handle: { _, _ in })
    let error = await #expect(throws: MQTTError.self) { try await subscriber.run() }
    #expect(error?.code == .unreachable)
    #expect(error?.message.contains("127.0.0.1:1 cannot be reached (Connection refused)") == true)
  }

  @Test func `a broker that accepts and says nothing is given up in time`() async throws {
    try await Fixture.run { fixture in
      var configuration = try fixture.configuration()
      configuration.handshakeTimeout = .milliseconds(300)
      configuration.startTimeout = .milliseconds(300)
      let subscriber = try fixture.subscriber(configuration)
      try await fixture.stack.pause("mosquitto")
      let error = await #expect(throws: MQTTError.self) { try await subscriber.run() }
      #expect(error?.code == .unreachable)
      try await fixture.stack.resume("mosquitto")
    }
  }

  @Test func `two clients of one id are told to have different ones`() async throws {
    try await Fixture.run { fixture in
      let twin = Fixture(stack: fixture.stack)
      try await running(fixture.subscriber(fixture.configuration("twin"))) {
        try await fixture.subscribed()
        try await running(twin.subscriber(twin.configuration("twin"))) {
          // Either the broker says so, or the socket is gone before its word has arrived, and the sentence tells of the possibility.
          _ = try await fixture.events.wait {
            $0.contains {
              if case .disconnected(let error) = $0 { error.message.contains("another client") } else { false }
            }
          }
        }
      }
    }
  }

  @Test(arguments: [(Version.v5, "Not authorized"), (.v311, "Unspecified error")])
  func `a refused subscription is told with its reason, and asked for again`(version: Version, reason: String) async throws {
    try await DenyingBroker.run { url in
      var configuration = try MQTTConfiguration(url: url, clientID: "one")
      configuration.protocolVersion = version
      let events = Inbox<MQTTConnectionEvent>()
      let subscriber = try MQTTSubscriber(
        configuration: configuration, subscriptions: [MQTTSubscription("martlet/#")], logger: Fixture.quiet,
        observe: { events.append($0) }, handle: { _, _ in })
      try await running(subscriber) {
        let refusals = try await events.wait { $0.count { if case .subscriptionRefused = $0 { true } else { false } } >= 2 }
        let errors = refusals.compactMap { if case .subscriptionRefused(_, let error) = $0 { error } else { nil } }
        #expect(errors.allSatisfy { $0.message.contains("refused the subscription 'martlet/#' (\(reason)): check its access list") })
        #expect(!refusals.contains(.subscribed))
      }
    }
  }

  @Test func `settings that cannot work are refused`() throws {
    #expect(throws: MQTTError.self) { try MQTTConfiguration(url: "mqtt://h", clientID: "") }
    var configuration = try MQTTConfiguration(url: "mqtt://h", password: "p", clientID: "c")
    let noUser = #expect(throws: MQTTError.self) { try configuration.validate() }
    #expect(noUser?.message.contains("mqtt://USER@h:1883") == true)
    configuration.readPassword = nil
    configuration.keepAlive = .seconds(10)
    var limits = MQTTSubscriber.Limits()
    limits.holdTimeout = .seconds(10)
    let tooLong = #expect(throws: MQTTError.self) {
      try MQTTSubscriber(
        configuration: configuration, subscriptions: [MQTTSubscription("x")], limits: limits, logger: Fixture.quiet, handle: { _, _ in })
    }
    #expect(throws: MQTTError.self) {
      try MQTTSubscriber(
        configuration: MQTTConfiguration(url: "mqtt://h", clientID: "c"), subscriptions: [MQTTSubscription("a/#/b")], logger: Fixture.quiet,
        handle: { _, _ in })
    }
    #expect(tooLong?.message.contains("must be shorter than the MQTT keepalive") == true)
  }
}
