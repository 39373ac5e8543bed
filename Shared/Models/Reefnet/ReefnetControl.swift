/// What a UI tells a module to do (the reefnet document, "Inbound Messages"): a `control` frame, or one of the three types that legacy peers send without one.
package struct ReefnetControl: Hashable, Sendable {
  package enum Command: String, Hashable, Sendable, CaseIterable {
    case setParam = "set_param"
    case configRequest = "config_request"
    case moduleManifestRequest = "module_manifest_request"
    case statusRequest = "status_request"
    case ping

    /// Whether legacy peers send it as the frame's own `type`.
    fileprivate var isLegacyType: Bool { self == .setParam || self == .configRequest || self == .moduleManifestRequest }
  }

  package let command: Command
  /// For which module; nil when the frame does not say.
  package let moduleID: ApplianceID?
  package let submoduleID: String?
  /// What a `set_param` is to set, by the parameters' present names. Empty for any other command.
  package let changes: [ReefnetParameter: Double]
  /// Names in a `set_param` that no module knows: to be logged, and passed over.
  package let unknownParameters: [String]

  /// Reads a UI's frame. The document's examples of legacy types have no `protocol`, so a frame may lack it; another one is refused.
  package init(parsing text: [UInt8]) throws(ReefnetRefusal) {
    let object = try ReefnetRefusal.frame(text)
    guard let type = object.string("type") else { throw .malformed(.missing("type")) }
    if type == "control" {
      guard let payload = object.object("payload") else { throw .noCommand("'payload' is missing or no object") }
      guard let name = payload.string("command") else { throw .noCommand("'payload.command' is missing or no string") }
      guard let command = Command(rawValue: name) else { throw .noCommand("the command '\(name.prefix(64))' is unknown") }
      try self.init(command, in: payload, at: "payload", of: object)
    } else {
      guard let command = Command(rawValue: type), command.isLegacyType else { throw .unknownType(type) }
      try self.init(command, in: object, at: "", of: object)
    }
  }

  private init(_ command: Command, in body: JSONObject, at path: String, of frame: JSONObject) throws(ReefnetRefusal) {
    self.command = command
    do throws(ModelError) {
      try Self.addresses.check(frame, path: "")
      moduleID = if let text = frame.string("module_id") { try ApplianceID(text) } else { nil }
      let asked = command == .setParam ? try Self.parameters(in: body, at: path.isEmpty ? "" : path + ".") : []
      // What stands last counts, should a parameter stand under two of its names.
      changes = Dictionary(asked.compactMap { name, value in ReefnetParameter(name).map { ($0, value) } }) { $1 }
      unknownParameters = asked.map(\.name).filter { ReefnetParameter($0) == nil }
    } catch {
      throw .malformed(error)
    }
    submoduleID = frame.string("submodule_id")
  }

  private static let addresses = DataShape([.optional("module_id", .string), .optional("submodule_id", .string)])

  /// `parameters`, or the legacy `param` and `value`. What an unknown one is to become does not matter.
  private static func parameters(in body: JSONObject, at path: String) throws(ModelError) -> [(name: String, value: Double)] {
    if body.contains("parameters") {
      guard let map = body.object("parameters") else { throw .wrongType(path: path + "parameters", wanted: "an object") }
      var found: [(String, Double)] = []
      for member in map.members { found.append((member.name, try value(of: member.name, in: map, member.name, at: path + "parameters."))) }
      return found
    }
    guard body.contains("param") else { throw .missing(path + "parameters") }
    guard let name = body.string("param") else { throw .wrongType(path: path + "param", wanted: "a string") }
    guard body.contains("value") else { throw .missing(path + "value") }
    return [(name, try value(of: name, in: body, "value", at: path))]
  }

  private static func value(of parameter: String, in object: JSONObject, _ member: String, at path: String) throws(ModelError) -> Double {
    if let number = object.number(member) { return number }
    guard ReefnetParameter(parameter) == nil else { throw .wrongType(path: path + member, wanted: "a number") }
    return 0
  }
}

/// A parameter that `set_param` sets, under its present name or a legacy alias.
package enum ReefnetParameter: String, Hashable, Sendable, CaseIterable {
  case setpoint = "setpoint_c"
  case setpointMin = "setpoint_min_c"
  case setpointMax = "setpoint_max_c"
  case probeTolerance = "probe_tolerance_c"

  package init?(_ name: String) {
    guard let parameter = Self(rawValue: name) ?? Self.aliases[name] else { return nil }
    self = parameter
  }

  private static let aliases: [String: Self] = [
    "heater_setpoint_c": .setpoint, "heater_setpoint_min_c": .setpointMin, "heater_setpoint_max_c": .setpointMax,
    "thermistor_delta_limit_c": .probeTolerance,
  ]
}
