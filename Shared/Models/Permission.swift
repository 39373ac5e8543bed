/// What a user may do beyond what is theirs: see (`viewer`), command (`operator_`) or everything (`admin`).
package enum UserRole: String, Sendable, CaseIterable { case viewer, operator_ = "operator", admin }

/// What a user with whom an appliance is shared may do with it.
package enum ShareRole: String, Sendable, CaseIterable {
  /// As much as the user's own role allows.
  case account
  case viewer
  case operator_ = "operator"
}

/// What a user may do with one appliance; more includes less.
package enum Permission: Int, Comparable, Sendable, CaseIterable {
  /// See its events, and stop it: a stop is always the safe direction.
  case watch
  /// Command it.
  case operate
  /// Share it, rename it, give it away.
  case own
  /// All that, with every appliance.
  case administer

  package static func < (left: Permission, right: Permission) -> Bool { left.rawValue < right.rawValue }

  /// The permission that comes of a user's role and ties to an appliance; nil for none.
  ///
  /// - Parameter share: how it is shared with the user, nil when it is not.
  package static func of(_ role: UserRole, isOwner: Bool, share: ShareRole?) -> Permission? {
    if role == .admin { return .administer }
    if isOwner { return .own }
    switch share {
    case nil: return nil
    case .viewer: return .watch
    case .operator_: return .operate
    case .account: return role == .operator_ ? .operate : .watch
    }
  }
}

/// An appliance, and what one user may do with it.
package struct PermittedAppliance: Hashable, Sendable {
  package let id: ApplianceID
  package let permission: Permission

  package init(_ id: ApplianceID, _ permission: Permission) { (self.id, self.permission) = (id, permission) }
}

/// What is known of a user when a token is checked.
package struct Account: Hashable, Sendable {
  package let role: UserRole
  /// Tokens that were issued before this moment are revoked; nil for none.
  package let tokensValidFrom: Timestamp?

  package init(role: UserRole, tokensValidFrom: Timestamp? = nil) {
    self.role = role
    self.tokensValidFrom = tokensValidFrom
  }
}
