internal import Models

/// Which commands the appliances of a dialect take, from whom, and with what `data`. A further dialect is a further table here.
package struct CommandDialect: Sendable {
  struct Rule: Sendable {
    /// The least that the sender must be permitted (deploy/decisions/0007).
    let permission: Permission
    let data: DataShape
  }

  /// As the dialect is called where appliances are registered.
  package let name: String
  private let rules: [String: Rule]
  /// For commands that no table has; nil refuses them.
  private let anyOther: Rule?
  /// Whether an appliance that never told its status counts as offline, as the dialect makes it tell it when it connects.
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
      "cooking:pause": Rule(permission: .operate, data: DataShape()),
      "cooking:resume": Rule(permission: .operate, data: DataShape()),
      "cooking:stop": Rule(permission: .watch, data: DataShape()),
    ], anyOther: nil, tellsItsStatus: true)

  /// Appliances without a dialect: any type, whose `data` is theirs to understand.
  package static let generic = CommandDialect(
    name: "generic", rules: [:], anyOther: Rule(permission: .operate, data: DataShape()), tellsItsStatus: false)

  /// The dialects that have a table. A type that stands in one goes to that dialect's topic, so no other dialect may use it.
  private static let tables = [epicura]

  /// `martlet/<id>/commands/ack` is where a device answers.
  private static let reserved: Set<String> = ["ack"]
}
