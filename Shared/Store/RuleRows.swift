package import Models
package import PostgresClient
package import RuleEvaluation

/// The rules in PostgreSQL, and what decides which appliances they concern.
package enum RuleRows {
  /// How many rules there can be: each appliance is asked about each of them once.
  package static let countMax = 10_000

  /// How often the rules, and the appliances with their dialects, have changed.
  package struct Revision: Hashable, Sendable {
    package var rules: Int64
    package var appliances: Int64

    package init(rules: Int64, appliances: Int64) { (self.rules, self.appliances) = (rules, appliances) }
  }

  /// Rules and appliances as they stood together at one moment.
  package struct Reading: Sendable {
    package let revision: Revision
    package let rules: [Rule]
    /// Why those that this build cannot read are left out, by their ids.
    package let unreadable: [String: RuleError]
    /// Of every registered appliance.
    package let dialects: [ApplianceID: Dialect]
  }

  package static func revision(in session: PostgresSession) throws(PostgresError) -> Revision {
    let numbers = try session.query("SELECT name, number FROM revisions WHERE name IN ('rules', 'appliances')")
      .decode(String.self, Int64.self)
    let byName = Dictionary(numbers.map { ($0.0, $0.1) }) { first, _ in first }
    return Revision(rules: byName["rules"] ?? 0, appliances: byName["appliances"] ?? 0)
  }

  /// To be called outside of a transaction.
  package static func read(in session: PostgresSession) throws -> Reading {
    try session.transaction {
      try session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
      let revision = try revision(in: session)
      var rules: [Rule] = []
      var unreadable: [String: RuleError] = [:]
      for (id, definition) in try session.query("SELECT id, definition FROM rules").decode(String.self, [UInt8].self) {
        do throws(RuleError) { rules.append(try Rule(parsing: definition)) } catch { unreadable[id] = error }
      }
      let appliances = try session.query("SELECT id, dialect FROM appliances").decode(String.self, String.self)
      let dialects = appliances.compactMap { id, dialect -> (ApplianceID, Dialect)? in
        guard let id = try? ApplianceID(id), let dialect = Dialect(rawValue: dialect) else { return nil }
        return (id, dialect)
      }
      return Reading(
        revision: revision, rules: rules, unreadable: unreadable, dialects: Dictionary(dialects) { first, _ in first })
    }
  }

  /// Makes the rules exist as described. Every replica goes by them with its next transaction.
  ///
  /// - Parameter areNew: refuse all where there is one of these ids.
  /// - Throws: `StoreError` `.alreadyExists`, and `.tooMany` when there would be more than `countMax`; both are to end the transaction.
  package static func save(_ rules: [Rule], areNew: Bool = false, in session: PostgresSession) throws {
    let count = try session.execute(
      """
      INSERT INTO rules AS old (id, definition) SELECT id, definition::json FROM unnest($1::text[], $2::text[]) AS new (id, definition)
      ON CONFLICT (id) DO UPDATE SET definition = excluded.definition, updated_at = now()
      WHERE NOT $3 AND old.definition::text <> excluded.definition::text
      """, [.textArray(rules.map(\.id)), .textArray(rules.map { String(decoding: $0.definition, as: UTF8.self) }), .bool(areNew)])
    if areNew, count < rules.count { throw StoreError(.alreadyExists, "There is a rule of that id already") }
    guard try session.query("SELECT count(*) FROM rules").decode(Int64.self).first ?? 0 <= Int64(Self.countMax) else {
      throw StoreError(.tooMany, "There can be \(Self.countMax) rules: delete some that are of no more use")
    }
  }

  /// Saves those that are not as described yet.
  ///
  /// - Throws: `StoreError` `.invalidAccount` for what one of them names that is not there; a dry run does not look.
  /// - Returns: a line for each: `+ rule hot`, `~ rule hot`.
  static func apply(_ rules: [Rule], dryRun: Bool, in session: PostgresSession) throws -> [String] {
    guard !rules.isEmpty else { return [] }
    let present = try session.query("SELECT id, definition FROM rules WHERE id = ANY($1)", [.textArray(rules.map(\.id))])
      .decode(String.self, [UInt8].self)
    let definitions = Dictionary(present.map { ($0.0, $0.1) }) { first, _ in first }
    let changed = rules.filter { definitions[$0.id] != $0.definition }.sorted { $0.id < $1.id }
    if !dryRun, !changed.isEmpty {
      for rule in changed {
        do { try requireNamed(rule, in: session) } catch let error as RuleError {
          throw StoreError(.invalidAccount, "Rule '\(rule.id)': \(error)")
        }
      }
      try save(changed, in: session)
    }
    return changed.map { "\(definitions[$0.id] == nil ? "+" : "~") rule \($0.id)" }
  }

  /// - Returns: false when there was none.
  package static func delete(_ id: String, in session: PostgresSession) throws(PostgresError) -> Bool {
    try session.execute("DELETE FROM rules WHERE id = $1", [.text(id)]) == 1
  }
}
