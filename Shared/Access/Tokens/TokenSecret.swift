internal import JWTKit

/// A shared secret that signs tokens with HS256. It never prints itself.
package struct TokenSecret: Sendable, Equatable, CustomStringConvertible {
  /// RFC 7518, section 3.2: a key at least as long as the hash.
  package static let lengthMin_bytes = 32
  private let bytes: [UInt8]

  /// Nil for a secret shorter than `lengthMin_bytes`.
  package init?(_ secret: String) {
    bytes = Array(secret.utf8)
    guard bytes.count >= Self.lengthMin_bytes else { return nil }
  }

  package var description: String { "TokenSecret(…)" }

  var key: HMACKey { HMACKey(from: bytes) }
}
