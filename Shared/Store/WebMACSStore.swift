package import Models
package import PostgresClient

/// How a lab controller is set up, as far as its readings are concerned.
package struct ControllerSettings: Hashable, Sendable {
  /// The sensors whose readings are taken in: those that an enabled plugin reads.
  package let sensors: Set<String>
  /// The experiment that is under way.
  package let experimentID: String?

  package init(sensors: Set<String>, experimentID: String?) {
    self.sensors = sensors
    self.experimentID = experimentID
  }
}

/// Lab controllers in PostgreSQL: their sensors, plugins and experiments.
///
/// Who changes something here publishes `AccessChange.sensors` on `Bus.changes` afterwards.
package struct WebMACSStore: Sendable {
  let pool: PostgresPool
  /// Limit for one call, which a person or a controller waits for.
  static let callTimeout: Duration = .seconds(3)

  package init(_ pool: PostgresPool) { self.pool = pool }

  /// What is to be done with a controller's readings; nothing is taken in of one that does not exist.
  package func settings(of controller: ApplianceID) async throws -> ControllerSettings {
    let rows = try await pool.query(
      """
      SELECT
        ARRAY(
          SELECT DISTINCT sensor_id::text FROM plugins JOIN plugin_sensors ON plugin_id = plugins.public_id
          WHERE plugins.appliance_id = $1 AND enabled),
        (SELECT public_id FROM experiments WHERE appliance_id = $1 AND started_at IS NOT NULL AND stopped_at IS NULL)
      """, [.text(controller.rawValue)], timeout: Self.callTimeout)
    return try rows.decode([String].self, String?.self).first.map { ControllerSettings(sensors: Set($0), experimentID: $1) }
      ?? ControllerSettings(sensors: [], experimentID: nil)
  }
}
