package import Models
internal import PostgresClient

/// What is known of an appliance that connects by itself.
package struct Device: Hashable, Sendable {
  package let dialect: Dialect
  /// SHA-256 of its secret; nil where it has none.
  package let secretHash: [UInt8]?

  package init(dialect: Dialect, secretHash: [UInt8]? = nil) {
    self.dialect = dialect
    self.secretHash = secretHash
  }
}

extension AccountStore {
  /// Nil when there is no such appliance.
  package func device(_ appliance: ApplianceID) async throws -> Device? {
    let rows = try await pool.query(
      "SELECT dialect, secret_sha256 FROM appliances LEFT JOIN device_credentials ON appliance_id = id WHERE id = $1",
      [.text(appliance.rawValue)], timeout: Self.callTimeout)
    return try rows.decode(String.self, [UInt8]?.self).first.map { dialect, hash in
      Device(dialect: try Self.known(dialect, "dialect of appliance '\(appliance)'"), secretHash: hash)
    }
  }

  /// Keeps the hash of an appliance's secret, in place of any earlier one; nil takes it away.
  ///
  /// - Throws: `StoreError` `.notFound`.
  package func setDeviceSecret(_ hash: [UInt8]?, of appliance: ApplianceID) async throws {
    guard let hash else {
      try await pool.execute(
        "DELETE FROM device_credentials WHERE appliance_id = $1", [.text(appliance.rawValue)], timeout: Self.callTimeout)
      return
    }
    do {
      try await pool.execute(
        """
        INSERT INTO device_credentials (appliance_id, secret_sha256) VALUES ($1, $2)
        ON CONFLICT (appliance_id) DO UPDATE SET secret_sha256 = excluded.secret_sha256, created_at = now()
        """, [.text(appliance.rawValue), .bytea(hash)], timeout: Self.callTimeout)
    } catch let error as PostgresError where error.isBrokenReference {
      throw StoreError.noAppliance(appliance)
    }
  }
}
