package import Models
import PostgresClient

extension WebMACSStore {
  /// The experiments of a controller, the newest first, at most `limit`.
  ///
  /// - Parameter after: where the page before ended.
  package func experiments(of controller: ApplianceID, after: ExperimentPosition? = nil, limit: Int) async throws -> [Experiment] {
    try await read(
      "WHERE appliance_id = $1 AND (created_at, public_id) < ($2, $3) ORDER BY created_at DESC, public_id DESC LIMIT $4",
      [
        .text(controller.rawValue), .timestamptz(after.map { PostgresTimestamp($0.createdAt) } ?? PostgresTimestamp(microseconds: .max)),
        .text(after?.id ?? ""), .int8(Int64(limit)),
      ])
  }

  /// One experiment; nil where the controller has none of this id.
  package func experiment(_ id: String, of controller: ApplianceID) async throws -> Experiment? {
    guard AccountStore.canBeStored(id) else { return nil }
    return try await read("WHERE appliance_id = $1 AND public_id = $2", [.text(controller.rawValue), .text(id)]).first
  }

  private func read(_ condition: StaticString, _ parameters: [PostgresValue]) async throws -> [Experiment] {
    let rows = try await pool.query(
      "SELECT public_id, name, created_at, started_at, stopped_at FROM experiments \(condition)", parameters, timeout: Self.callTimeout)
    return try rows.decode(String.self, String.self, PostgresTimestamp.self, PostgresTimestamp?.self, PostgresTimestamp?.self).map {
      Experiment(
        id: $0, name: $1, createdAt: Timestamp($2), startedAt: $3.map(Timestamp.init), stoppedAt: $4.map(Timestamp.init))
    }
  }

  /// Adds an experiment, which is not started by that.
  ///
  /// - Throws: `StoreError` `.alreadyExists`, `.invalidAccount`; `.notFound` when there is no such controller.
  package func createExperiment(_ id: String, name: String, of controller: ApplianceID) async throws {
    try checkID(id, of: "experiment")
    try checkText(name, 0...255, "The name of experiment '\(id)'")
    try await changing(controller) { session in
      let added = try session.execute(
        "INSERT INTO experiments (public_id, appliance_id, name) VALUES ($1, $2, $3) ON CONFLICT (public_id) DO NOTHING",
        [.text(id), .text(controller.rawValue), .text(name)])
      guard added == 1 else { throw StoreError(.alreadyExists, "There is an experiment '\(id)' already") }
    }
  }

  /// Starts an experiment: readings belong to it from now on. Starting one that is active changes nothing.
  ///
  /// - Throws: `StoreError` `.inUse` when it was stopped, or another one is active; `.notFound`.
  package func startExperiment(_ id: String, of controller: ApplianceID, now: Timestamp) async throws {
    guard let experiment = try await experiment(id, of: controller) else { throw StoreError.noExperiment(id) }
    guard experiment.stoppedAt == nil else { throw StoreError(.inUse, "Experiment '\(id)' is over: add another one") }
    do {
      try await pool.execute(
        "UPDATE experiments SET started_at = $3 WHERE appliance_id = $1 AND public_id = $2 AND started_at IS NULL",
        [.text(controller.rawValue), .text(id), .timestamptz(PostgresTimestamp(now))], timeout: Self.callTimeout)
    } catch let error as PostgresError where error.sqlState == "23505" {
      throw StoreError(.inUse, "Another experiment of '\(controller)' is active: stop it first")
    }
  }

  /// Stops an experiment. Stopping one that is over changes nothing.
  ///
  /// - Throws: `StoreError` `.inUse` when it was never started; `.notFound`.
  package func stopExperiment(_ id: String, of controller: ApplianceID, now: Timestamp) async throws {
    guard let experiment = try await experiment(id, of: controller) else { throw StoreError.noExperiment(id) }
    guard experiment.startedAt != nil else { throw StoreError(.inUse, "Experiment '\(id)' was not started yet") }
    try await pool.execute(
      """
      UPDATE experiments SET stopped_at = greatest($3, started_at)
      WHERE appliance_id = $1 AND public_id = $2 AND started_at IS NOT NULL AND stopped_at IS NULL
      """, [.text(controller.rawValue), .text(id), .timestamptz(PostgresTimestamp(now))], timeout: Self.callTimeout)
  }

  /// Removes an experiment that is not active. Readings that belong to it stay.
  ///
  /// - Throws: `StoreError` `.inUse` while it is active; `.notFound`.
  package func deleteExperiment(_ id: String, of controller: ApplianceID) async throws {
    if let experiment = try await experiment(id, of: controller), experiment.startedAt != nil, experiment.stoppedAt == nil {
      throw StoreError(.inUse, "Experiment '\(id)' is active: stop it first")
    }
    try await delete(from: "experiments", id, of: controller)
  }

  // MARK: The newest readings

  /// The newest reading of each sensor of these controllers, by sensor.
  ///
  /// One look for each sensor into the roll-up of minutes, whose newest row holds the last reading. It has what the persister has stored.
  package func latest(of controllers: [ApplianceID]) async throws -> [LatestDatapoint] {
    guard !controllers.isEmpty else { return [] }
    let rows = try await pool.query(
      """
      SELECT sensors.public_id, newest.last, newest.last_at,
        (SELECT public_id FROM experiments
          WHERE appliance_id = sensors.appliance_id AND started_at <= newest.last_at AND (stopped_at IS NULL OR stopped_at > newest.last_at)
          ORDER BY started_at DESC LIMIT 1)
      FROM sensors CROSS JOIN LATERAL (
        SELECT last, last_at FROM readings_by_minute minutes
        WHERE minutes.appliance_id = sensors.appliance_id AND minutes.metric = sensors.public_id ORDER BY minute DESC LIMIT 1) AS newest
      WHERE sensors.appliance_id = ANY ($1) ORDER BY sensors.public_id
      """, [.textArray(controllers.map(\.rawValue))], timeout: Self.callTimeout)
    return try rows.decode(String.self, Double.self, PostgresTimestamp.self, String?.self).map {
      LatestDatapoint(sensorID: $0, value: $1, timestamp: Timestamp($2), experimentID: $3)
    }
  }
}

extension StoreError {
  fileprivate static func noExperiment(_ id: String) -> StoreError { StoreError(.notFound, "There is no experiment '\(id.prefix(80))'") }
}
