package import Logging
package import ServiceRuntime

/// The secrets that sign tokens with HS256: the first signs, and all verify. So a new one can be known everywhere before it signs, and an old one
/// be kept until the tokens that it signed have been renewed.
package struct TokenSecrets: Sendable, Equatable {
  /// Each is one more HMAC for a token that none before it signed.
  package static let countMax = 4
  /// What a text must be, for an error.
  package static let form = "at least \(TokenSecret.lengthMin_bytes) bytes, or up to \(countMax) such secrets, a line each"

  package let signing: TokenSecret
  let others: [TokenSecret]

  package init(_ signing: TokenSecret) { (self.signing, others) = (signing, []) }

  /// Reads a secret a line; lines without one are passed over. Nil for a text that is not of the `form`.
  package init?(_ text: String) {
    let lines = text.split(whereSeparator: \.isNewline)
    let secrets = lines.compactMap { TokenSecret(String($0)) }
    guard let first = secrets.first, secrets.count == lines.count, lines.count <= Self.countMax else { return nil }
    (signing, others) = (first, Array(secrets.dropFirst()))
  }

  var all: [TokenSecret] { [signing] + others }
}

extension FollowedSecret<TokenSecrets> {
  /// The keyring of these secrets, which must run as a service to follow their file.
  package func makeKeyring(logger: Logger) async -> TokenKeyring {
    await TokenKeyring(current(), following: file == nil ? nil : self, logger: logger)
  }
}
