import Commands
import EventLog
import Models
import Synchronization
import Testing
import WebSocketTestClient

@testable import Gateway

/// What each role gets, by each way in which an event comes to a client: live, after a return, as the last value.
@Suite(.timeLimit(.minutes(1))) struct RoleTests {
  private static let robot = Samples.appliance
  private static let types = OHT50EventType.allCases.map(\.rawValue)

  /// A table in which every role but admins lacks something else.
  private static let table = """
    oht50 viewer events safety.* telemetry.realtime system.status
    oht50 operator events * !config.* !system.status
    oht50 owner events * !telemetry.*
    generic viewer events * !appliance:status
    oht50 viewer commands emergency_stop
    oht50 operator commands !emergency_stop
    """

  private static func expected(_ table: RoleTable, _ role: Permission) -> Set<String> {
    Set(types.filter { table.permits(role, event: Samples.type($0)) })
  }

  private static func run(_ text: String?, _ role: Permission, _ body: (TestGateway, RoleTable, _ since: EventID) async throws -> Void)
    async throws
  {
    let table = try text.map { try RoleTable(parsing: $0) } ?? .standard
    try await TestGateway.run(roles: table) { gateway in
      gateway.directory.state.withLock { $0.rights = ["ann": [robot: role]] }
      let first = try await gateway.append(Samples.event("safety.first", 0))
      try await body(gateway, table, #require(first.first.flatMap { try? Event(parsing: $0).id }))
    }
  }

  /// Appends one event of each type and one of a type that everyone gets, and reads up to that.
  private static func told(_ gateway: TestGateway, _ client: RawClient) async throws -> Set<String> {
    for (number, type) in types.enumerated() { try await gateway.append(Samples.event(type, UInt64(number))) }
    return try await read(client) { try await gateway.append(Samples.event("safety.last", 99)) }
  }

  private static func read(_ client: RawClient, _ end: () async throws -> Void) async throws -> Set<String> {
    try await end()
    var told: Set<String> = []
    while true {
      let type = try JSONObject(parsing: try await client.read().payload).string("type") ?? ""
      guard type != "safety.last" else { return told }
      told.insert(type)
    }
  }

  private static let cases: [(String?, Permission)] = Permission.allCases.flatMap { [(nil, $0), (table, $0)] }

  @Test(arguments: cases) func `A console gets live, and after a return, what its user's role gets`(text: String?, role: Permission)
    async throws
  {
    try await Self.run(text, role) { gateway, table, since in
      let expected = Self.expected(table, role)
      let address = "/ws/telemetry?appliance_id=\(Self.robot)&token=\(try await gateway.token())"
      try await RawClient.open(port: gateway.port, address) { client in
        try await client.send(.text(#"{"type":"subscribe","events":["*"]}"#))
        for type in ["authenticated", "subscribed"] {
          #expect(try JSONObject(parsing: try await client.read().payload).string("type") == type)
        }
        #expect(try await Self.told(gateway, client) == expected)
      }
      try await RawClient.open(port: gateway.port, address) { client in
        try await client.send(.text(#"{"type":"subscribe","events":["*"],"since":"\#(since)"}"#))
        for type in ["authenticated", "subscribed"] {
          #expect(try JSONObject(parsing: try await client.read().payload).string("type") == type)
        }
        // Those missed are told up to the last that everyone gets; the telemetry comes behind it.
        let missed = try await Self.read(client) {}
        let telemetry = try await Self.read(client) { try await gateway.append(Samples.event("safety.last", 100)) }
        #expect(missed.union(telemetry) == expected)
      }
    }
  }

  @Test(arguments: cases) func `So does an app of another dialect's endpoint`(text: String?, role: Permission) async throws {
    try await Self.run(text, role) { gateway, table, since in
      let expected = Self.expected(table, role)
      let hidesStatus = !table.permits(role, event: .applianceStatus)
      try await gateway.append(Samples.status("online", 0))
      try await gateway.subscribed(status: hidesStatus ? "offline" : "online") { client in
        if !hidesStatus { _ = try await client.read() }
        #expect(try await Self.told(gateway, client) == expected)
      }
      try await gateway.resumed(since: since) { client in
        let missed = try await Self.read(client) {}
        let telemetry = try await Self.read(client) { try await gateway.append(Samples.event("safety.last", 100)) }
        #expect(missed.union(telemetry).subtracting(["appliance:status"]) == expected)
      }
    }
  }

  @Test(arguments: cases) func `The last value, and the stop, are for whom the table says`(text: String?, role: Permission) async throws {
    try await Self.run(text, role) { gateway, table, _ in
      try await gateway.append(Samples.event("system.status", 1))
      try await RawClient.open(port: gateway.port, "/ws/telemetry?token=\(gateway.token())") { client in
        _ = try await client.read()
        try await client.send(.text(#"{"type":"get_system_status","request_id":"r"}"#))
        let answer = try JSONObject(parsing: try await client.read().payload)
        #expect((answer.string("request_id") == "r") == table.permits(role, event: Samples.type("system.status")))
        try await client.send(.text(#"{"type":"emergency_stop","request_id":"s"}"#))
        var ack = try JSONObject(parsing: try await client.read().payload)
        if ack.string("type") == "error" { ack = try JSONObject(parsing: try await client.read().payload) }
        let mayStop = table.permits(role, command: .emergencyStop) ?? (role >= .operate)
        #expect(ack.string("status") == (mayStop ? "requested" : "failed"))
        #expect(try await gateway.log.openCommands(of: Self.robot).count == (mayStop ? 1 : 0))
      }
    }
  }

  @Test func `A pattern that a role gets nothing of is refused, and a role that changes counts at once`() async throws {
    try await Self.run(nil, .watch) { gateway, _, _ in
      try await RawClient.open(port: gateway.port, "/ws/telemetry?token=\(gateway.token())") { client in
        _ = try await client.read()
        try await client.send(.text(#"{"type":"subscribe","events":["config.*","mission.*"]}"#))
        let refusal = try JSONObject(parsing: try await client.read().payload)
        #expect(refusal.string("error_code") == "WS-002" && refusal.string("description")?.contains("config.*") == true)
        let subscribed = try JSONObject(parsing: try await client.read().payload)
        #expect(subscribed.string("type") == "subscribed" && subscribed.elements("events")?.count == 1)
        try await client.send(.text(#"{"type":"subscribe","events":["*"]}"#))
        _ = try await client.read()
        for (role, unknown) in [(Permission.operate, "EPIC-404"), (.watch, "EPIC-405")] {
          gateway.directory.state.withLock { $0.rights = ["ann": [Self.robot: role]] }
          try await gateway.announce(.user("ann"))
          // One that was not asked for before is looked up, and so answered behind the change.
          try await client.send(.text(#"{"type":"subscribe","events":["config.updated"],"appliance_id":"\#(unknown)"}"#))
          #expect(try JSONObject(parsing: try await client.read().payload).string("type") == "error")
          try await gateway.append(Samples.event("config.rollback", role == .operate ? 1 : 2), Samples.event("safety.last", 1))
          let first = try JSONObject(parsing: try await client.read().payload)
          #expect(first.string("type") == (role == .operate ? "config.rollback" : "safety.last"))
          if role == .operate { _ = try await client.read() }
        }
      }
    }
  }
}
