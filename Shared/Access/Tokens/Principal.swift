package import Models

/// Who a valid token speaks for.
package struct Principal: Hashable, Sendable {
  /// The token's `sub`: a user's id.
  package let subject: String
  /// Only from a foreign issuer's token that brings one, and then it counts instead of the account's.
  package let role: UserRole?
  /// The token's `iat`.
  package let issuedAt: Timestamp?
  package let expiresAt: Timestamp
  /// The token's `jti`, by which it can be revoked.
  package let tokenID: String?
  /// Which secret of this process' `TokenKeyring` signed the token; nil where none did.
  let secretNumber: Int?

  package init(
    subject: String, role: UserRole? = nil, issuedAt: Timestamp? = nil, expiresAt: Timestamp, tokenID: String? = nil,
    secretNumber: Int? = nil
  ) {
    self.subject = subject
    self.role = role
    self.issuedAt = issuedAt
    self.expiresAt = expiresAt
    self.tokenID = tokenID
    self.secretNumber = secretNumber
  }

  /// One that came in without a token, and so without an end: the last moment that ISO 8601 can say.
  package static func endless(_ subject: String) -> Principal {
    Principal(subject: subject, expiresAt: Timestamp(microseconds: 253_402_300_799_000_000))
  }

  package var isEndless: Bool { self == .endless(subject) }

  /// Whether `tokensValidFrom` of an account revokes the token. One that does not say when it was issued may be older.
  func isOlder(than tokensValidFrom: Timestamp) -> Bool {
    guard let issuedAt else { return true }
    return issuedAt < tokensValidFrom
  }
}
