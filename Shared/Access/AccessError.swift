/// Why a connection is not let in. `text` is what the client is told, in the words of the WebMACS document's "Authentication".
package enum AccessError: Error, Hashable, Sendable, CaseIterable {
  case authenticationRequired
  case invalidOrExpiredToken
  case tokenRevoked
  case userNotFound

  package var text: String {
    switch self {
    case .authenticationRequired: "Authentication required"
    case .invalidOrExpiredToken: "Invalid or expired token"
    case .tokenRevoked: "Token has been revoked"
    case .userNotFound: "User not found"
    }
  }
}
