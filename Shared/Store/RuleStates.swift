package import Models
package import PostgresClient

/// What the evaluator remembers of appliances, as its bytes.
package enum RuleStates {
  /// All of a shard.
  package static func load(shard: Int, in session: PostgresSession) throws(PostgresError) -> [(applianceID: String, state: [UInt8])] {
    try session.query("SELECT appliance_id, state FROM rule_states WHERE shard = $1", [.int2(Int16(shard))])
      .decode(String.self, [UInt8].self).map { ($0.0, $0.1) }
  }

  /// Keeps these in place of earlier ones; nil is forgotten. One statement for each of the two.
  package static func store(
    _ states: [(applianceID: ApplianceID, state: [UInt8]?)], shard: Int, in session: PostgresSession
  ) throws(PostgresError) {
    let kept = states.filter { $0.state != nil }
    if !kept.isEmpty {
      try session.execute(
        """
        INSERT INTO rule_states (appliance_id, shard, state)
        SELECT appliance_id, $1, state FROM unnest($2::text[], $3::bytea[]) AS new (appliance_id, state)
        ON CONFLICT (appliance_id) DO UPDATE SET state = excluded.state
        """, [.int2(Int16(shard)), .textArray(kept.map(\.applianceID.rawValue)), .byteaArray(kept.map(\.state))])
    }
    let gone = states.filter { $0.state == nil }
    if !gone.isEmpty {
      try session.execute("DELETE FROM rule_states WHERE appliance_id = ANY($1)", [.textArray(gone.map(\.applianceID.rawValue))])
    }
  }
}
