import Models
import Testing

@testable import Commands

@Suite struct `What a command must be` {
  private static let now = Timestamp(microseconds: 1_771_072_500_000_000)

  static func request(_ type: String, _ data: String = "{}", dialect: CommandDialect = .epicura) throws -> CommandRequest {
    CommandRequest(
      applianceID: try ApplianceID("EPIC-001"), dialect: dialect, type: try EventType(type), data: Array(data.utf8), userID: "anna",
      requestID: "r-1")
  }

  private func command(_ request: CommandRequest, permission: Permission = .operate) throws -> Command {
    try request.command(id: "c-1", permission: permission, now: Self.now, deadlines: .init())
  }

  private func refusal(_ request: CommandRequest, permission: Permission = .operate) throws -> CommandFailure {
    try #require(throws: CommandFailure.self) { try command(request, permission: permission) }
  }

  @Test func `the document's start becomes a command with a deadline, and its data passes as it came`() throws {
    let data = #"{ "recipe_id": "recipe-uuid-001", "customizations": {"spice_level": 4, "servings": 2.50, "new": [1]}, "other": null }"#
    let command = try command(Self.request("cooking:start", data))
    #expect(command.data == Array(data.utf8))
    #expect(command.id == "c-1" && !command.isUrgent && command.issuedAt == Self.now)
    #expect(command.expiresAt == Self.now + .seconds(10))
  }

  @Test(arguments: [
    ("{}", "'data.recipe_id' is missing"), (#"{"recipe_id":7}"#, "'data.recipe_id' must be a string"),
    (#"{"recipe_id":null}"#, "'data.recipe_id' must be a string"), (#"{"recipe_id":""}"#, "'data.recipe_id' must be a string"),
    (#"{"recipe_id":"r","customizations":[]}"#, "'data.customizations' must be an object"),
    (#"{"recipe_id":"r","customizations":{"spice_level":"hot"}}"#, "'data.customizations.spice_level' must be a number"),
    (#"{"recipe_id":"r","customizations":{"servings":true}}"#, "'data.customizations.servings' must be a number"),
    (#"{"recipe_id":"r","customizations":{"servings":1,"servings":2}}"#, "'data.customizations' must be an object"),
    (#"["recipe_id"]"#, "'data' must be an object"), (#"{"recipe_id":"r""#, "malformed JSON"), ("", "'data' must be an object"),
    (#"{"recipe_id":"r","recipe_id":"s"}"#, "'recipe_id' stands twice"),
    ("{\"recipe_id\":\"r\",\"x\":\"" + String(repeating: "x", count: 65_536) + "\"}", "at most 65536 bytes"),
  ])
  func `a start with wrong data is refused by the member's path`(data: String, told: String) throws {
    let refusal = try refusal(Self.request("cooking:start", data))
    #expect(refusal.code == .invalidCommand)
    #expect(refusal.message.contains(told), "\(refusal.message)")
  }

  @Test(arguments: ["", "[]", "garbage", #"{"a":1,"a":2}"#, #"{"reason":"smoke"}"#])
  func `a stop is never refused for its data`(data: String) throws {
    let command = try command(Self.request("cooking:stop", data), permission: .watch)
    #expect(command.isUrgent)
    #expect(command.data == Array((data.contains("smoke") ? data : "{}").utf8))
  }

  @Test(arguments: Permission.allCases, ["cooking:start", "cooking:pause", "cooking:resume", "cooking:stop"])
  func `whoever sees an appliance may stop it, and all else wants more`(permission: Permission, type: String) throws {
    let request = try Self.request(type, #"{"recipe_id":"r"}"#)
    if permission >= .operate || type == "cooking:stop" {
      #expect(try command(request, permission: permission).type.rawValue == type)
    } else {
      #expect(try refusal(request, permission: permission).code == .notPermitted)
    }
  }

  @Test func `who is not permitted does not learn what the data must be`() throws {
    #expect(try refusal(Self.request("cooking:start", "garbage"), permission: .watch).code == .notPermitted)
  }

  @Test(arguments: ["cooking:fry", "restart", "ack", "emergency_stop"])
  func `a cooker takes the document's commands only`(type: String) throws {
    #expect(try refusal(Self.request(type)).code == .invalidCommand)
  }

  @Test func `an appliance without a dialect takes any type but those that mean something elsewhere`() throws {
    #expect(try command(Self.request("door.open", #"{"wide":true}"#, dialect: .generic)).topic == "martlet/EPIC-001/commands/door.open")
    #expect(try refusal(Self.request("door.open", dialect: .generic), permission: .watch).code == .notPermitted)
    for type in ["ack", "cooking:start", "cooking:stop", "emergency_stop", "reefnet:ping"] {
      #expect(try refusal(Self.request(type, #"{"recipe_id":"r"}"#, dialect: .generic)).code == .invalidCommand)
    }
    #expect(CommandDialect.named("epicura").name == "epicura")
    #expect(CommandDialect.named("oht50").name == "oht50" && CommandDialect.named("reefnet").name == "reefnet")
    #expect(CommandDialect.named("signaling").name == "generic")
  }

  // MARK: Heaters and robots

  @Test(arguments: [
    (#"{"parameters":{"setpoint_c":25}}"#, nil as String?), (#"{"param":"heater_setpoint_c","value":25,"type":"set_param"}"#, nil),
    (#"{"type":"control","payload":{"command":"set_param","parameters":{"setpoint_c":25,"other":"x"}}}"#, nil),
    ("{}", "'data.parameters' is missing"), (#"{"payload":{}}"#, "'data.payload.parameters' is missing"),
    (#"{"parameters":{"setpoint_c":"25"}}"#, "'data.parameters.setpoint_c' must be a number"),
    (#"{"payload":{"parameters":[]}}"#, "'data.payload.parameters' must be an object"),
    (#"{"parameters":{},"submodule_id":7}"#, "'data.submodule_id' must be a string"),
  ])
  func `a heater's setpoints come in any form of the document`(data: String, told: String?) throws {
    let request = try Self.request("reefnet:set_param", data, dialect: .reefnet)
    if let told {
      #expect(try refusal(request).message.contains(told))
    } else {
      #expect(try command(request).topic == "reefnet/EPIC-001/control")
    }
  }

  @Test(arguments: ["reefnet:config_request", "reefnet:module_manifest_request", "reefnet:status_request", "reefnet:ping"])
  func `whoever sees a heater may ask for its status, but not set it`(type: String) throws {
    #expect(try command(Self.request(type, dialect: .reefnet), permission: .watch).topic == "reefnet/EPIC-001/control")
    let set = try Self.request("reefnet:set_param", #"{"parameters":{}}"#, dialect: .reefnet)
    #expect(try refusal(set, permission: .watch).code == .notPermitted)
    #expect(try refusal(Self.request("reefnet:explode", dialect: .reefnet)).code == .invalidCommand)
  }

  @Test func `a robot is stopped by who may operate it, whatever stands beside the stop`() throws {
    let stop = try command(Self.request("emergency_stop", "garbage", dialect: .oht50))
    #expect(stop.isUrgent && stop.topic == "oht50/EPIC-001/command/emergency_stop" && stop.data == Array("{}".utf8))
    #expect(try refusal(Self.request("emergency_stop", dialect: .oht50), permission: .watch).code == .notPermitted)
    #expect(try refusal(Self.request("reefnet:ping", dialect: .oht50)).code == .invalidCommand)
  }
}
