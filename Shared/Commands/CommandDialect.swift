internal import Models

/// Which commands the appliances of a dialect take, from whom, and with what `data`. A further dialect is a further table here.
package struct CommandDialect: Sendable {
  struct Rule: Sendable {
    /// The least that the sender must be permitted (deploy/decisions/0007).
    let permission: Permission
    /// Throws what is wrong with `data`.
    let check: @Sendable (JSONObject) throws(ModelError) -> Void

    init(permission: Permission, data shape: DataShape = DataShape()) {
      self.init(permission: permission) { data throws(ModelError) in try shape.check(data) }
    }

    init(permission: Permission, check: @escaping @Sendable (JSONObject) throws(ModelError) -> Void) {
      self.permission = permission
      self.check = check
    }
  }

  /// As the dialect is called where appliances are registered.
  package let name: String
  private let rules: [String: Rule]
  /// For commands that no table has; nil refuses them.
  private let anyOther: Rule?
  /// Whether an appliance whose status was never told counts as offline, as the dialect makes it tell it when it connects.
  let tellsItsStatus: Bool

  /// What is wanted for a command; nil for one that these appliances do not take.
  func rule(for type: EventType) -> Rule? {
    if let rule = rules[type.rawValue] { return rule }
    return Self.reserved.contains(type.rawValue) || Self.tables.contains { $0.rules[type.rawValue] != nil } ? nil : anyOther
  }

  /// The dialect of that name; the generic one where a dialect has no table.
  package static func named(_ name: String) -> CommandDialect { tables.first { $0.name == name } ?? generic }

  /// The Epicura document's "Client Events".
  package static let epicura = CommandDialect(
    name: "epicura",
    rules: [
      "cooking:start": Rule(
        permission: .operate,
        data: DataShape([
          .required("recipe_id", .text(bytesMax: 128)),
          .optional("customizations", .object(DataShape([.optional("spice_level", .number), .optional("servings", .number)]))),
        ])),
      "cooking:pause": Rule(permission: .operate),
      "cooking:resume": Rule(permission: .operate),
      "cooking:stop": Rule(permission: .watch),
    ], anyOther: nil, tellsItsStatus: true)

  /// The reefnet document's `control`. What asks for a status alone is for everyone who sees the module: a UI asks for it by itself.
  package static let reefnet = CommandDialect(
    name: "reefnet",
    rules: Dictionary(
      uniqueKeysWithValues: ReefnetCommand.allCases.map { command in
        let rule = Rule(permission: command == .setParam ? .operate : .watch) { data throws(ModelError) in
          _ = try ReefnetControl(command, data: data)
        }
        return (command.type.rawValue, rule)
      }), anyOther: nil, tellsItsStatus: false)

  /// The OHT-50 document's "Control Commands" that are a robot's to carry out. A robot in motion is stopped by its operators, not by everyone who watches (deploy/decisions/0007).
  package static let oht50 = CommandDialect(
    name: "oht50", rules: [EventType.emergencyStop.rawValue: Rule(permission: .operate)], anyOther: nil, tellsItsStatus: false)

  /// Appliances without a dialect: any type, whose `data` is theirs to understand.
  package static let generic = CommandDialect(
    name: "generic", rules: [:], anyOther: Rule(permission: .operate), tellsItsStatus: false)

  /// The dialects that have a table. A type that stands in one goes to that dialect's topic, so no other dialect may use it.
  private static let tables = [epicura, reefnet, oht50]

  /// `martlet/<id>/commands/ack` is where a device answers.
  private static let reserved: Set<String> = ["ack"]
}
