package import Models

/// One step from the accounts that are to the accounts that should be.
package enum AccountChange: Hashable, Sendable, CustomStringConvertible {
  case addUser(User)
  case changeUser(from: User, to: User)
  case addAppliance(Appliance)
  case changeAppliance(from: Appliance, to: Appliance)
  /// Shares it, or changes what the user may do.
  case share(ApplianceID, with: String, as: ShareRole)
  case unshare(ApplianceID, with: String)
  /// Adds a sensor to a controller, or changes it.
  case putSensor(Sensor, of: ApplianceID)
  case dropSensor(String, of: ApplianceID)
  case putPlugin(Plugin, of: ApplianceID)
  case dropPlugin(String, of: ApplianceID)

  package var description: String {
    switch self {
    case .addUser(let user): "+ user \(user.id) (\(user.name), \(user.role.rawValue))"
    case .changeUser(let old, let new):
      "~ user \(new.id)" + Self.difference("name", old.name, new.name) + Self.difference("role", old.role.rawValue, new.role.rawValue)
    case .addAppliance(let appliance):
      "+ appliance \(appliance.id) (\(appliance.name), \(appliance.dialect.rawValue), of \(appliance.ownerID))"
        + Self.difference("accepts_unproven", "false", String(appliance.acceptsUnproven))
    case .changeAppliance(let old, let new):
      "~ appliance \(new.id)" + Self.difference("name", old.name, new.name) + Self.difference("owner", old.ownerID, new.ownerID)
        + Self.difference("dialect", old.dialect.rawValue, new.dialect.rawValue)
        + Self.difference("accepts_unproven", String(old.acceptsUnproven), String(new.acceptsUnproven))
    case .share(let appliance, let user, .account): "+ share of \(appliance) with \(user)"
    case .share(let appliance, let user, let role): "+ share of \(appliance) with \(user) as \(role.rawValue)"
    case .unshare(let appliance, let user): "- share of \(appliance) with \(user)"
    case .putSensor(let sensor, let controller):
      "~ sensor \(sensor.id) of \(controller) (\(sensor.name)\(sensor.unit.isEmpty ? "" : ", \(sensor.unit)"))"
    case .dropSensor(let id, let controller): "- sensor \(id) of \(controller)"
    case .putPlugin(let plugin, let controller):
      "~ plugin \(plugin.id) of \(controller) (\(plugin.name), \(plugin.isEnabled ? "enabled" : "disabled"), reads \(plugin.sensorIDs.joined(separator: " ")))"
    case .dropPlugin(let id, let controller): "- plugin \(id) of \(controller)"
    }
  }

  private static func difference(_ name: String, _ old: String, _ new: String) -> String {
    old == new ? "" : ", \(name): \(old) → \(new)"
  }
}

/// What it takes to get from the present accounts to the wanted ones. What the wanted ones do not mention stays as it is; of an
/// appliance that they mention, the shares become exactly those described.
package struct AccountPlan: Hashable, Sendable {
  /// In an order in which they can be carried out.
  package let changes: [AccountChange]

  /// - Throws: `StoreError` `.invalidAccount` when an owner or a share names a user who is neither wanted nor present.
  package init(from present: Accounts, to wanted: Accounts) throws(StoreError) {
    var changes: [AccountChange] = []
    for user in wanted.users.values.sorted(by: { $0.id < $1.id }) {
      switch present.users[user.id] {
      case nil: changes.append(.addUser(user))
      case user: break
      case let old?: changes.append(.changeUser(from: old, to: user))
      }
    }
    for appliance in wanted.appliances.values.sorted(by: { $0.id < $1.id }) {
      for user in Set(appliance.shares.keys).union([appliance.ownerID]).sorted()
      where wanted.users[user] == nil && present.users[user] == nil {
        throw StoreError(
          .invalidAccount, "Appliance '\(appliance.id)' names the user '\(user.prefix(80))', who does not exist: add the user first")
      }
      changes += Self.changes(from: present.appliances[appliance.id], to: appliance)
    }
    for (id, setup) in wanted.controllers.sorted(by: { $0.key < $1.key }) {
      guard let dialect = (wanted.appliances[id] ?? present.appliances[id])?.dialect, dialect == .webmacs else {
        throw StoreError(.invalidAccount, "Appliance '\(id)' is given sensors or plugins, so its dialect must be webmacs")
      }
      changes += try ControllerSetup.changes(of: id, from: present.controllers[id], to: setup)
    }
    self.changes = changes
  }

  private static func changes(from old: Appliance?, to new: Appliance) -> [AccountChange] {
    var changes: [AccountChange] = []
    if let old {
      if (old.ownerID, old.dialect, old.name, old.acceptsUnproven) != (new.ownerID, new.dialect, new.name, new.acceptsUnproven) {
        changes.append(.changeAppliance(from: old, to: new))
      }
    } else {
      changes.append(.addAppliance(new))
    }
    let present = old?.shares ?? [:]
    let wanted = new.shares.filter { present[$0.key] != $0.value }
    changes += wanted.sorted { $0.key < $1.key }.map { .share(new.id, with: $0.key, as: $0.value) }
    changes += present.keys.filter { new.shares[$0] == nil }.sorted().map { .unshare(new.id, with: $0) }
    return changes
  }
}
