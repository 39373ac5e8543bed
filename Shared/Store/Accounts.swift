package import Models

package struct User: Hashable, Sendable {
  /// The `sub` of the user's tokens.
  package let id: String
  package let name: String
  package let role: UserRole

  package init(id: String, name: String, role: UserRole = .viewer) {
    self.id = id
    self.name = name
    self.role = role
  }
}

package struct Appliance: Hashable, Sendable {
  package let id: ApplianceID
  package let ownerID: String
  package let dialect: Dialect
  package let name: String
  /// Users besides the owner who may see it, and what else they may do.
  package let shares: [String: ShareRole]
  /// Whether a camera that has no secret is taken at its word, as the signaling document's `hello` has it; only for that dialect.
  package let acceptsUnproven: Bool

  package init(
    id: ApplianceID, ownerID: String, dialect: Dialect, name: String, shares: [String: ShareRole] = [:], acceptsUnproven: Bool = false
  ) {
    self.id = id
    self.ownerID = ownerID
    self.dialect = dialect
    self.name = name
    self.shares = shares
    self.acceptsUnproven = acceptsUnproven
  }

  /// What its owner should know of how it is registered; nil when there is nothing.
  package var warning: String? {
    acceptsUnproven ? "Whoever knows the id of camera '\(id)' can pass for it until it has a secret: make it one" : nil
  }
}

/// Users and appliances: what there is, or what there should be.
package struct Accounts: Hashable, Sendable {
  package private(set) var users: [String: User] = [:]
  package private(set) var appliances: [ApplianceID: Appliance] = [:]
  /// What lab controllers have besides.
  package let controllers: [ApplianceID: ControllerSetup]

  /// - Throws: `StoreError` `.invalidAccount` that names the entry: described twice, or a text that cannot be stored.
  package init(users: [User], appliances: [Appliance], controllers: [ApplianceID: ControllerSetup] = [:]) throws(StoreError) {
    self.controllers = controllers
    for (id, setup) in controllers { try ControllerSetup.check(setup, of: id) }
    for user in users {
      try User.check(user)
      guard self.users.updateValue(user, forKey: user.id) == nil else {
        throw StoreError(.invalidAccount, "User '\(user.id)' is described twice: keep one")
      }
    }
    for appliance in appliances {
      try Appliance.check(appliance)
      guard self.appliances.updateValue(appliance, forKey: appliance.id) == nil else {
        throw StoreError(.invalidAccount, "Appliance '\(appliance.id)' is described twice: keep one")
      }
    }
  }
}

extension User {
  static func check(_ user: User) throws(StoreError) {
    try checkText(user.id, 1...128, "The id of user '\(user.id.prefix(80))'")
    try checkText(user.name, 0...255, "The name of user '\(user.id)'")
  }
}

extension Appliance {
  static func check(_ appliance: Appliance) throws(StoreError) {
    try checkText(appliance.name, 0...255, "The name of appliance '\(appliance.id)'")
    guard appliance.dialect == .signaling || !appliance.acceptsUnproven else {
      throw StoreError(
        .invalidAccount, "Appliance '\(appliance.id)' is no camera: only one of the dialect signaling can be taken at its word")
    }
    for user in [appliance.ownerID] + appliance.shares.keys {
      try checkText(user, 1...128, "A user's id with appliance '\(appliance.id)'")
    }
    guard appliance.shares[appliance.ownerID] == nil else {
      throw StoreError(.invalidAccount, "Appliance '\(appliance.id)' is shared with its own owner '\(appliance.ownerID)': leave that out")
    }
  }
}

/// So many bytes, and no control characters.
func checkText(_ text: String, _ bytes: ClosedRange<Int>, _ subject: String) throws(StoreError) {
  guard bytes.contains(text.utf8.count), !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
    throw StoreError(.invalidAccount, "\(subject) must have \(bytes.lowerBound) to \(bytes.upperBound) bytes and no control characters")
  }
}
