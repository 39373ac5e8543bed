internal import Models

/// Which entries are written one by one and which are only counted, so that who is refused a million times fills no disk. Pure.
///
/// In each minute so many like entries of one origin are let through: from one address, refusals; of one user or device, what else they do. The rest of that minute becomes one entry with a count.
/// Commands are never counted together: each has its place in the log anyway, and their number is bounded there.
struct AuditLimiter {
  /// Like entries are those with the same of all this.
  private struct Kind: Hashable {
    let origin: String
    let action: AuditEntry.Action
    let result: AuditEntry.Result
  }

  private struct Tally {
    var passed = 0
    var held = 0
    var last: AuditEntry?
  }

  static let span = Duration.seconds(60)
  static let refusalsMax = 10
  static let othersMax = 120
  /// Of all origins together. Origins beyond `originsMax` are counted as one.
  static let refusalsOfAllMax = 600
  static let originsMax = 4096

  private var spanStart: Timestamp?
  private var tallies: [Kind: Tally] = [:]
  private var refusals = 0

  /// How many entries stand behind a count by now.
  private(set) var heldCount = 0

  /// Whether this one is to be written by itself.
  mutating func passes(_ entry: AuditEntry) -> Bool {
    if entry.action == .commandRequested, entry.result == .done { return true }
    let isRefusal = entry.result != .done
    let origin = (isRefusal ? entry.address : entry.userID ?? entry.applianceID ?? entry.address) ?? ""
    var kind = Kind(origin: origin, action: entry.action, result: entry.result)
    if tallies[kind] == nil, tallies.count >= Self.originsMax { kind = Kind(origin: "", action: entry.action, result: entry.result) }
    var tally = tallies[kind] ?? Tally()
    defer { tallies[kind] = tally }
    let mayPass = tally.passed < (isRefusal ? Self.refusalsMax : Self.othersMax) && (!isRefusal || refusals < Self.refusalsOfAllMax)
    guard mayPass else {
      tally.held += 1
      // Of many origins under one tally none is named.
      tally.last = entry
      if kind.origin != origin { tally.last?.forgetOrigin() }
      heldCount += 1
      return false
    }
    tally.passed += 1
    if isRefusal { refusals += 1 }
    return true
  }

  /// At the end of the span, the entries that stand for those that were held. At most `limit`; the others are told as one for each action.
  ///
  /// - Parameter isLast: nothing follows, so the span is over whenever it began.
  mutating func summaries(now: Timestamp, isLast: Bool = false, limit: Int = 256) -> [AuditEntry] {
    let start = min(spanStart ?? now, now)
    spanStart = start
    guard isLast || now - start >= Self.span else { return [] }
    let held = tallies.values.filter { $0.held > 0 }.sorted { $0.held > $1.held }
    (spanStart, tallies, refusals) = (now, [:], 0)
    var summaries = held.prefix(limit).compactMap(Self.summary)
    for tally in held.dropFirst(limit) {
      guard var entry = Self.summary(tally) else { continue }
      entry.forgetOrigin()
      if let index = summaries.firstIndex(where: {
        $0.address == nil && $0.userID == nil && $0.action == entry.action && $0.result == entry.result
      }) {
        summaries[index].count += entry.count
      } else {
        summaries.append(entry)
      }
    }
    return summaries
  }

  private static func summary(_ tally: Tally) -> AuditEntry? {
    guard var entry = tally.last else { return nil }
    entry.count = tally.held
    entry.detail = "the last of \(tally.held) more within a minute: \(entry.detail)"
    return entry
  }
}

extension AuditEntry {
  fileprivate mutating func forgetOrigin() { (userID, applianceID, commandID, address) = (nil, nil, nil, nil) }
}
