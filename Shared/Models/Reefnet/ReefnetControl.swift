/// What a UI tells a module to do (the reefnet document, "Inbound Messages"): a `control` frame, or one of the three types that legacy peers send without one.
package struct ReefnetControl: Hashable, Sendable {
  package let command: ReefnetCommand
  /// For which module; nil when the frame does not say.
  package let moduleID: ApplianceID?
  package let submoduleID: String?
  /// The UI's own name for it (`request_id`), which is beyond the document; at most 128 bytes.
  package let requestID: String?
  /// What a `set_param` is to set, by the parameters' present names. Empty for any other command.
  package let changes: [ReefnetParameter: Double]
  /// Names in a `set_param` that no module knows: to be logged, and passed over.
  package let unknownParameters: [String]

  private static let requestIDLengthMax_bytes = 128

  /// Reads a UI's frame. The document's examples of legacy types have no `protocol`, so a frame may lack it; another one is refused.
  package init(parsing text: [UInt8]) throws(ReefnetRefusal) {
    let object = try ReefnetRefusal.frame(text)
    guard let type = object.string("type") else { throw .malformed(.missing("type")) }
    let command: ReefnetCommand
    if type == "control" {
      guard let payload = object.object("payload") else { throw .noCommand("'payload' is missing or no object") }
      guard let name = payload.string("command") else { throw .noCommand("'payload.command' is missing or no string") }
      guard let known = ReefnetCommand(rawValue: name) else { throw .noCommand("the command '\(name.prefix(64))' is unknown") }
      command = known
    } else {
      guard let known = ReefnetCommand(rawValue: type), known.isLegacyType else { throw .unknownType(type) }
      command = known
    }
    do { try self.init(command, object, body: type == "control" ? object.object("payload") : nil, path: "") } catch {
      throw .malformed(error)
    }
  }

  /// Reads the `data` of a command on the bus: a UI's frame as it came, or no more than what is to stand in its `payload`.
  package init(_ command: ReefnetCommand, data: JSONObject) throws(ModelError) {
    try self.init(command, data, body: data.object("payload"), path: "data.")
  }

  /// - Parameters:
  ///   - body: the frame's `payload`; nil for a frame that has none and is its own.
  ///   - path: of the frame, with its dot.
  private init(_ command: ReefnetCommand, _ frame: JSONObject, body: JSONObject?, path: String) throws(ModelError) {
    self.command = command
    for name in ["module_id", "submodule_id"] where frame.contains(name) && frame.string(name) == nil {
      throw .wrongType(path: path + name, wanted: "a string")
    }
    moduleID = if let text = frame.string("module_id") { try ApplianceID(text) } else { nil }
    submoduleID = frame.string("submodule_id")
    requestID = frame.string("request_id")
    guard !frame.contains("request_id") || requestID?.utf8.count ?? .max <= Self.requestIDLengthMax_bytes else {
      throw .wrongType(path: path + "request_id", wanted: "a string of at most \(Self.requestIDLengthMax_bytes) bytes")
    }
    let inside = body == nil ? path : path + "payload."
    let asked = command == .setParam ? try Self.parameters(in: body ?? frame, at: inside) : []
    // What stands last counts, should a parameter stand under two of its names.
    changes = Dictionary(asked.compactMap { name, value in ReefnetParameter(name).map { ($0, value) } }) { $1 }
    unknownParameters = asked.map(\.name).filter { ReefnetParameter($0) == nil }
  }

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
