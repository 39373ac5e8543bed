package import Logging
package import ServiceRuntime

/// How a service checks tokens: the settings, read in one place for every service that admits users or devices.
package struct TokenSettings: Sendable {
  package static let variables: [ConfigurationVariable] = [
    .jwtSecret, .jwksFile, .jwksURL, .jwtIssuer, .jwtAudience, .jwtRoleClaim, .jwtLeeway,
  ]

  /// Nil where tokens are signed by an issuer's published keys alone.
  package let secrets: FollowedSecret<TokenSecrets>?
  package let keySet: KeySetSource?
  package let rules: TokenRules

  /// - Throws: when there is neither a secret nor a key set, both a file and a URL of it, or anything that cannot be.
  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    secrets = try values.followedSecret(.jwtSecret, wants: TokenSecrets.form) { TokenSecrets($0) }
    keySet = try Self.keySet(values)
    guard secrets != nil || keySet != nil else {
      throw ConfigurationError(
        code: .missing, subject: ConfigurationVariable.jwtSecret.name,
        description:
          "Nothing says how tokens are checked: set MARTLET_JWT_SECRET (or MARTLET_JWT_SECRET_FILE), MARTLET_JWKS_FILE or MARTLET_JWKS_URL."
      )
    }
    rules = TokenRules(
      issuer: values.optionalString(.jwtIssuer), audience: values.optionalString(.jwtAudience),
      roleClaim: values.optionalString(.jwtRoleClaim), leeway: try values.seconds(.jwtLeeway, in: 0...300))
  }

  private static func keySet(_ values: ConfigurationValues) throws(ConfigurationError) -> KeySetSource? {
    let file = values.optionalString(.jwksFile)
    guard values.optionalString(.jwksURL) != nil else { return file.map(KeySetSource.file) }
    guard file == nil else {
      throw ConfigurationError(
        code: .ambiguous, subject: ConfigurationVariable.jwksURL.name,
        description: "MARTLET_JWKS_FILE and MARTLET_JWKS_URL are both given: keep one of them.")
    }
    return try values.parsed(.jwksURL, wants: "an address that begins with https:// (http:// only for this machine)") {
      KeySetSource.url(checking: $0)
    }
  }

  /// The verifier, and the published keys that it follows, which must run as a service.
  ///
  /// - Parameter keyring: that of `secrets`; nil where there is none.
  /// - Throws: `ConfigurationError` when the key set's file cannot be used. A URL that does not answer is tried again while the service runs.
  package func makeVerifier(_ keyring: TokenKeyring?, logger: Logger) async throws -> (
    verifier: TokenVerifier, publishedKeys: PublishedKeys?
  ) {
    guard let keySet else { return (TokenVerifier(keyring: keyring, publishedKeys: nil, rules: rules), nil) }
    let keys = PublishedKeys(keySet, roleClaim: rules.roleClaim, logger: logger)
    await keys.refresh()
    if case .file(let path) = keySet, await !keys.isUsable {
      throw ConfigurationError(
        code: .unusableFile, subject: ConfigurationVariable.jwksFile.name,
        description:
          "MARTLET_JWKS_FILE names the file \(path), which holds no key for RS256, ES256 or EdDSA that can be read: write the issuer's JSON Web Key Set into it."
      )
    }
    return (TokenVerifier(keyring: keyring, publishedKeys: keys, rules: rules), keys)
  }
}
