package import Models
package import PostgresClient

/// Changes of `cooking_sessions` and `cooking_stages`, ready to be sent. Fed in the order of the log.
package struct CookingRows: Sendable {
  /// Ends whatever session an appliance has open at this place of the log.
  private struct Closure: Sendable {
    let applianceID: ApplianceID
    let spared: String?
    let end: CookingEnd
  }

  private var sessions: [ApplianceID: [String: CookingSessionRow]] = [:]
  private var closures: [Closure] = []
  private var overtaken: [(applianceID: ApplianceID, id: String)] = []

  package init() {}

  /// The sessions, in no order.
  package var merged: [CookingSessionRow] { sessions.values.flatMap(\.values) }

  package mutating func append(_ row: CookingSessionRow) {
    guard sessions[row.applianceID]?[row.id] == nil else {
      sessions[row.applianceID]?[row.id]?.merge(row)
      return
    }
    sessions[row.applianceID, default: [:]][row.id] = row
  }

  /// Ends the sessions of the appliance that are open now, those that are stored already among them.
  ///
  /// - Parameter spared: the session that is not to end.
  package mutating func closeOpen(of appliance: ApplianceID, sparing spared: String? = nil, _ end: CookingEnd) {
    closures.append(Closure(applianceID: appliance, spared: spared, end: end))
    for id in sessions[appliance, default: [:]].keys where id != spared { sessions[appliance]?[id]?.finish(end) }
  }

  /// Ends this session, whose beginning came late, if one that began after it is known.
  package mutating func closeIfOvertaken(_ id: String, of appliance: ApplianceID) { overtaken.append((appliance, id)) }

  /// Merges the rows into those that are stored, with at most four statements. To be called in the transaction that stores their events.
  package func write(in session: PostgresSession) throws(PostgresError) {
    // What is stored lies before this batch, so the batch's first closure that does not spare it meets it first.
    try close(in: session)
    let rows = merged
    guard !rows.isEmpty else { return }
    try writeSessions(rows, in: session)
    try writeStages(rows, in: session)
    try closeOvertaken(in: session)
  }

  private func close(in session: PostgresSession) throws(PostgresError) {
    guard !closures.isEmpty else { return }
    try session.execute(
      """
      UPDATE cooking_sessions AS old SET outcome = closed.outcome, ended_at = closed.at
      FROM (
        SELECT DISTINCT ON (open.appliance_id, open.session_id) open.appliance_id, open.session_id, closure.outcome, closure.at
        FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
          AS closure (appliance_id, spared, outcome, at, place)
        JOIN cooking_sessions AS open ON open.appliance_id = closure.appliance_id AND open.outcome IS NULL
          AND open.session_id IS DISTINCT FROM closure.spared
        ORDER BY open.appliance_id, open.session_id, closure.place
      ) AS closed
      WHERE old.appliance_id = closed.appliance_id AND old.session_id = closed.session_id
      """,
      [
        .textArray(closures.map(\.applianceID.rawValue)), .textArray(closures.map { $0.spared?.storable }),
        .textArray(closures.map(\.end.outcome.rawValue)), .timestamptzArray(closures.map { PostgresTimestamp($0.end.at) }),
      ])
  }

  private func closeOvertaken(in session: PostgresSession) throws(PostgresError) {
    guard !overtaken.isEmpty else { return }
    try session.execute(
      """
      UPDATE cooking_sessions AS old SET outcome = $3, ended_at = newer.started_at
      FROM unnest($1::text[], $2::text[]) AS late (appliance_id, session_id)
      JOIN cooking_sessions AS own USING (appliance_id, session_id)
      CROSS JOIN LATERAL (
        SELECT started_at FROM cooking_sessions AS other
        WHERE other.appliance_id = own.appliance_id AND other.started_at > own.started_at ORDER BY started_at LIMIT 1
      ) AS newer
      WHERE old.appliance_id = own.appliance_id AND old.session_id = own.session_id
        AND (old.outcome IS NULL OR (old.outcome IN ('stopped', 'abandoned') AND newer.started_at < old.ended_at))
      """,
      [
        .textArray(overtaken.map(\.applianceID.rawValue)), .textArray(overtaken.map(\.id.storable)),
        .text(CookingOutcome.abandoned.rawValue),
      ])
  }

  private func writeSessions(_ rows: [CookingSessionRow], in session: PostgresSession) throws(PostgresError) {
    func text(_ member: (CookingSessionRow) -> String?) -> PostgresValue { .textArray(rows.map { member($0)?.storable }) }
    func json(_ member: (CookingSessionRow) -> [UInt8]?) -> PostgresValue {
      .textArray(rows.map { member($0).map { String(decoding: $0, as: UTF8.self) } })
    }
    func number(_ member: (CookingSessionRow) -> Int?) -> PostgresValue { .int8Array(rows.map { member($0).map(Int64.init) }) }
    func time(_ member: (CookingSessionRow) -> Timestamp?) -> PostgresValue {
      .timestamptzArray(rows.map { member($0).map(PostgresTimestamp.init) })
    }
    try session.execute(
      Self.upsertSessions,
      [
        text(\.applianceID.rawValue), text(\.id), text(\.recipeID), text(\.recipeName), number(\.totalStages), number(\.currentStage),
        text(\.currentStageName), time(\.startedAt), time(\.end?.at), text(\.end?.outcome.rawValue), json(\.lastFailure?.json),
        time(\.lastFailure?.at), json(\.summary), time(\.updatedAt),
      ])
  }

  /// Like `CookingSessionRow.merge`.
  private static let upsertSessions = """
    INSERT INTO cooking_sessions AS old
      (appliance_id, session_id, recipe_id, recipe_name, total_stages, current_stage, current_stage_name, started_at, ended_at, outcome,
      last_error, last_error_at, summary, updated_at)
    SELECT appliance_id, session_id, recipe_id, recipe_name, total_stages, current_stage, current_stage_name, started_at, ended_at, outcome,
      last_error::json, last_error_at, summary::json, updated_at
    FROM unnest(
      $1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::text[], $8::timestamptz[], $9::timestamptz[],
      $10::text[], $11::text[], $12::timestamptz[], $13::text[], $14::timestamptz[]
    ) AS new (appliance_id, session_id, recipe_id, recipe_name, total_stages, current_stage, current_stage_name, started_at, ended_at,
      outcome, last_error, last_error_at, summary, updated_at)
    ON CONFLICT (appliance_id, session_id) DO UPDATE SET
      recipe_id = coalesce(old.recipe_id, excluded.recipe_id), recipe_name = coalesce(old.recipe_name, excluded.recipe_name),
      total_stages = coalesce(old.total_stages, excluded.total_stages),
      current_stage = greatest(old.current_stage, excluded.current_stage),
      current_stage_name = CASE
        WHEN old.current_stage IS NULL OR excluded.current_stage > old.current_stage THEN excluded.current_stage_name
        WHEN excluded.current_stage = old.current_stage THEN coalesce(old.current_stage_name, excluded.current_stage_name)
        ELSE old.current_stage_name END,
      started_at = least(old.started_at, excluded.started_at),
      ended_at = CASE WHEN \(overrides) THEN excluded.ended_at ELSE old.ended_at END,
      outcome = CASE WHEN \(overrides) THEN excluded.outcome ELSE old.outcome END,
      last_error = CASE WHEN excluded.last_error_at >= coalesce(old.last_error_at, '-infinity') THEN excluded.last_error ELSE old.last_error END,
      last_error_at = greatest(old.last_error_at, excluded.last_error_at),
      summary = coalesce(old.summary, excluded.summary), updated_at = greatest(old.updated_at, excluded.updated_at)
    """

  /// Like `CookingEnd.overrides`.
  private static let overrides = """
    excluded.outcome IS NOT NULL AND (old.outcome IS NULL OR
      (CASE excluded.outcome WHEN 'complete' THEN 2 WHEN 'error' THEN 1 ELSE 0 END, old.ended_at) >
      (CASE old.outcome WHEN 'complete' THEN 2 WHEN 'error' THEN 1 ELSE 0 END, excluded.ended_at))
    """

  private func writeStages(_ rows: [CookingSessionRow], in session: PostgresSession) throws(PostgresError) {
    let stages = rows.flatMap { row in row.stages.map { (row: row, number: $0.key, stage: $0.value) } }
    guard !stages.isEmpty else { return }
    try session.execute(
      Self.upsertStages,
      [
        .textArray(stages.map(\.row.applianceID.rawValue)), .textArray(stages.map(\.row.id.storable)),
        .int8Array(stages.map { Int64($0.number) }), .textArray(stages.map { $0.stage.name?.storable }),
        .float8Array(stages.map(\.stage.durationSeconds)), .textArray(stages.map { $0.stage.result?.storable }),
        .textArray(stages.map { $0.stage.transition?.storable }),
        .timestamptzArray(stages.map { $0.stage.startedAt.map(PostgresTimestamp.init) }),
        .timestamptzArray(stages.map { $0.stage.endedAt.map(PostgresTimestamp.init) }),
      ])
  }

  /// A stage whose beginning nobody told began its duration before its end.
  private static let upsertStages = """
    INSERT INTO cooking_stages AS old
      (appliance_id, session_id, stage, name, duration_s, result, transition, started_at, ended_at)
    SELECT appliance_id, session_id, stage, name, duration_s, result, transition,
      coalesce(started_at, ended_at - duration_s * interval '1 second'), ended_at
    FROM unnest(
      $1::text[], $2::text[], $3::int8[], $4::text[], $5::float8[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[]
    ) AS new (appliance_id, session_id, stage, name, duration_s, result, transition, started_at, ended_at)
    ON CONFLICT (appliance_id, session_id, stage) DO UPDATE SET
      name = coalesce(old.name, excluded.name), duration_s = coalesce(old.duration_s, excluded.duration_s),
      result = coalesce(old.result, excluded.result), transition = coalesce(old.transition, excluded.transition),
      started_at = coalesce(old.started_at, excluded.started_at), ended_at = coalesce(old.ended_at, excluded.ended_at)
    """
}
