package import Models
package import PostgresClient

/// What was stored, page by page. Reads only, and every page is found through an index.
package struct HistoryStore: Sendable {
  let pool: PostgresPool
  let timeout: Duration

  /// - Parameter timeout: limit for one page, which a person waits for.
  package init(_ pool: PostgresPool, timeout: Duration = .seconds(10)) {
    self.pool = pool
    self.timeout = timeout
  }

  func query(_ sql: String, _ parameters: [PostgresValue]) async throws -> PostgresRows {
    try await pool.query(sql, parameters, timeout: timeout)
  }
}

/// A stretch of time, `from` included and `to` not.
package struct HistoryWindow: Hashable, Sendable {
  /// All times that there can be: 1970 to 9999.
  private static let possible = 0...253_402_300_799_999_999 as ClosedRange<Int64>

  package let from: Timestamp
  package let to: Timestamp

  /// - Parameters:
  ///   - from: nil for the beginning.
  ///   - to: nil for no end. Not after `from`: the window is empty.
  package init(from: Timestamp? = nil, to: Timestamp? = nil) {
    self.from = Self.clamped(from ?? Timestamp(microseconds: .min))
    self.to = Self.clamped(to ?? Timestamp(microseconds: .max))
  }

  /// The nearest time that there can be: a position comes back from a client, who may have made up its time.
  static func clamped(_ timestamp: Timestamp) -> Timestamp {
    Timestamp(microseconds: min(max(timestamp.microseconds, possible.lowerBound), possible.upperBound))
  }
}

package enum HistoryOrder: String, Hashable, Sendable, CaseIterable {
  case oldestFirst, newestFirst

  var sql: String { self == .oldestFirst ? "ASC" : "DESC" }
  /// What a later page's rows are, compared with the last row of the page before.
  var beyond: String { self == .oldestFirst ? ">" : "<" }
}

/// One page, and where the next begins.
package struct HistoryPage<Item: Sendable, Position: Sendable>: Sendable {
  package let items: [Item]
  /// Give it as `after` for the next page; nil when there is none.
  package let next: Position?

  /// The most items of one page; a larger `limit` gets as many.
  package static var limitMax: Int { 1000 }

  /// How many rows to ask for: one more than wanted tells whether there is a next page.
  static func rowCount(_ limit: Int) -> PostgresValue { .int8(Int64(clamped(limit) + 1)) }

  /// - Parameter rows: up to `rowCount(limit)` of them.
  init(_ rows: [Item], limit: Int, position: ([Item]) -> Position?) {
    let limit = Self.clamped(limit)
    items = Array(rows.prefix(limit))
    next = rows.count > limit ? position(items) : nil
  }

  private init(items: [Item], next: Position?) { (self.items, self.next) = (items, next) }

  /// The page with some of its items only, which may be none; `next` is as before.
  package func filter(_ isKept: (Item) throws -> Bool) rethrows -> Self { Self(items: try items.filter(isKept), next: next) }

  private static func clamped(_ limit: Int) -> Int { min(max(limit, 1), limitMax) }
}

extension PostgresValue {
  static func timestamptz(_ timestamp: Timestamp) -> PostgresValue { .timestamptz(PostgresTimestamp(timestamp)) }
}

extension ApplianceID {
  var column: PostgresValue { .text(rawValue) }
}
