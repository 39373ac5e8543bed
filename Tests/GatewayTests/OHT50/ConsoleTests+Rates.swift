import Models
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

/// How often each type comes to a console.
extension ConsoleTests {
  @Test func `A type comes no more often than it may, its last one always, and safety at once`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway) { client in
        try await subscribe("\"telemetry.realtime\",\"safety.*\",\"mission.*\"", client)
        let begun = ContinuousClock.now
        for number in 1...200 as ClosedRange<UInt64> { try await gateway.append(Samples.event("telemetry.realtime", number)) }
        for number in 1...20 as ClosedRange<UInt64> { try await gateway.append(Samples.event("safety.estop", number)) }
        // Repeats of one and the same.
        for _ in 1...20 { try await gateway.append(Samples.event("safety.estop", 20)) }
        var (telemetry, safety, last) = ([Double](), [Double](), 0.0)
        while last != 200 || safety.count < 21 {
          let message = try JSONObject(parsing: try await client.read().payload)
          guard let value = number(message) else { continue }
          if message.string("type") == "safety.estop" {
            safety.append(value)
          } else {
            telemetry.append(value)
            last = value
          }
        }
        let elapsed = ContinuousClock.now - begun
        #expect(Array(safety.prefix(20)) == (1...20).map(Double.init) && safety.dropFirst(20).allSatisfy { $0 == 20 })
        #expect(Double(safety.count - 20) <= elapsed / .seconds(1) + 1)
        #expect(telemetry == telemetry.sorted() && Double(telemetry.count) <= elapsed / .milliseconds(100) + 1)
        #expect(await gateway.metric("paced_total") ?? 0 > 0)
      }
    }
  }

  @Test func `A console's own rate binds every type but safety, and one without a rate gets every error and every word of a module`()
    async throws
  {
    try await TestGateway.run { gateway in
      try await console(gateway) { every in
        try await subscribe("\"*\"", every)
        try await console(gateway) { paced in
          try await subscribe("\"*\"", paced, rest: #","rate":5"#)
          let begun = ContinuousClock.now
          let types = ["system.error", "module.status_change", "module.own", "safety.estop"]
          for number in 1...100 as ClosedRange<UInt64> { for type in types { try await gateway.append(Samples.event(type, number)) } }
          var told: [String: [Double]] = [:]
          while !types.allSatisfy({ told[$0]?.last == 100 }) { try await note(every, &told) }
          for type in types { #expect(told[type] == (1...100).map(Double.init), "\(type)") }
          told = [:]
          while !types.allSatisfy({ told[$0]?.last == 100 }) { try await note(paced, &told) }
          let countMax = (ContinuousClock.now - begun) / .milliseconds(200) + 1
          #expect(told["safety.estop"] == (1...100).map(Double.init))
          for type in types.dropLast() {
            let numbers = told[type] ?? []
            #expect(numbers == numbers.sorted() && Double(numbers.count) <= countMax, "\(type): \(numbers.count)")
          }
        }
      }
    }
  }

  @Test func `A robot's own types, however many, come no more often than the console wants`() async throws {
    try await TestGateway.run { gateway in
      try await console(gateway) { client in
        try await subscribe("\"module.*\"", client, rest: #","rate":2"#)
        let begun = ContinuousClock.now
        for number in 1...200 as ClosedRange<UInt64> { try await gateway.append(Samples.event("module.own\(number)", number)) }
        var numbers: [Double] = []
        while numbers.last != 200 { numbers.append(number(try JSONObject(parsing: try await client.read().payload)) ?? 0) }
        let countMax = (ContinuousClock.now - begun) / .milliseconds(500) + 1
        #expect(numbers == numbers.sorted() && Array(numbers.prefix(64)) == (1...64).map(Double.init))
        #expect(Double(numbers.count - 64) <= countMax, "\(numbers.count)")
      }
    }
  }

  @Test func `What waits for its rate comes also when the console asks for another one, or its role changes`() async throws {
    try await TestGateway.run { gateway in
      gateway.directory.state.withLock { $0.rights = ["ann": [Self.robot: .watch]] }
      // One that shares what it wants with nobody, and one that comes to want what another does.
      try await console(gateway) { other in
        try await subscribe("\"mission.*\"", other)
        try await console(gateway) { client in
          try await subscribe("\"mission.*\"", client, rest: #","rate":0.01"#)
          for number in 1...2 as ClosedRange<UInt64> { try await gateway.append(Samples.event("mission.progress", number)) }
          #expect(number(try await next("mission.progress", client)) == 1)
          try await say(#"{"type":"subscribe","events":["mission.*"],"rate":1000}"#, client)
          #expect(try await progress(beside: "subscribed", client) == 2)
          try await say(#"{"type":"subscribe","events":["mission.*"],"rate":0.01}"#, client)
          try await next("subscribed", client)
          try await gateway.append(Samples.event("mission.progress", 3))
          try await say(#"{"type":"subscribe","events":["mission.*"]}"#, client)
          #expect(try await progress(beside: "subscribed", client) == 3)
        }
        // A repeat waits for its second.
        try await say(#"{"type":"subscribe","events":["safety.*"]}"#, other)
        while try JSONObject(parsing: try await other.read().payload).string("type") != "subscribed" {}
        for _ in 1...2 { try await gateway.append(Samples.event("safety.estop", 1)) }
        gateway.directory.state.withLock { $0.rights = ["ann": [Self.robot: .operate]] }
        try await gateway.announce(.user("ann"))
        var stops = 0
        while stops < 2 { stops += try JSONObject(parsing: try await other.read().payload).string("type") == "safety.estop" ? 1 : 0 }
      }
    }
  }

  @Test func `So many events of one robot a second reach a console, and then the newest of each type and every safety event`() async throws
  {
    var limits = OHT50Limits()
    limits.eventsPerSecond = 10
    try await TestGateway.run(oht50: limits) { gateway in
      try await console(gateway) { client in
        try await subscribe("\"*\"", client)
        let begun = ContinuousClock.now
        for number in 1...100 as ClosedRange<UInt64> {
          try await gateway.append(Samples.event("system.error", number), Samples.event("safety.estop", number))
        }
        var (errors, safety) = ([Double](), 0)
        while errors.last != 100 || safety < 100 {
          let message = try JSONObject(parsing: try await client.read().payload)
          if message.string("type") == "system.error" { errors.append(number(message) ?? 0) } else { safety += 1 }
        }
        let countMax = (ContinuousClock.now - begun) / .milliseconds(100) + Double(limits.eventsPerSecond) + 1
        #expect(errors == errors.sorted() && Double(errors.count) <= countMax)
      }
    }
  }

  /// The number of the one event among two messages, in either order.
  private func progress(beside type: String, _ client: RawClient) async throws -> Double? {
    let messages = [try JSONObject(parsing: try await client.read().payload), try JSONObject(parsing: try await client.read().payload)]
    #expect(Set(messages.compactMap { $0.string("type") }) == [type, "mission.progress"])
    return messages.lazy.compactMap(number).first
  }
}
