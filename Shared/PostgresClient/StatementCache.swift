/// Which prepared statements a connection holds: at most `capacity`, the least recently used goes first.
struct StatementCache {
  struct Key: Hashable {
    let sql: String
    /// The same text with parameters of other types is another statement.
    let types: [UInt32]
  }

  struct Entry: Equatable {
    let name: String
    /// True when the statement must be prepared before use.
    let isNew: Bool
    /// The statements to give up first.
    let evicted: [String]
  }

  private let capacity: Int
  private var entries: [Key: (name: String, lastUse: UInt64)] = [:]
  private var discarded: [String] = []
  private var uses: UInt64 = 0

  init(capacity: Int) { self.capacity = capacity }

  /// The name to run `key` by. A new one is only remembered by `remember`, once the server has accepted it.
  mutating func use(_ key: Key) -> Entry {
    uses += 1
    if let entry = entries[key] {
      entries[key]?.lastUse = uses
      return Entry(name: entry.name, isNew: false, evicted: [])
    }
    if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      entries[oldest.key] = nil
      discarded.append(oldest.value.name)
    }
    defer { discarded = [] }
    return Entry(name: "m\(uses)", isNew: true, evicted: discarded)
  }

  mutating func remember(_ key: Key, name: String) {
    entries[key] = (name, uses)
  }

  /// Prepares `key` anew at its next use.
  mutating func forget(_ key: Key) {
    if let entry = entries.removeValue(forKey: key) { discarded.append(entry.name) }
  }
}
