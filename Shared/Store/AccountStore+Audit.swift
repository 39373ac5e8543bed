internal import PostgresClient

/// Something that weakens security, or that somebody who answers for it should know.
package struct AuditFinding: Hashable, Sendable {
  /// The gravest first.
  package enum Kind: String, Sendable, CaseIterable {
    /// A camera that is taken at its word: no secret, and registered so.
    case unprovenCamera = "unproven_camera"
    /// One that connects by itself, has no secret, and so comes in with a device's token or not at all.
    case noSecret = "no_secret"
    /// A user who sees and commands every appliance.
    case admin
  }

  package let kind: Kind
  /// The appliance's or the user's id.
  package let subject: String
  /// Of an appliance.
  package let ownerID: String?
}

extension AccountStore {
  /// What there is to be found, the gravest first, at most `limit`.
  package func findings(limit: Int) async throws -> [AuditFinding] {
    let rows = try await pool.query(
      """
      SELECT kind, subject, owner_id FROM (
        SELECT 1, 'unproven_camera', id, owner_id FROM appliances LEFT JOIN device_credentials ON appliance_id = id
          WHERE accepts_unproven AND secret_sha256 IS NULL
        UNION ALL SELECT 2, 'no_secret', id, owner_id FROM appliances LEFT JOIN device_credentials ON appliance_id = id
          WHERE dialect IN ('signaling', 'webmacs', 'reefnet') AND NOT accepts_unproven AND secret_sha256 IS NULL
        UNION ALL SELECT 3, 'admin', id, NULL FROM users WHERE role = 'admin'
      ) AS finding (gravity, kind, subject, owner_id) ORDER BY gravity, subject LIMIT $1
      """, [.int8(Int64(limit))], timeout: Self.callTimeout)
    return try rows.decode(String.self, String.self, String?.self).map { kind, subject, owner in
      AuditFinding(kind: try Self.known(kind, "kind of a finding"), subject: subject, ownerID: owner)
    }
  }
}
